#!/bin/sh
# A custom plugin of node-problem-detector: how the livepatch relocations of this node stand.
# klp-trace audit's exit codes become the plugin's: 0 fine, 1 a problem, 2 not known. What could not be judged is never fine.
said=$(klp-trace audit --quiet --format summary 2>&1)
case $? in
0) code=0 ;;
1) code=1 ;;
*) code=2 ;; # 2 usage, 3 failure, 4 precondition unmet, 5 inconclusive; 126 and 127: no klp-trace
esac
# The condition's message: one line.
printf '%s\n' "$said" | head -n 1
exit "$code"
