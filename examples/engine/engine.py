#!/usr/bin/env python3
"""An engine in Python: functions of this file, called by a farm.

    grange worker --engine 'python3 engine.py'

It speaks docs/engine.md with the standard library alone and without the shared page, so it is given
one call at a time. What it is asked to keep (put) are bytes; the functions see them in `values`.
"""
import json
import mmap
import os
import struct
import sys
import time

HELLO, WELCOME, CALL, PUT, GET, DELETE, CANCEL, BYE, RESULT, PROGRESS, LOG = 64, 1, 2, 3, 4, 5, 6, 7, 65, 66, 67
FILE, KEEP = 1, 2
INLINE_MAX = 256 * 1024

values = {}
spool = None
n_files = 0


# ---- the functions

def upper(data, call):
    return bytes(data).decode().upper().encode()


def evaluate(data, call):
    """JSON in, JSON out: {"f": "pow", "args": [2, 10]} with a function of the module math."""
    import math
    asked = json.loads(bytes(data))
    call.log("evaluating " + asked["f"])
    return json.dumps(getattr(math, asked["f"])(*asked["args"])).encode()


def total(data, call):
    """The sum of the doubles that are kept under the name in data."""
    kept = values[bytes(data).decode()]
    return struct.pack("<d", sum(struct.unpack("<%dd" % (len(kept) // 8), kept)))


def die(data, call):
    os._exit(3)


def echo(data, call):
    return bytes(data)


functions = [upper, evaluate, total, die, echo]


# ---- the protocol

class Call:
    def __init__(self, number, seed, attempt):
        self.number, self.seed, self.attempt = number, seed, attempt

    def log(self, text):
        send(LOG, 0, self.number, text.encode() + b"\n")

    def progress(self, share, text=""):
        send(PROGRESS, 0, self.number, struct.pack("<d", share) + text.encode())


def read(n):
    data = b""
    while len(data) < n:
        part = os.read(3, n - len(data))
        if not part:
            sys.exit(0)  # the worker is gone
        data += part
    return data


def send(kind, flags, number, body):
    data = struct.pack("<IHHQ", len(body), kind, flags, number) + body
    while data:
        data = data[os.write(4, data):]


def result(number, data, started):
    global n_files
    wall = int((time.monotonic() - started) * 1e6)
    head = struct.pack("<iIQQQQ", 0, 0, wall, 0, 0, 0)
    if len(data) <= INLINE_MAX:
        send(RESULT, 0, number, head + data)
        return
    n_files += 1
    path = os.path.join(spool, "r%d" % n_files)
    with open(path, "wb") as f:
        f.write(data)
    send(RESULT, FILE, number, head + struct.pack("<QQ", 0, len(data)) + path.encode())


def failed(number, code, text):
    send(RESULT, 0, number, struct.pack("<iIQQQQ", code, 0, 0, 0, 0, 0) + text.encode())


def payload(flags, body):
    if not flags & FILE:
        return body
    offset, n = struct.unpack_from("<QQ", body)
    with open(body[16:].decode(), "rb") as f:
        return mmap.mmap(f.fileno(), n, access=mmap.ACCESS_READ, offset=offset) if n else b""


def named(body):
    n, _ = struct.unpack_from("<II", body)
    return body[8:8 + n].decode(), body[8 + n:]


def serve(kind, flags, number, body):
    started = time.monotonic()
    if kind == CALL:
        function, seed, attempt = struct.unpack_from("<IIQ", body)
        result(number, functions[function](payload(flags, body[16:]), Call(number, seed, attempt)), started)
        return
    name, rest = named(body)
    if kind == PUT:
        values[name] = bytes(payload(flags, rest))
        if flags & FILE:
            os.unlink(rest[16:].decode())
        result(number, b"", started)
    elif name not in values:
        failed(number, 2, "this engine has no value '%s'" % name)
    elif kind == GET:
        result(number, values[name], started)
    else:
        del values[name]
        result(number, b"", started)


names = b"".join(f.__name__.encode() + b"\0" for f in functions)
send(HELLO, 0, 0, struct.pack("<II", 1, 0) + b"engine.py\0" + names)
while True:
    length, kind, flags, number = struct.unpack("<IHHQ", read(16))
    body = read(length)
    if kind == WELCOME:
        spool = body[8:].split(b"\0")[1].decode()
    elif kind == BYE:
        break
    elif kind in (CALL, PUT, GET, DELETE):
        try:
            serve(kind, flags, number, body)
        except Exception as e:  # the call failed; the engine goes on
            failed(number, 1, "%s: %s" % (type(e).__name__, e))
