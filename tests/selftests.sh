#!/bin/bash
# Run in a test VM by `cargo xtask selftests`: the kernel's own livepatch selftests, first alone, then with klp-trace watch
# beside them. Leaves in /out, for each round (alone, watched), `<round>.txt` with a line "TEST CODE" for each script, and what
# each said; of klp-trace its journal, what it said and its exit code. The host judges.
cd /selftests || exit 1
# The scripts of 6.8 and later want to build their modules here; these are built already.
mkdir -p "/lib/modules/$(uname -r)/build"

round() {
    for test in test-*.sh; do
        echo "  $1 $test"
        echo "klp-trace selftest: $1 $test" > /dev/kmsg
        timeout 600 bash "./$test" > "/out/$1-$test.txt" 2>&1
        code=$?
        echo "  $1 $test -> $code"
        echo "$test $code" >> "/out/$1.txt"
    done
}

round alone
klp-trace watch --format ndjson --output /out/journal.ndjson --ready-file /tmp/ready --ko /selftests/test_modules \
    > /out/watch.txt 2>&1 &
watch=$!
until [ -e /tmp/ready ]; do
    kill -0 $watch 2> /dev/null || { cat /out/watch.txt; exit 1; }
    sleep 0.1
done
round watched
kill -TERM $watch
wait $watch
echo $? > /out/watch-code
