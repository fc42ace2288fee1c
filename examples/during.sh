#!/bin/sh
# Runs a command while klp-trace watches. The journal goes to the file named first.
# usage: during.sh JOURNAL COMMAND [ARGUMENT…]
# exit: klp-trace's verdict; the command's own code is said on standard error.
set -eu
[ $# -ge 2 ] || { echo "usage: $0 JOURNAL COMMAND [ARGUMENT...]" >&2; exit 2; }
journal=$1
shift
work=$(mktemp -d)
ready=$work/ready
klp-trace watch --format ndjson --output "$journal" --ready-file "$ready" &
watch=$!
trap 'rm -rf "$work"' EXIT
# The file appears once every probe is attached; if klp-trace gives up before, its exit code says why.
while [ ! -e "$ready" ]; do
    kill -0 "$watch" 2>/dev/null || { wait "$watch"; exit $?; }
    sleep 0.1
done
code=0
"$@" || code=$?
[ "$code" -eq 0 ] || echo "$0: $1 exited with $code" >&2
kill "$watch"
verdict=0
wait "$watch" || verdict=$?
exit "$verdict"
