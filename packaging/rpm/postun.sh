# %systemd_postun_with_restart: after an upgrade the service runs the new program, if it ran the old one.
if [ "$1" -ge 1 ] && [ -x /usr/lib/systemd/systemd-update-helper ]; then
    /usr/lib/systemd/systemd-update-helper mark-restart-system-units klp-trace.service || :
fi
# The folders of klp-trace alone: cargo-generate-rpm cannot let a package own them.
if [ "$1" -eq 0 ]; then
    find /etc/klp-trace /usr/share/klp-trace /usr/share/doc/klp-trace /usr/share/licenses/klp-trace \
        -depth -type d -empty -delete 2>/dev/null || :
fi
