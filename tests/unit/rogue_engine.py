"""An engine that does what docs/engine.md forbids, as it is asked: function `rogue`, payload = the deed. With an argument:
`page`, one that uses the page; else it is what is wrong with its hello."""
import mmap
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
    elif deed == "hidden":
        with open(spool + "/.hidden", "wb") as f:
            f.write(b"x" * 10)
        file(call, spool + "/.hidden", 0, 10)
    elif deed == "over":
        with open(spool + "/over", "wb") as f:
            f.write(b"x" * 400000)
        file(call, spool + "/over", 200000, 300000)
    elif deed == "leave":
        outlive()
        os._exit(5)
    elif not (shared and in_page(deed, call)):
        return False
    time.sleep(1000)


def ring(data):
    """Frames in the page; only those of the first life of a page, so that nothing wraps."""
    at, = struct.unpack_from("<Q", shared, 64)
    shared[8192 + at:8192 + at + len(data)] = data
    struct.pack_into("<Q", shared, 64, at + len(data))
    frame(68, 0, b"")


def in_page(deed, call):
    zeros = struct.pack("<iIQQQQ", 0, 0, 0, 0, 0, 0)
    if deed == "spoil":
        struct.pack_into("<Q", shared, 64, 1 << 40)
        frame(68, 0, b"")
    elif deed == "cut":
        ring(struct.pack("<IHHQ", 1000, 65, 0, call) + zeros)
    elif deed == "long":
        ring(struct.pack("<IHHQ", 1 << 17, 65, 0, call) + zeros * 4000)
    elif deed == "past":
        ring(struct.pack("<IHHQ", 40, 65, 0, call - 1) + zeros)
    elif deed == "future":
        ring(struct.pack("<IHHQ", 40, 65, 0, call + 1024) + zeros)
    elif deed == "states":
        for n in range(1024):
            struct.pack_into("<I", shared, 4096 + 4 * n, 1)
        struct.pack_into("<I", shared, 4096 + 4 * call, 2)
        return False
    else:
        return False
    return True


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
    elif deed == "ages":
        frame(65, call, struct.pack("<iIQQQQ", 0, 0, *[(1 << 63) - 2] * 4) + b"ages")
    elif deed == "fork":
        outlive()
        result(call, b"forked")
    elif deed == "log":
        frame(67, call + 1, b"of another call")
        for _ in range(12):
            frame(67, call, b"x" * 102400)
        result(call, b"logged")
    elif deed == "share":
        frame(66, call, struct.pack("<d", 0.25) + b"mine")
        frame(66, call + 1, struct.pack("<d", 0.75) + b"of another call")
        read(16)  # that it is cancelled
        result(call, b"cancelled")
    elif deed == "give":
        with open(spool + "/given", "wb") as f:
            f.write(b"x" * 10)
        file(call, spool + "/given", 2, 5)
    elif deed == "list":
        result(call, " ".join(os.listdir(spool)).encode())
    else:
        result(call, deed.encode())


def begin(call):
    """What an engine with the page does before a call: offered becomes taken."""
    if shared:
        struct.pack_into("<I", shared, 4096 + 4 * (call % 1024), 2)


def done(call, deed):
    if shared and deed != "states":
        struct.pack_into("<I", shared, 4096 + 4 * (call % 1024), 0)


page = spool = shared = None
mode = sys.argv[1] if len(sys.argv) > 1 else ""
hello = struct.pack("<II", 2 if mode == "version" else 1, mode == "page") + b"rogue\0rogue\0"
if mode == "cut":
    hello = hello[:-1]
elif mode == "names":
    hello += b"x" * 60 + b"\0"
elif mode == "moods":  # each engine has a function of its own
    hello += b"f%d\0" % os.getpid()
elif mode == "mute":  # in its second life
    with open(sys.argv[2], "a+") as lives:
        lives.write("x")
        lives.flush()
        if lives.tell() == 2:
            time.sleep(1000)
elif mode == "late":
    frame(66, 0, struct.pack("<d", 0.5))
frame(64, 0, hello)
while True:
    n, kind, flags, call = struct.unpack("<IHHQ", read(16))
    body = read(n)
    if kind == 1:
        page, spool = (word.decode() for word in body[8:].split(b"\0")[:2])
        if mode == "page":
            shared = mmap.mmap(os.open(page, os.O_RDWR), 1056768)
    elif kind == 2:
        deed = body[16:].decode()
        if deed == "sudden":
            os._exit(6)
        begin(call)
        if not do(deed, call):
            harmless(deed, call)
        done(call, deed)
