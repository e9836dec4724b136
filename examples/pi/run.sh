#!/usr/bin/env bash
# run.sh [DIR] - pi by Monte Carlo: 100 replicates, each with its own seed. A point's seed follows from
# what the point is, so the numbers are the same in any order and on any number of workers. Leaves
# results.csv in DIR (default: pi-out).
set -euo pipefail
grange=${GRANGE:-grange}
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-pi-out}
mkdir -p "$out"
cd "$out"
[ -x pi ] || "${CC:-cc}" -O2 -o pi "$here/pi.c"

"$grange" run --study pi --reps 100 ${JOBS:+-j "$JOBS"} \
    --metric 'hits=regex:hits ([0-9]+)' --metric 'pi=regex:pi ([0-9.]+)' \
    ./pi '{seed}' '{n}' ::: n=20000

"$grange" results pi --format csv -o results.csv
awk -F, '
    NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
    { hits += $column["hits"]; n += $column["n"] }
    END { printf "pi is about %.6f (%d darts)\n", 4 * hits / n, n }' results.csv
