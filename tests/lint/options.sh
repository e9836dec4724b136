#!/usr/bin/env bash
# options.sh GRANGE - every verb and option that the program names is explained in docs/ and used by a test of
# commands, and docs/manual/ and README.md name no option that does not exist. An option that several verbs have in
# the same words is one option: it is used where one of them is given it.
grange=$(realpath "${1:?usage: options.sh GRANGE}")
. "$(dirname "$0")/lib.bash"

pages=$(sources '*.md' | grep -E '^docs/|^README\.md$')
text=$(xargs cat <<<"$pages")
verbs=$("$grange" help | sed -nE 's/^  ([a-z]+) .*/\1/p')
[ -n "$verbs" ] || bad "grange help lists no verbs"
# What the tests type, a command a line.
typed=$(cat tests/cli/*.bats tests/cli/helper.bash tests/net/*.bats | sed -e ':a' -e '/\\$/N; s/\\\n//; ta' |
    sed -E 's/"?\$\{?GRANGE\}?"?/grange/g')
declare -A used=() verbs_of=()

# note_used VERB - which of its options some test types behind it. The help names an option in a line of its own,
# with what it means behind it.
note_used() {
    local line option letter row text
    text=$(grep -E "(^|[^a-z-])$1([^a-z-]|\$)" <<<"$typed" || true)
    while read -r line; do
        option=$(grep -oE -- '--[a-z][a-z0-9-]*' <<<"$line" | head -1)
        letter=$(sed -nE 's/^(-[a-zA-Z]), .*/\1/p' <<<"$line")
        row="$option $(sed -E 's/^.*--[^ ]+ *//' <<<"$line")"
        verbs_of[$row]+=" $1"
        if grep -qE -- "[ \"'(]$option([^a-z0-9-]|\$)" <<<"$text" ||
            { [ -n "$letter" ] && grep -qE -- "[ \"'(]$letter([^a-z-]|\$)" <<<"$text"; }; then
            used[$row]=1
        fi
    done < <("$grange" "$1" --help | grep -E '^ *(-[a-zA-Z], )?--[a-z]')
}

known=
for verb in $verbs; do
    grep -qE "grange $verb" <<<"$text" || bad "docs: nothing says 'grange $verb'"
    grep -qE "grange $verb" <<<"$typed" || bad "tests/cli: nothing types 'grange $verb'"
    note_used "$verb"
    options=$("$grange" "$verb" --help 2>/dev/null | { grep -oE -- "--[a-z][a-z0-9-]+" || true; } | sort -u)
    known+=$'\n'$options
    for option in $options; do
        [ "$option" = --help ] || grep -qE -- "(^|[^a-z0-9-])$option([^a-z0-9-]|\$)" <<<"$text" ||
            bad "docs: nothing explains $option of grange $verb"
    done
done
known+=$'\n--version\n--help'
for row in "${!verbs_of[@]}"; do
    [ -n "${used[$row]:-}" ] || bad "tests/cli: nothing types ${row%% *} of grange${verbs_of[$row]}"
done
while IFS=: read -r page line; do
    while read -r option; do
        grep -qxF -- "$option" <<<"$known" || bad "$page: shows $option, which no verb has"
    done < <(grep -oE -- ' --[a-z][a-z0-9-]+' <<<"$line" | tr -d ' ')
done < <(grep -E '^docs/manual/|^README' <<<"$pages" | xargs grep -HE '^ *(\$ )?grange [a-z]+')
# Those that a sentence names.
while IFS=: read -r page option; do
    grep -qxF -- "${option#\`}" <<<"$known" || bad "$page: names ${option#\`}, which no verb has"
done < <(grep -E '^docs/manual/' <<<"$pages" | xargs grep -HoE -- '`--[a-z][a-z0-9-]+' | sort -u)
exit "$wrong"
