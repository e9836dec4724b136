# shellcheck shell=bash
# What the lint scripts share. Each is run from the root of the source tree; it prints what is wrong
# and ends with 1 if anything was.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export wrong=0

bad() {
    printf '%s\n' "$*"
    wrong=1
}

# sources PATTERN... - files of the project, committed or about to be; as a copy without git: all.
sources() {
    local f
    if git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard -- "$@"
    else
        for f in "$@"; do find . -path './build*' -prune -o -name "$f" -type f -print; done | sed 's,^\./,,'
    fi | while read -r f; do [ ! -f "$f" ] || printf '%s\n' "$f"; done
}

# code FILE - the file without comments and the contents of string literals, line numbers kept.
code() {
    awk '{
        line = $0; out = ""
        while (line != "") {
            if (inside) { e = index(line, "*/"); if (!e) { line = ""; break } line = substr(line, e + 2); inside = 0; continue }
            if (match(line, /"([^"\\]|\\.)*"|\/\/|\/\*/) == 0) { out = out line; break }
            t = substr(line, RSTART, 2); out = out substr(line, 1, RSTART - 1)
            if (t == "//") break
            if (t == "/*") { line = substr(line, RSTART + 2); inside = 1; continue }
            out = out "\"\""; line = substr(line, RSTART + RLENGTH)
        }
        print out
    }' "$1"
}
