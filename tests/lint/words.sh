#!/usr/bin/env bash
# Words that do not belong: work left open, clocks and luck outside their place, sleeps in tests, files
# that are made, paths of somebody's machine.
. "$(dirname "$0")/lib.bash"

deny() { # deny WHY PATTERN FILE... - files without comments and strings
    local why=$1 pattern=$2 f hits
    shift 2
    for f in "$@"; do
        hits=$(code "$f" | grep -nE "$pattern" || true)
        [ -z "$hits" ] || bad "$f: $why"$'\n'"$hits"
    done
}

mapfile -t product < <(sources '*.c' '*.h' | grep -E '^(base|study|proto|store|scheduler|engine|worker|client|cli)/')
mapfile -t no_clock < <(printf '%s\n' "${product[@]}" | grep -vx base/clock.c)
deny "clocks are read in base/clock.c only" '\b(time|clock|gettimeofday|clock_gettime|ftime) *\(' "${no_clock[@]}"
deny "luck comes from a base/rng.h that was given" '\b(rand|random|rand_r|drand48|srand|srandom|arc4random) *\(' "${product[@]}"
deny "assert() vanishes under NDEBUG: must() stays" '\bassert *\(' "${product[@]}"

mapfile -t tests < <(sources '*.c' | grep '^tests/')
deny "a test waits for what it waits for; it never sleeps" '\b(sleep|usleep|nanosleep|nng_msleep) *\(' "${tests[@]}"
while read -r f; do
    # In the command of a point a sleep is the point's own work: such a line says so.
    hits=$(grep -nE '\b(sleep|usleep)\b' "$f" | grep -vE '^[0-9]+: *#|# a point' | grep -vE 'grange ' || true)
    [ -z "$hits" ] || bad "$f: a test never sleeps (a point may: say '# a point' there)"$'\n'"$hits"
done < <(sources '*.bats' '*.bash' | grep '^tests/')

open='TO''DO|FIX''ME|XX''X|HA''CK|not impl''emented|unimpl''emented'
while read -r f; do
    hits=$(grep -nwE "$open" "$f" || true)
    [ -z "$hits" ] || bad "$f: left open"$'\n'"$hits"
done < <(sources '*.c' '*.h' '*.sh' '*.bash' '*.bats' '*.sql' '*.proto' '*.cmake' CMakeLists.txt dev bench/run)

made=$(sources | grep -E '\.pb-c\.[ch]$|schema\.sql\.h$|\.(o|a|so|gcda|gcno)$|compile_commands\.json$|(^|/)\.grange/|\.db(-wal|-shm)?$' |
    grep -vE '^tests/(fixtures|cli/fixtures|fault|store)/' || true)
[ -z "$made" ] || bad "these are made, not written:"$'\n'"$made"

while read -r f; do
    hits=$(grep -nIE '/(w[o]rk|h[o]me)/[a-z]' "$f" || true)
    [ -z "$hits" ] || bad "$f: a path of somebody's machine"$'\n'"$hits"
done < <(sources | grep -vE '^LICENSE$')
exit "$wrong"
