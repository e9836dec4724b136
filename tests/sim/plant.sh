#!/bin/sh
# plant.sh BUG.sed FILE OUT - applies a planted bug to a copy of a source. Fails when it would not change
# exactly one place: then the source has moved on and the bug must be planted anew.
set -eu
sed -f "$1" "$2" >"$3.new"
changed=$(diff "$2" "$3.new" | grep -c '^[0-9]' || true)
if [ "$changed" != 1 ]; then
    rm -f "$3.new"
    echo "plant.sh: $1 changes $changed places of $2, should be 1: plant it anew" >&2
    exit 1
fi
mv "$3.new" "$3"
