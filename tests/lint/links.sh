#!/usr/bin/env bash
# Pages link to what is there, and the page of study files has every key of the parser.
. "$(dirname "$0")/lib.bash"

while read -r f; do
    while read -r link; do
        [ -z "$link" ] || [ -e "$(dirname "$f")/$link" ] || bad "$f: there is no $link"
    done < <(grep -oE '\]\([^)#: ]+(#[^)]*)?\)' "$f" | sed 's/^](//; s/)$//; s/#.*//' | sort -u)
done < <(sources '*.md')

page=docs/manual/study-file.md
keys=$(sed -nE 's/^    \{ "([a-z_]+)", read_.*/\1/p' study/yaml_keys.c)
[ "$(wc -w <<<"$keys")" -gt 30 ] || bad "study/yaml_keys.c: its keys were not found"
for key in $keys; do
    [ "$key" = inputs ] || grep -qE "\b$key\b" "$page" || bad "$page: the key '$key' is missing"
done
exit "$wrong"
