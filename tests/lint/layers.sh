#!/usr/bin/env bash
# Who may include whom: the two tables of docs/design.md.
. "$(dirname "$0")/lib.bash"

# pure_sources FOLDER LIBRARY - what the pure library of a folder is made of.
pure_sources() {
    tr '\n' ' ' <"$1/CMakeLists.txt" | sed -n "s/.*grange_library($2 SOURCES \([^)]*\) LINK grange_base).*/\1/p"
}

includes_of() { sed -nE 's/^[ \t]*#[ \t]*include[ \t]*"([^"]+)".*/\1/p' "$1"; }
system_includes_of() { sed -nE 's/^[ \t]*#[ \t]*include[ \t]*<([^>]+)>.*/\1/p' "$1"; }

# The pure parts of scheduler/ and worker/: those sources and every header of the folder that they include.
declare -A pure=()
for part in scheduler:grange_core worker:grange_agent; do
    folder=${part%:*}
    files=$(pure_sources "$folder" "${part#*:}")
    [ -n "$files" ] || bad "$folder/CMakeLists.txt: the sources of ${part#*:} were not found"
    for f in $files; do
        pure[$folder/$f]=1
        [ -f "$folder/$f" ] || continue
        for h in $(includes_of "$folder/$f"); do
            case $h in "$folder"/*) pure[$h]=1 ;; esac
        done
    done
done

# allowed FILE HEADER - whether FILE may include HEADER of ours.
allowed() {
    local folder=${1%%/*} of=${2%%/*}
    if [ -n "${pure[$1]:-}" ]; then
        [ "$of" = base ] && return
        [ "$of" = "$folder" ] && [ -n "${pure[$2]:-}" ] && return
        return 1
    fi
    case $folder:$2 in
    "$folder:$folder"/*) ;;
    *:base/*) [ "$folder" != base ] ;;
    store:schema.sql.h | store:store/*) ;;
    proto:grange.pb-c.h) ;;
    scheduler:proto/* | scheduler:store/* | scheduler:study/*) ;;
    worker:proto/* | worker:study/* | worker:engine/frame.h | worker:engine/page.h) ;;
    client:proto/* | client:farm/* | scheduler:farm/* | worker:farm/* | cli:farm/*) ;;
    cli:client/* | cli:study/* | cli:store/reader.h | cli:store/filter.h) ;;
    cli:engine/host.h | cli:scheduler/scheduler.h | cli:worker/worker.h | cli:worker/offer.h | cli:worker/supervise.h) ;;
    *) return 1 ;;
    esac
}

# allowed_system FILE HEADER - whether FILE may include a header of a library.
allowed_system() {
    case $2 in
    nng/*) [[ $1 == proto/link*.c || $1 == bench/* ]] ;;
    protobuf-c/*) [[ $1 == proto/wire* ]] ;;
    sqlite3.h) [[ $1 == store/* ]] ;;
    zstd.h) [[ $1 == base/zip.c ]] ;;
    xxhash.h) [[ $1 == base/hash.c ]] ;;
    pcre2.h | yaml.h) [[ $1 == study/* ]] ;;
    jansson.h) [[ $1 == study/* || $1 == store/* || $1 == farm/* ]] ;;
    mbedtls/*) [[ $1 == farm/certs.c ]] ;;
    argp.h) [[ $1 == cli/* ]] ;;
    esac
}

declare -A foreign=() # headers of ours that show a library's types
while read -r f; do
    for h in $(includes_of "$f"); do
        allowed "$f" "$h" || bad "$f: may not include \"$h\" (docs/design.md, The parts)"
    done
    for h in $(system_includes_of "$f"); do
        allowed_system "$f" "$h" || bad "$f: may not include <$h> (docs/design.md, The parts)"
        case $f:$h in *.h:nng/* | *.h:protobuf-c/* | *.h:sqlite3.h | *.h:pcre2.h | *.h:yaml.h | *.h:jansson.h | *.h:mbedtls/*) foreign[$f]=$h ;; esac
    done
done < <(sources '*.c' '*.h' | grep -E '^(base|study|farm|proto|store|scheduler|engine|worker|client|cli)/')

# A library's types may be shared inside its folder, never across folders.
while read -r f; do
    for h in $(includes_of "$f"); do
        if [ -n "${foreign[$h]:-}" ] && [ "${f%%/*}" != "${h%%/*}" ]; then
            bad "$f: includes \"$h\", which shows <${foreign[$h]}>"
        fi
    done
done < <(sources '*.c' '*.h')
exit "$wrong"
