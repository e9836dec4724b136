#!/usr/bin/env bash
# A file has at most 600 lines, a function at most 70. Functions that are longer are listed with their
# length in long-functions.txt ("FILE FUNCTION LINES"); the numbers there may only go down.
. "$(dirname "$0")/lib.bash"
list=tests/lint/long-functions.txt

while read -r f; do
    n=$(wc -l <"$f")
    [ "$n" -le 600 ] || bad "$f: $n lines; 600 is the most: one noun and its verbs a file"
done < <(sources '*.c' '*.h' '*.sh' '*.bash' '*.bats' dev bench/run)

# shellcheck disable=SC2016 # awk's own dollars
found=$(sources '*.c' | xargs awk '
    FNR == 1 { open = 0; name = "" }
    /^[A-Za-z_].*\(/ && !/;[ \t]*$/ && !open { name = $0; sub(/\(.*/, "", name); sub(/.*[^A-Za-z0-9_]/, "", name) }
    /^\{/ { open = FNR }
    /^\}/ && open { n = FNR - open + 1; if (n > 70) print FILENAME, name, n; open = 0 }')

while read -r file name n; do
    [ -n "$file" ] || continue
    bound=$(awk -v f="$file" -v g="$name" '$1 == f && $2 == g { print $3 }' "$list")
    if [ -z "$bound" ]; then
        bad "$file: $name() has $n lines; 70 is the most"
    elif [ "$n" -gt "$bound" ]; then
        bad "$file: $name() has grown from $bound to $n lines"
    elif [ "$n" -lt "$bound" ]; then
        bad "$file: $name() is down to $n lines: say so in $list, so that it stays"
    fi
done <<<"$found"

while read -r file name n; do
    case $file in '' | '#'*) continue ;; esac
    grep -q "^$file $name " <<<"$found" || bad "$list: $file $name ($n) is no longer too long: take it out"
done <"$list"
exit "$wrong"
