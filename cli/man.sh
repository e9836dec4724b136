#!/bin/sh
# man.sh GRANGE VERSION - writes grange(1) on stdout: what `grange help` says, verb by verb, as mdoc. So there is one
# place where an option is described, its argp table. It runs when grange is built.
set -eu
grange=$1 version=$2
verbs=$("$grange" help | sed -n '/^Verbs:/,/^$/s/^  \([a-z][a-z]*\) .*/\1/p' | grep -vx help)

cat <<END
.\\" Made by cli/man.sh from grange help.
.Dd November 21, 2026
.Dt GRANGE 1
.Os Grange $version
.Sh NAME
.Nm grange
.Nd run many points of a study on all cores or on a farm, and never lose one
.Sh SYNOPSIS
END
for verb in $verbs; do
    "$grange" help "$verb" | sed -n 's/^Usage: grange //p; s/^ *or: *grange //p' |
        sed 's/ *$//; s/\\/\\e/g; s/^\([a-z]*\) *\(.*\)/.Nm\n.Cm \1\n.No \2/; s/\n\.No $//' | sed 's/\.\.\./.\\\&../g'
done
cat <<'END'
.Sh DESCRIPTION
Grange runs a program many times with different parameters, on all cores or on many hosts, and keeps every result.
The same line again runs only what is missing.
What is known is kept in the directory
.Pa .grange ,
or the one that
.Fl Fl dir
names.
.Pp
Each verb has a help of its own,
.Nm
.Cm help
.Ar VERB ;
all of them follow.
END

# One verb: its text, its options as a list, what comes after them as it is.
for verb in $verbs; do
    printf '.Ss grange %s\n' "$verb"
    "$grange" help "$verb" | awk '
        function plain(s) { gsub(/\\/, "\\e", s); sub(/^[.\047]/, "\\\\\\&&", s); gsub(/\. +/, ".\n", s); return s }
        function end_text() { if (text != "") print plain(text); text = "" }
        function end_list() { end_text(); if (list) print ".El"; list = 0 }
        /^Usage:/ || /^ *or: / { next }
        after { lines[n++] = $0; next }
        /^ +--?[A-Za-z]/ {
            end_text()
            if (!list) { print ".Bl -tag -width Ds"; list = 1 }
            option = $0; sub(/^ +/, "", option)
            at = match(option, /  +/)
            if (at) { text = substr(option, at + RLENGTH); option = substr(option, 1, at - 1) }
            option = plain(option)
            gsub(/-/, "\\-", option)
            print ".It " option
            seen = 1; blank = 0
            next
        }
        /^ [A-Z]/ { end_list(); print ".Pp"; sub(/^ /, ""); print plain($0); next }
        /^$/ { blank = 1; end_list(); next }
        blank && (seen || /^[A-Z][A-Z]/) { after = 1; lines[n++] = $0; next }
        { sub(/^ +/, ""); text = text == "" ? $0 : text " " $0 }
        END {
            end_list()
            while (n && lines[n - 1] == "") n--
            if (!n) exit
            print ".Bd -literal"
            for (i = 0; i < n; i++) { s = lines[i]; gsub(/\\/, "\\e", s); if (s ~ /^[.\047]/) s = "\\&" s; print s }
            print ".Ed"
        }'
done

cat <<'END'
.Sh ENVIRONMENT
.Bl -tag -width Ds
.It Ev GRANGE_CONNECT
A connection file or URL: the farm that is used.
.It Ev GRANGE_FARM
The name of one of your farms, the same.
.It Ev XDG_STATE_HOME
Where the list of your farms is kept, in
.Pa grange/farms ;
.Pa ~/.local/state
when it is not set.
.El
.Pp
A point finds in its environment
.Ev GRANGE_STUDY , GRANGE_POINT , GRANGE_REP , GRANGE_SEED , GRANGE_ATTEMPT ,
.Ev GRANGE_OUT
(its directory, when it has one),
.Ev GRANGE_FACTOR_ Ns Ar NAME
for each factor, and
.Ev GRANGE_PARENT :
the farm that runs it.
.Sh FILES
.Bl -tag -width Ds
.It Pa .grange/grange.db
The store, an SQLite file with views of the results.
.It Pa .grange/client.json , .grange/worker.json
Addresses and credentials of a farm that listens for other hosts.
.It Pa .grange/log
What scheduler and workers of a farm report.
.El
.Sh EXIT STATUS
.Bd -literal
END
"$grange" help exit-codes | sed '1,2d; s/\\/\\e/g'
cat <<'END'
.Ed
.Sh SEE ALSO
.Xr grange 3
END
