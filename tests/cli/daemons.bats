#!/usr/bin/env bats
# shellcheck disable=SC2154
# What keeps a scheduler from serving: each has its exit code (docs/manual/exit-codes.md), which whoever started it
# acts on, and a text.
load helper

# ends CODE TEXT COMMAND... - the program ends with the code and says the text.
ends() {
    local code=$1 text=$2
    shift 2
    run "-$code" "$@"
    has "$output" "$text"
}

# stored - a farm directory "farm" with a store in it.
stored() { run -0 grange run --dir farm -q true ::: x=1; }

@test "scheduler, 10: another one has the directory" {
    mkdir -m 700 farm
    : >farm/lock
    exec {lock}<>farm/lock
    flock "$lock"
    ends 10 "farm is in use by another scheduler (it has just started)" grange scheduler --dir farm
    echo "4711 daemon" >&"$lock"
    ends 10 "farm is in use by another scheduler (4711 daemon)" grange scheduler --dir farm
    exec {lock}>&-
}

@test "scheduler, 11 and 12: a store that is damaged, or of a newer Grange" {
    stored
    sqlite3 farm/grange.db 'pragma user_version = 99'
    ends 12 "newer Grange (schema 99, this one knows 3)" grange scheduler --dir farm
    ends 3 "newer Grange (schema 99, this one knows 3)" grange run --dir farm true ::: x=1
    head -c 20000 /dev/zero | tr '\0' j >farm/grange.db
    rm -f farm/grange.db-wal farm/grange.db-shm
    ends 11 "grange.db is damaged" grange scheduler --dir farm
    ends 3 "grange.db is damaged" grange run --dir farm true ::: x=2
}

@test "scheduler, 14: a directory that is none, a lock that cannot be" {
    : >file
    ends 14 "'file' is not a directory" grange scheduler --dir file
    ends 14 "cannot make the directory 'file/farm': Not a directory" grange scheduler --dir file/farm
    mkdir -m 700 farm
    mkdir farm/lock
    ends 14 "cannot write to farm: Is a directory" grange scheduler --dir farm
    ends 14 "File name too long" grange scheduler --dir "$(printf 'd%.0s' {1..300})"
}

@test "a worker that nobody answers says so, and waits" {
    start worker "$GRANGE" worker --dir empty -j 1
    poll_until 20 grep -q 'event=no_scheduler at="ipc://empty/scheduler.sock" text="nobody answers there; waiting"' worker.err
    start scheduler "$GRANGE" scheduler --dir empty
    poll_until 20 grep -q event=welcome worker.err
    same 1 "$(grep -c no_scheduler worker.err)"
}

@test "worker, 1: a connection file that is not there" {
    ends 1 "there is no connection file ./none.json; the scheduler's host has it as DIR/worker.json" \
        grange worker --connect ./none.json
    ends 2 "there is no connection file ./none.json; the scheduler's host has it as DIR/client.json" \
        grange workers --connect ./none.json
}


@test "worker, 21: there was no scheduler for too long" {
    GRANGE_PATIENCE_PERCENT=1 ends 21 'event=orphan at="ipc://empty/scheduler.sock" text="no scheduler for 6 s; ending"' \
        grange worker --dir empty -j 1
}

@test "worker, 0: it was told to end" {
    run -0 grange up --quiet -n 0
    exec {told}<> <(:)
    start worker "$GRANGE" worker --dir .grange -j 1 --name told --ready-fd "$told"
    ready "$told"
    run -0 grange drain told
    finish "$pid"
    same 0 "$rc"
    run -0 grange down
}

@test "worker, 1: a directory that cannot be" {
    ends 1 "grange: worker: /dev/null/farm: Not a directory" grange worker --dir /dev/null/farm
    TMPDIR=/dev/null ends 1 "grange: worker: cannot make a scratch directory: Not a directory" \
        grange worker --connect ipc://"$PWD"/none
}

@test "scheduler, 11: the array of a study is missing in the store" {
    stored
    sqlite3 farm/grange.db "update study set name = 'lost', active = 1; delete from array"
    ends 11 "study 'lost' has no array in the store" grange scheduler --dir farm
}

@test "a point whose directory is gone, and a worker that cannot start a process" {
    local library
    library=$(dirname "$GRANGE")/../tests/nth.so
    [ -e "$library" ] || skip "what lets calls fail is not built under sanitizers"
    start scheduler "$GRANGE" scheduler --dir farm
    poll_until 20 test -S farm/scheduler.sock
    mkdir here
    (cd here && grange submit --dir ../farm --study lost true ::: x=1)
    rmdir here
    run -0 grange submit --dir farm --study s true ::: x=1:9
    start worker env LD_PRELOAD="$library" GRANGE_FAULT=pipe2:8 "$GRANGE" worker --dir farm -j 1
    run -1 grange wait --dir farm lost
    has "$(grange explain --dir farm lost 0)" "cannot change to the directory '$PWD/here': No such file or directory"
    run -0 grange wait --dir farm s # the worker's trouble costs no retry
    same "cannot start a process: Too many open files" "$(DIR=farm sql 'select error from attempt where reason = 9')"
}
