#!/usr/bin/env bash
# options.sh GRANGE - every option that the program names is explained in docs/, every verb too, and
# docs/manual/ and README.md name no option that does not exist.
grange=$(realpath "${1:?usage: options.sh GRANGE}")
. "$(dirname "$0")/lib.bash"

pages=$(sources '*.md' | grep -E '^docs/|^README\.md$')
text=$(xargs cat <<<"$pages")
verbs=$("$grange" help | sed -nE 's/^  ([a-z]+) .*/\1/p')
[ -n "$verbs" ] || bad "grange help lists no verbs"
known=
for verb in $verbs; do
    grep -qE "grange $verb" <<<"$text" || bad "docs: nothing says 'grange $verb'"
    options=$("$grange" "$verb" --help 2>/dev/null | { grep -oE -- "--[a-z][a-z0-9-]+" || true; } | sort -u)
    known+=$'\n'$options
    for option in $options; do
        [ "$option" = --help ] || grep -qE -- "(^|[^a-z0-9-])$option([^a-z0-9-]|\$)" <<<"$text" ||
            bad "docs: nothing explains $option of grange $verb"
    done
done
known+=$'\n--version\n--help'
while IFS=: read -r page line; do
    while read -r option; do
        grep -qxF -- "$option" <<<"$known" || bad "$page: shows $option, which no verb has"
    done < <(grep -oE -- ' --[a-z][a-z0-9-]+' <<<"$line" | tr -d ' ')
done < <(grep -E '^docs/manual/|^README' <<<"$pages" | xargs grep -HE '^ *(\$ )?grange [a-z]+')
exit "$wrong"
