#!/bin/sh
# collatz.sh N - how many steps N takes to reach 1, and the highest number on the way.
n=$1
steps=0
top=$n
while [ "$n" -ne 1 ]; do
    if [ $((n % 2)) -eq 0 ]; then n=$((n / 2)); else n=$((3 * n + 1)); fi
    steps=$((steps + 1))
    [ "$n" -le "$top" ] || top=$n
done
echo "{\"steps\": $steps, \"top\": $top}"
