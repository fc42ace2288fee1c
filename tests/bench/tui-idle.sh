#!/bin/sh
# Run in a test VM by `cargo xtask bench tui`: the processor time (ticks) that klp-trace tui takes in 60 s in which nothing
# happens, with a livepatch loaded, and that `top -b -d 1` takes in the same 60 s. In /out/idle.txt: tui, top.
# $@: how tmux is started
mkdir -p /dev/pts && mount -t devpts -o ptmxmode=0666 devpts /dev/pts
[ -e /dev/ptmx ] || ln -s pts/ptmx /dev/ptmx
export LC_ALL=C.UTF-8
cd /tmp || exit 1
insmod /fixtures/klp_target.ko && insmod /fixtures/lp_one.ko || exit 1
"$@" -L klp new-session -d -s tui -x 80 -y 24 "/usr/bin/klp-trace tui --config /dev/null --ko /fixtures" || exit 1
tries=0
until "$@" -L klp capture-pane -p -t tui | grep -q 'applied 16'; do
    tries=$((tries + 1))
    [ "$tries" -ge 120 ] && exit 1
    sleep 1
done
top -b -d 1 > /dev/null &
top=$!
tui=$(pidof klp-trace) || exit 1
# User and system time: fields 14 and 15 of proc(5)'s stat; neither name has a space.
ticks() {
    # shellcheck disable=SC2046
    set -- $(cat "/proc/$1/stat")
    echo $((${14} + ${15}))
}
sleep 15
ours=$(ticks "$tui")
theirs=$(ticks "$top")
sleep 60
echo "$(($(ticks "$tui") - ours)) $(($(ticks "$top") - theirs))" > /out/idle.txt
