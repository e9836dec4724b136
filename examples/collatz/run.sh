#!/usr/bin/env bash
# run.sh [DIR] - the Collatz lengths of 1..300: who takes longest? Leaves results.csv in DIR (default:
# collatz-out). The table is made by a question to the store, in SQL.
set -euo pipefail
grange=${GRANGE:-grange}
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-collatz-out}
mkdir -p "$out"
cd "$out"

"$grange" run --study collatz \
    --metric 'steps=json:-:steps' --metric 'top=json:-:top' \
    sh "$here/collatz.sh" '{n}' ::: n=1:300

"$grange" results collatz --format csv -o results.csv
echo "the longest:"
"$grange" results collatz --where 'steps > 120' --sort -steps
