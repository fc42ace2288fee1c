#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# kselftest: a module that a livepatch waits for is loaded again, and every relocation is where it should be.
# usage: klp_reload.sh MODULE
# output: KTAP. exit: 0 passed, 1 failed, 4 skipped, as kselftest wants it.
# KLP_POLICY names a policy; KLP_JOURNAL a journal to judge instead of this kernel.
set -u

skip() {
    printf 'KTAP version 1\n1..1\nok 1 klp_reload # SKIP %s\n' "$1"
    exit 4
}

command -v klp-trace >/dev/null || skip "klp-trace is not installed"
set -- "${1:-}" ${KLP_POLICY:+--policy "$KLP_POLICY"}
module=$1
shift

if [ -n "${KLP_JOURNAL:-}" ]; then
    klp-trace assert --format ktap "$@" --from "$KLP_JOURNAL"
else
    [ -n "$module" ] || skip "no module is named"
    [ -d /sys/kernel/livepatch ] || skip "this kernel has no livepatching"
    klp-trace assert --format ktap "$@" -- sh -c 'modprobe -r "$0" && modprobe "$0"' "$module"
fi
code=$?

case $code in
0 | 4) exit "$code" ;;
*) exit 1 ;; # a finding, nothing proven, or the module could not be loaded: the report says which
esac
