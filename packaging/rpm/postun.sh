# %systemd_postun_with_restart: after an upgrade the service runs the new program, if it ran the old one.
if [ "$1" -ge 1 ] && [ -x /usr/lib/systemd/systemd-update-helper ]; then
    /usr/lib/systemd/systemd-update-helper mark-restart-system-units klp-trace.service || :
fi
