#!/usr/bin/env bash
# The manual page of the library is well-formed, and shows each function of the header as it is there.
. "$(dirname "$0")/lib.bash"
header=client/grange.h page=client/grange.3

if command -v mandoc >/dev/null; then
    complaints=$(mandoc -Tlint -Wwarning "$page") || bad "$complaints"
else
    complaints=$(groff -mdoc -ww -Tutf8 -z "$page" 2>&1)
    [ -z "$complaints" ] || bad "$complaints"
fi

# One function a line: its type, its name, its arguments, without spaces around what binds.
tidy() { sed -E 's/[[:space:]]+/ /g; s/ ?([*(),;]) ?/\1/g; s/^ //'; }

in_header() {
    code "$header" | tr '\n' ' ' | sed -E 's/#if[^{]*extern "[^{]*\{//; s/[{};]/&\n/g' |
        sed -E 's/^.*#[a-z]+ [A-Z_]+( [A-Za-z0-9_]+)? //; s/static inline //' |
        grep -E '(^|[ *])grange_[a-z_]+\(' | grep -vE 'typedef|return|^ *for' | sed -E 's/[;{].*//' | tidy | sort
}

in_page() {
    awk '/^\.Ft/ { type = $0; sub(/^\.Ft /, "", type); gsub(/"/, "", type) }
         /^\.Fn/ && type != "" {
             line = $0; sub(/^\.Fn /, "", line)
             name = line; sub(/ .*/, "", name); sub(/^[^ ]+ /, "", line)
             gsub(/" "/, ",", line); gsub(/"/, "", line)
             print type " " name "(" line ")"; type = "" }' "$page" | tidy | sort
}

if ! difference=$(diff <(in_header) <(in_page)); then
    bad "$page is not as $header (<: header, >: page)"$'\n'"$difference"
fi
[ "$(in_header | wc -l)" -gt 50 ] || bad "$header: its functions were not found"
exit "$wrong"
