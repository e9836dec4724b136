#!/usr/bin/env bats
# shellcheck disable=SC1083,SC1010,SC2016,SC2030,SC2031,SC2154
# --input: a copy of a simulator's deck with the factors filled in, everything else byte for byte.
load helper

@test "placeholders of known names are replaced, everything else stays byte for byte" {
    printf '* deck {unknown} {{ }} { T } {}\r\nT={T}; {T}{T}\t{n}\\{T}\x00\xff\xfe no newline at the end {T' >deck.cir
    printf '* deck {unknown} {{ }} { T } {}\r\nT=290; 290290\tx y\\290\x00\xff\xfe no newline at the end {T' >wanted
    run -0 grange run --quiet --study i --input deck.cir cat deck.cir ::: T=290 'n=x y'
    grange log i 0 | cmp - wanted
}

@test "a file without placeholders and an empty one are copied" {
    head -c 100000 /dev/urandom | tr '{' x >noise
    : >empty
    run -0 grange run --quiet --study i --input noise --input empty 'cat noise empty; ls; true {T}' ::: T=1
    grange log i 0 | head -c 100000 | cmp - noise
    same "$(printf '%s\n' empty noise)" "$(grange log i 0 | tail -c +100001)"
}

@test "the point's directory is its working directory, and each point has its own" {
    echo "{T}" >deck
    run -0 grange run --quiet --study i --input deck 'pwd; cp deck copy; cat copy; ls; true {T}' ::: T=1,2
    has "$(grange log i T=2)" "$PWD/.grange/"
    same "$(printf '%s\n' 2 copy deck)" "$(grange log i T=2 | tail -n 3)"
    same "1" "$(cat .grange/points/i/T=1*/copy)"
    same "2" "$(cat .grange/points/i/T=2*/deck)"
}

@test "an input from another folder, and a program with a relative path" {
    mkdir -p decks bin
    echo "deck {T}" >decks/a.cir
    # shellcheck disable=SC2016
    printf '#!/bin/sh\ncat "$1"\n' >bin/sim
    chmod +x bin/sim
    run -0 grange run --quiet --study i --input decks/a.cir ./bin/sim a.cir ::: T=7
    same "deck 7" "$(grange log i 0)"
}

@test "index, seed and replicate in a deck" {
    echo "{#} {rep} {seed} {study}" >deck
    run -0 grange run --quiet --study i --reps 2 --input deck cat deck ::: T=5
    same "1 1" "$(grange log i 1 | cut -d' ' -f1,2)"
    same i "$(grange log i 1 | cut -d' ' -f4)"
}

@test "a factor that is used only in the deck counts as used" {
    echo "{T}" >deck
    run -0 grange run --study i --input deck cat deck ::: T=5,6
    has_not "$output" "warning"
}

@test "two inputs of one base name are refused" {
    mkdir a b
    echo 1 >a/deck
    echo 2 >b/deck
    run -2 grange run --input a/deck --input b/deck cat deck ::: T=1
    has "$output" deck
}

@test "metrics are read from files that the point wrote in its directory" {
    echo '{"T": {T}}' >in.json
    run -0 grange run --quiet --study i --input in.json --metric 'a=json:out.json:T' --metric 'b=csv:t.csv:2' \
        'cp in.json out.json; printf "x,y\n1,{T}5\n" >t.csv' ::: T=4
    same "4" "$(results i | column a)"
    same "45" "$(results i | column b)"
}
