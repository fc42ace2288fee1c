# %systemd_post: enabled only where a preset says so.
if [ "$1" -eq 1 ] && [ -x /usr/lib/systemd/systemd-update-helper ]; then
    /usr/lib/systemd/systemd-update-helper install-system-units klp-trace.service || :
fi
