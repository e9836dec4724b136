#!/usr/bin/env python3
"""errors.py - every error text of the product stands in a test, as far as a script can see: of each text that a call of
CALLS is given, a piece of PIECE bytes that no other of them has (where there is one) is found in a file of tests/.
What no test can reach, or need not, stands in untested-errors.txt with its reason: "PIECE OF THE TEXT | REASON". Lines of
the logs are for people who look for a cause and are not tested (base/log.h); what must() says is no error of a user."""
import os
import pathlib
import re
import subprocess
import sys

CALLS = ("fault_set|session_wrong|REFUSE|node_wrong|cli_bad|cli_say|wrong|refuse|request_refuse|out_refuse|fail|child_fail|no_room|add_error|"
         r"syntax_error|fprintf(?=\(stderr)")
FOLDERS = "base study proto store scheduler engine worker client farm cli".split()
PIECE = 12  # shorter ones are found by accident, longer ones force tests to repeat whole sentences
SHORT = 8  # a text without so much in a row says nothing of its own: "%s: %s"

LITERAL = r'"(?:[^"\\\n]|\\.)*"'
TOKEN = re.compile(r"//[^\n]*|/\*.*?\*/|" + LITERAL + r"|'(?:[^'\\]|\\.)*'", re.S)
# "a" PRIu64 "b": one text with a conversion in it.
TEXT = re.compile(LITERAL + r"(?:\s*(?:[A-Z][A-Za-z0-9_]+\s*)?" + LITERAL + r")*")
CONVERSION = re.compile(r"%[-+ 0#]*[0-9.*]*(?:hh|h|ll|l|z)?[a-zA-Z]|%(?=\0|$)")


def files(*patterns):
    try:
        listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
                                capture_output=True, text=True, check=True).stdout.split("\n")
    except (OSError, subprocess.CalledProcessError):  # a copy without git
        listed = [str(p) for folder in patterns for p in pathlib.Path(folder).rglob("*")]
    return [p for p in map(pathlib.Path, listed) if p.is_file()]


def without_comments(text):
    def blank(m):
        return re.sub(r"[^\n]", " ", m[0]) if m[0].startswith("/") else m[0]
    return TOKEN.sub(blank, text)


def call_end(text, at):
    """Behind the bracket that closes the one at `at`."""
    depth = 0
    for m in re.compile(LITERAL + r"|'(?:[^'\\]|\\.)*'|[()]").finditer(text, at):
        depth += (m[0] == "(") - (m[0] == ")")
        if depth == 0:
            return m.end()
    return len(text)


def pieces_of(text):
    """What stands between the conversions of a text, as it is printed."""
    text = re.sub(r'"\s*"', "", text[1:-1])  # literals in a row
    text = re.sub(r'(?<!\\)"\s*[A-Z][A-Za-z0-9_]+\s*"', "\0", text)
    text = text.replace("%%", "%\1").replace('\\"', '"').replace("\\n", "\0")
    return [p.replace("\1", "") for part in CONVERSION.split(text) for p in part.split("\0")]


def messages():
    """(where, pieces) of each text."""
    for path in files(*FOLDERS):
        if path.suffix not in (".c", ".h"):
            continue
        code = without_comments(path.read_text())
        for call in re.finditer(r"(?<![A-Za-z_])(?:" + CALLS + r")\(", code):
            inside = code[call.end() - 1:call_end(code, call.end() - 1)]
            for text in TEXT.finditer(inside):
                pieces = pieces_of(text[0])
                if max(map(len, pieces)) >= SHORT:
                    line = code.count("\n", 0, call.end() + text.start()) + 1
                    yield f"{path}:{line}", pieces


def windows(pieces):
    width = min(PIECE, max(map(len, pieces)))
    return {p[i:i + width] for p in pieces for i in range(len(p) - width + 1)}


def exemptions(path):
    for number, line in enumerate(path.read_text().split("\n"), 1):
        if line and not line.startswith("#"):
            piece, bar, reason = line.partition(" | ")
            yield f"{path}:{number}", piece, reason.strip() if bar else ""


def said_in(path):
    """A test without its comments and titles, which may speak of an error by chance."""
    text = path.read_text(errors="replace")
    if path.suffix in (".c", ".h"):
        return without_comments(text)
    return re.sub(r"^\s*(#|@test ).*", "", text, flags=re.M)


def main():
    os.chdir(pathlib.Path(__file__).resolve().parents[2])
    tests = "\n".join(said_in(p) for p in files("tests")
                      if p.suffix in (".c", ".h", ".bats", ".bash", ".txt", ".py") and "lint" not in p.parts)
    tests = re.sub(r'"\s*\n\s*"', "", tests).replace('\\"', '"').replace("\\`", "`").replace("\\$", "$")
    found, texts, owners = list(messages()), {}, {}
    for where, pieces in found:
        texts.setdefault("...".join(pieces).strip(), (pieces, []))[1].append(where)
    for text, (pieces, _) in texts.items():
        for w in windows(pieces):
            owners.setdefault(w, set()).add(text)
    untested = {}
    for text, (pieces, places) in texts.items():
        own = [w for w in windows(pieces) if len(owners[w]) == 1] or windows(pieces)
        if not any(w in tests for w in own):
            untested[text] = places
    wrong = False
    for where, piece, reason in exemptions(pathlib.Path("tests/lint/untested-errors.txt")):
        named = [t for t in untested if piece in t]
        for t in named:
            del untested[t]
        if not named or not reason:
            print(f"{where}: " + ("has no reason" if named else "no untested error has this text"))
            wrong = True
    for text, places in sorted(untested.items(), key=lambda t: t[1]):
        print(f"{', '.join(places)}: no test has a piece of its own of '{text}'")
        wrong = True
    if len(found) < 500:
        print(f"only {len(found)} error texts were found: the names in CALLS are those of old")
        wrong = True
    return wrong


sys.exit(main())
