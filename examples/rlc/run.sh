#!/usr/bin/env bash
# run.sh [DIR] - sweeps R, L and C of a band-pass filter through ngspice and compares what it measures
# with theory. Leaves results.csv, compared.csv and rlc.svg in DIR (default: rlc-out). Run it again:
# what is done stays done.
set -euo pipefail
grange=${GRANGE:-grange}
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-rlc-out}
mkdir -p "$out"
cd "$out"
export HOME="${HOME:-$PWD}" # ngspice 39 crashes where there is none

"$grange" run --study rlc --input "$here/deck.cir" --timeout 60s \
    --metric 'f0=regex:^f0 *= *([-+.0-9eE]+)' \
    --metric 'bandwidth=regex:^bandwidth *= *([-+.0-9eE]+)' \
    ngspice -b deck.cir \
    ::: R=10,20,50,100 'L=log(1e-4,1e-2,9)' 'C=log(1e-8,1e-6,7)'

"$grange" results rlc --format csv -o results.csv
awk -f "$here/compare.awk" results.csv >compared.csv
awk -f "$here/plot.awk" compared.csv >rlc.svg

echo
echo "R, L and C against resonance frequency and bandwidth (the first 12 of $(($(wc -l <compared.csv) - 1)) points):"
head -n 13 compared.csv | awk -F, '
    NR == 1 { printf "%5s %10s %10s %12s %12s %8s %12s %12s %8s\n", "R", "L", "C", "f0", "theory", "off", "bandwidth", "theory", "off" }
    NR > 1 { printf "%5s %10.4g %10.4g %12.6g %12s %7.3f%% %12.6g %12s %7.3f%%\n", $1, $2, $3, $4, $5, $6, $7, $8, $9 }'
echo
awk -f "$here/largest.awk" compared.csv
echo "table:   $PWD/compared.csv"
echo "picture: $PWD/rlc.svg"
