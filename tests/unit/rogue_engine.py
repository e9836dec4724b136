"""An engine that does what docs/engine.md forbids, as it is asked: function `rogue`, payload = the deed."""
import os
import struct
import sys
import time


def read(n):
    data = b""
    while len(data) < n:
        more = os.read(3, n - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data


def write(data):
    while data:
        data = data[os.write(4, data):]


def frame(kind, call, body, flags=0):
    write(struct.pack("<IHHQ", len(body), kind, flags, call) + body)


def result(call, data, flags=0):
    frame(65, call, struct.pack("<iIQQQQ", 0, 0, 0, 0, 0, 0) + data, flags)


def file(call, path, offset, length):
    result(call, struct.pack("<QQ", offset, length) + path.encode(), 1)


def outlive():
    """A child that holds the pipes; the session is left too, so only the worker can find it."""
    if os.fork() == 0:
        os.setsid()
        time.sleep(1000)


def do(deed, call):
    if deed == "garbage":
        write(b"\xff" * 100000)
    elif deed == "huge":
        write(struct.pack("<IHHQ", 0xFFFFFFFF, 65, 0, call))
    elif deed == "short":
        frame(65, call, b"")
    elif deed == "other":
        result(call + 7, b"of a call that was never made")
    elif deed == "hello":
        frame(64, 0, struct.pack("<II", 1, 0) + b"rogue\0rogue\0")
    elif deed == "close":
        os.close(4)
    elif deed == "outside":
        file(call, "/etc/passwd", 0, 10)
    elif deed == "link":
        os.symlink("/etc/passwd", spool + "/link")
        file(call, spool + "/link", 0, 10)
    elif deed == "fifo":
        os.mkfifo(spool + "/fifo")
        file(call, spool + "/fifo", 0, 10)
    elif deed == "beyond":
        with open(spool + "/beyond", "wb") as f:
            f.write(b"x" * 10)
        file(call, spool + "/beyond", 1 << 63, 1 << 63)
    elif deed == "leave":
        outlive()
        os._exit(5)
    else:
        return False
    time.sleep(1000)


def harmless(deed, call):
    """What costs nobody anything, or only this engine and only after the result."""
    if deed == "shrink":
        try:
            os.ftruncate(os.open(page, os.O_RDWR), 0)
            result(call, b"the page is gone")
        except OSError:
            result(call, b"the page stays")
    elif deed == "stray":
        result(call, b"mine")
        result(0, b"of no call")
    elif deed == "twice":
        result(call, b"one")
        result(call, b"two")
    elif deed == "fork":
        outlive()
        result(call, b"forked")
    else:
        result(call, deed.encode())


page = spool = None
frame(64, 0, struct.pack("<II", 1, 0) + b"rogue\0rogue\0")
while True:
    n, kind, flags, call = struct.unpack("<IHHQ", read(16))
    body = read(n)
    if kind == 1:
        page, spool = (word.decode() for word in body[8:].split(b"\0")[:2])
    elif kind == 2 and not do(body[16:].decode(), call):
        harmless(body[16:].decode(), call)
