#!/usr/bin/env python3
"""protocol.py - what the pages say of the protocol and of limits is what is there: each message in a session of
docs/protocol.md is one of proto/grange.proto, with those fields (tests/cli/session.bats compares whole sessions, this also
sees those that are shortened); and a number behind the name of a limit, "FRAME_BYTES_MAX, 80 MiB" or "BEAT_MS (1 s)", on
any page, is that of the source."""
import os
import pathlib
import re
import sys

FOLDERS = "base study proto store scheduler engine worker client farm cli".split()
UNITS = {None: 1, "bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "ms": 1, "s": 1000, "min": 60000}
AT_LEAST = 30  # of each are there; fewer: this does not see them any more
MESSAGE = re.compile(r"    \w+ +[<>] +([A-Z]\w+)(?: +(.*))?$")
NAME = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+"
NUMBER = re.compile(rf"((?:{NAME} \+ )*{NAME})(?:,| \()\s*([\d,]+(?:\.\d+)?)(?: (KiB|MiB|GiB|bytes|min|ms|s))?\b(?!\^)")


def camel(name):
    return "".join(part.capitalize() for part in name.split("_"))


def messages():
    """Kind of message -> its fields; and all fields of all messages."""
    text = re.sub(r"//.*", "", pathlib.Path("proto/grange.proto").read_text())
    types = {m[1]: m[2] for m in re.finditer(r"^message (\w+) \{(.*?)^\}", text, re.S | re.M)}
    fields = {name: set(re.findall(r"(\w+) = \d+", body)) for name, body in types.items()}
    kinds = re.findall(r"(\w+) (\w+) = \d+;", types["Envelope"])
    return {camel(name): fields.get(kind, set()) for kind, name in kinds}, set().union(*fields.values())


def levels(text):
    """`text` without what is in quotes: outside of all brackets, and inside."""
    outer, inner, depth = "", "", 0
    for c in re.sub(r'"[^"]*"', '""', text):
        depth += c in "{[("
        if depth:
            inner += c
        else:
            outer += c
        depth -= c in "}])"
    return outer, inner


def sessions(page):
    kinds, known = messages()
    wrong, n = [], 0
    for at, line in enumerate(page.read_text().split("\n"), 1):
        m = MESSAGE.match(line)
        if not m:
            continue
        n += 1
        if m[1] not in kinds:
            wrong.append(f"{page}:{at}: there is no message {m[1]}")
            continue
        outer, inner = levels(re.split(r" {3,}", m[2] or "")[0])
        wrong += [f"{page}:{at}: {m[1]} has no {f}" for f in re.findall(r"(\w+)=", outer) if f not in kinds[m[1]]]
        wrong += [f"{page}:{at}: no message has {f}" for f in re.findall(r"(\w+)=", inner) if f not in known]
    return wrong, n


def constants():
    """Name of a limit -> the expressions that it is in the source."""
    found = {}
    for path in (p for folder in FOLDERS for p in pathlib.Path(folder).glob("*.[ch]")):
        text = re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.S)
        for m in re.finditer(rf"\b({NAME})\s*=\s*([^,;}}=]+)|#define ({NAME}) (.+)", text):
            found.setdefault(m[1] or m[3], set()).add(" ".join((m[2] or m[4]).split()))
    return found


def value(text, found):
    """The number that an expression over limits is; None: it is none."""
    text = re.sub(rf"\b{NAME}\b", lambda m: str(value(min(found.get(m[0], {"?"})), found)), text)
    text = re.sub(r"(?<=\d)[uUlL]+\b", "", text).replace("/", "//")
    return eval(text, {"__builtins__": {}}) if re.fullmatch(r"[\d\s()+*/<-]+", text) else None


def numbers(pages):
    found, wrong, n = constants(), [], 0
    for page in pages:
        for m in NUMBER.finditer(page.read_text()):
            if any(name not in found for name in m[1].split(" + ")):
                continue  # a variable of the environment, an error
            n += 1
            said = float(m[2].replace(",", "")) * UNITS[m[3]]
            names = m[1].split(" + ")
            there = {value(text, found) for text in found[names[0]]} if len(names) == 1 else {value(m[1], found)}
            if said not in there:
                wrong.append(f"{page}: '{m[0]}', but it is {', '.join(map(str, there))}")
    return wrong, n


def main():
    os.chdir(pathlib.Path(__file__).resolve().parents[2])
    wrong, n_messages = sessions(pathlib.Path("docs/protocol.md"))
    off, n_numbers = numbers(sorted(pathlib.Path("docs").rglob("*.md")))
    wrong += off
    if min(n_messages, n_numbers) < AT_LEAST:
        wrong.append(f"only {n_messages} messages and {n_numbers} numbers were found: is {sys.argv[0]} right?")
    print("\n".join(wrong) or f"{n_messages} messages, {n_numbers} numbers of limits")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
