#!/usr/bin/env bash
# purity.sh BUILD_DIR - the core and the agent do no I/O, read no clock and draw no luck: what their
# objects need from outside is memory, strings and the pure half of base/.
build=$(cd "${1:?usage: purity.sh BUILD_DIR}" && pwd)
. "$(dirname "$0")/lib.bash"

libc='mem(cpy|move|set|cmp|chr)|str(len|cmp|ncmp|chr|rchr|cpy|ncpy|nlen)|malloc|calloc|realloc|free|qsort|snprintf'
math='log|log2|exp|exp2|pow|sqrt|floor|ceil|llround|lround|fmin|fmax|ldexp'
made_by_compiler='_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|__mem(cpy|move|set)_chk|__snprintf_chk'

objects() { find "$build/$1" -name '*.c.o' 2>/dev/null; }
symbols() { xargs -r nm "$1" | sed -nE "$2" | sort -u; }
defined() { symbols --defined-only 's/^[0-9a-f]+ [A-TV-Z] (.+)$/\1/p'; }

base=$(objects base/CMakeFiles/grange_base.dir | grep -vE '/(clock|log)\.c\.o$' | defined | grep -vx buf_read_file)
for part in scheduler/CMakeFiles/grange_core.dir worker/CMakeFiles/grange_agent.dir; do
    [ -n "$(objects "$part")" ] || { bad "$part: no objects in $build"; continue; }
    own=$(objects "$part" | defined)
    for symbol in $(objects "$part" | symbols -u 's/^ +[UwV] (.+)$/\1/p'); do
        grep -qxE "$libc|$math|$made_by_compiler" <<<"$symbol" && continue
        grep -qxF -- "$symbol" <<<"$base"$'\n'"$own" && continue
        bad "${part##*/}: needs $symbol, which is not pure (or not on the list in tests/lint/purity.sh)"
    done
done
exit "$wrong"
