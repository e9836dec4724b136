#!/usr/bin/env bash
# Each function of the library's header is called by a test or an example, and what it returns is looked at there.
# (That the manual page has each of them is for man.sh.)
. "$(dirname "$0")/lib.bash"
header=client/grange.h

# One function a line: its type and its name.
functions() {
    code "$header" | sed -nE 's/^(static inline )?([a-z].*[ *])(grange_[a-z_]+)\(.*/\2\3/p' | grep -v '^typedef' |
        sed -E 's/ ?(\*?)(grange_[a-z_]+)$/\1 \2/'
}

# What calls them, without comments and strings; bats files have programs in them.
calls=$(sources 'tests/*.c' 'tests/*.h' 'tests/*.bats' 'examples/*.c' 'examples/*.h' | while read -r f; do code "$f"; done |
    grep -E '(^|[^a-z_])grange_[a-z_]+\(' || true)

n=0
while read -r type name; do
    n=$((n + 1))
    found=$(grep -E "(^|[^a-z_])$name\(" <<<"$calls" || true)
    # A statement of its own, or after (void), throws away what came.
    [ "$type" = void ] || found=$(grep -vE "^ *(\(void\) ?)?$name\(.*;\$" <<<"$found" || true)
    [ -n "$found" ] || bad "$header: no test or example calls $name and looks at what it returns"
done < <(functions | awk '{ name = $NF; $NF = ""; gsub(/ /, ""); print $0, name }')
[ "$n" -gt 50 ] || bad "$header: its functions were not found"
exit "$wrong"
