#!/usr/bin/python3
"""peers.py ipp ENGINES | dask WORKERS - what other task farms reach here, on request.

Starts the farm, prints "ready" and then answers each line of stdin with one line, until "end 0":

    noop N        calls a second of N calls of a function that does nothing, in batch and waited for
    echo N        the same with 100 bytes that come back
    one N         calls a second, one after the other; ipp: to one engine through its direct view
    scatter BYTES seconds to scatter so many bytes of doubles over all engines, square them there and
                  gather them (ipp only)

Each is used as its makers recommend for speed: calls of a load-balanced view on two engines with one
map, numpy arrays for scatter, dask with processes of one thread and pure=False.
"""
import os
import sys
import tempfile
import time


def noop(_):
    return None


def echo(data):
    return data


class Ipp:
    def __init__(self, n, home):
        os.environ["HOME"] = os.environ["IPYTHONDIR"] = home
        import ipyparallel

        self.cluster = ipyparallel.Cluster(n=n, ipython_dir=home, log_level=40)
        self.client = self.cluster.start_and_connect_sync()
        self.client.wait_for_engines(n, timeout=60)
        self.direct = self.client[:]
        self.balanced = self.client.load_balanced_view(targets=self.client.ids[:2])
        self.direct.execute("import numpy", block=True)

    def map(self, function, items):
        return self.balanced.map_async(function, items, chunksize=1).get()

    def one(self, n):
        view = self.client[0]
        for _ in range(n):
            view.apply_sync(noop, None)

    def scatter(self, values):
        self.direct.scatter("x", values, block=True)
        self.direct.execute("y = x * x", block=True)
        return self.direct.gather("y", block=True)

    def close(self):
        self.cluster.stop_cluster_sync()


class Dask:
    def __init__(self, n, home):
        os.environ["HOME"] = home
        import distributed

        self.cluster = distributed.LocalCluster(
            n_workers=n, threads_per_worker=1, processes=True, dashboard_address=None,
            local_directory=home, silence_logs=50)
        self.client = distributed.Client(self.cluster)

    def map(self, function, items):
        return self.client.gather(self.client.map(function, items, pure=False))

    def one(self, n):
        for i in range(n):
            self.client.submit(noop, i, pure=False).result()

    def close(self):
        self.client.close()
        self.cluster.close()


def calls(farm, function, items):
    begin = time.perf_counter()
    ends = farm.map(function, items)
    took = time.perf_counter() - begin
    assert len(ends) == len(items) and ends[-1] == function(items[-1])
    return len(items) / took


def answer(farm, verb, n):
    if verb == "noop":
        return calls(farm, noop, list(range(n)))
    if verb == "echo":
        return calls(farm, echo, [b"%0100d" % i for i in range(n)])
    if verb == "one":
        begin = time.perf_counter()
        farm.one(n)
        return n / (time.perf_counter() - begin)
    if verb == "scatter":
        import numpy

        values = numpy.arange(n // 8, dtype="float64")
        begin = time.perf_counter()
        squares = farm.scatter(values)
        took = time.perf_counter() - begin
        assert len(squares) == len(values) and squares[-1] == values[-1] ** 2
        return took
    raise SystemExit("peers.py: no such request: " + verb)


def main():
    kind, n = sys.argv[1], int(sys.argv[2])
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the farms print is no answer
    # What they still write while they end is no reason to fail.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        farm = {"ipp": Ipp, "dask": Dask}[kind](n, home)
        try:
            answer(farm, "noop", 4)
            print("ready", file=out, flush=True)
            for line in sys.stdin:
                verb, amount = line.split()
                if verb == "end":
                    break
                print("%.6g" % answer(farm, verb, int(amount)), file=out, flush=True)
        finally:
            farm.close()


if __name__ == "__main__":
    main()
