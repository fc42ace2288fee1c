#!/bin/sh
# Run in a test VM by `cargo xtask tui`: klp-trace tui at a terminal of 80x24 (tmux) while a livepatch's module is loaded,
# unloaded and loaded again. Leaves the screens in /out; the host judges them.
# $@: how tmux is started
mount -t devpts -o ptmxmode=0666 devpts /dev/pts 2>/dev/null || { mkdir -p /dev/pts && mount -t devpts devpts /dev/pts; }
[ -e /dev/ptmx ] || ln -s pts/ptmx /dev/ptmx
export LC_ALL=C.UTF-8
cd /tmp || exit 1
"$@" -L klp new-session -d -s tui -x 80 -y 24 \
    "/usr/bin/klp-trace tui --config /dev/null --ko /fixtures; echo code=\$?; sleep 600" || exit 1

# The screen once it holds a text, or after two minutes as it is then.
screen() {
    tries=0
    while :; do
        "$@" -L klp capture-pane -p -t tui > "/out/$name.txt"
        grep -q "$text" "/out/$name.txt" && break
        tries=$((tries + 1))
        [ "$tries" -ge 120 ] && break
        sleep 1
    done
    echo "$name after $tries s"
}
press() {
    key=$1
    shift
    "$@" -L klp send-keys -t tui "$key"
}

name=start text='audit now' screen "$@"
insmod /fixtures/klp_target.ko && insmod /fixtures/lp_one.ko
name=load text='applied 16' screen "$@"
rmmod klp_target
name=unload text='\(stale\|cleared\) 16' screen "$@"
insmod /fixtures/klp_target.ko
name=reload text='KLP009\|applied 16' screen "$@"
press w "$@"
name=journal text='wrote' screen "$@"
press Space "$@"
name=paused text='PAUSED' screen "$@"
press Space "$@"
press q "$@"
name=quit text='code=' screen "$@"
/usr/bin/klp-trace watch --from /tmp/klp-trace-*.ndjson > /out/judged.txt 2>&1
echo "exit $?" >> /out/judged.txt
