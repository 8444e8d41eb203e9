"""Measures one peer at one task: once cold, then warm, in one process; a JSON line for each execution.

What is measured begins with listing the input and ends when all output is there. The start of the interpreter
and of the workers, the imports and the emptying of folders are not measured. Workers are processes that are
forked before the library is imported, so that each has a library of its own.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import resource
import shutil
import sys
import time


def series_of(folder):
    """Lists the input: (name, file), by name. A series is a folder with one file."""
    found = []
    for root, _, files in os.walk(folder):
        if "data.parquet" in files:
            found.append((os.path.relpath(root, folder), os.path.join(root, "data.parquet")))
    return sorted(found)


def site_of(name):
    """Returns the site of a series, which is REGION/STATION/instrument."""
    return name.rsplit("/", 1)[0]


def instrument_of(name):
    """Returns the instrument of a series; series of one instrument have nearly the same columns."""
    return name.split("/")[-1]


def by_instrument(folder):
    """Lists the input by instrument: [(name, file), ...] for each."""
    series = series_of(folder)
    instruments = sorted({instrument_of(name) for name, _ in series})
    return [[one for one in series if instrument_of(one[0]) == instrument] for instrument in instruments]


def partition_file(output, name, year, month):
    """Makes the folder of a partition and returns its file."""
    folder = f"{output}/{name}/year={year:04}/month={month:02}"
    os.makedirs(folder, exist_ok=True)
    return f"{folder}/data.parquet"


class Workers:
    """Processes that do a function of the peer's module for parts of the input."""

    peer = None

    def __init__(self, module, count):
        context = multiprocessing.get_context("fork")
        ready = context.Barrier(count + 1)
        self.count = count
        self.pool = context.Pool(count, _begin_worker, (module, ready))
        ready.wait()
        self.cpu_ns = 0
        self.peak_bytes = {}

    def map(self, function, items, *rest):
        """Calls `function(item, *rest)` for every item and returns the results in order."""
        size = max(1, len(items) // (self.count * 8))
        parts = [(function, items[at : at + size], rest) for at in range(0, len(items), size)]
        results = []
        for part, cpu_ns, process, peak_bytes in self.pool.imap(_work, parts):
            results.extend(part)
            self.cpu_ns += cpu_ns
            self.peak_bytes[process] = peak_bytes
        return results


def _begin_worker(module, ready):
    global _peer
    _peer = importlib.import_module(module)
    _peer.set_up(1)
    ready.wait()


def _work(part):
    function, items, rest = part
    before = time.process_time_ns()
    results = [getattr(_peer, function)(item, *rest) for item in items]
    return results, time.process_time_ns() - before, os.getpid(), _peak_bytes()


def _peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Serial:
    """The same in this process, one item after the other."""

    cpu_ns = 0
    peak_bytes = {}

    def __init__(self, options):
        self.peer = importlib.import_module(options.module)
        self.peer.set_up(options.workers)

    def map(self, function, items, *rest):
        """Calls `function(item, *rest)` for every item and returns the results in order."""
        return [getattr(self.peer, function)(item, *rest) for item in items]


def files_in(folder):
    return sum(name.endswith(".parquet") for _, _, names in os.walk(folder) for name in names)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--module", required=True)
    arguments.add_argument("--task", required=True, choices=["export", "reduce", "query"])
    arguments.add_argument("--mode", required=True, choices=["loop", "pool", "bulk"])
    arguments.add_argument("--input", required=True)
    arguments.add_argument("--output", required=True)
    arguments.add_argument("--executions", type=int, required=True)
    arguments.add_argument("--workers", type=int, required=True)
    options = arguments.parse_args()

    each = options.mode != "bulk"
    hands = Workers(options.module, options.workers) if options.mode == "pool" else Serial(options)
    # With workers the parent needs the library only to put their answers together.
    peer = hands.peer or (options.task == "query" and importlib.import_module(options.module))

    for execution in range(options.executions):
        shutil.rmtree(options.output, ignore_errors=True)
        os.makedirs(options.output)
        worked = hands.cpu_ns
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        if each:
            parts = hands.map(f"{options.task}_one", series_of(options.input), options.output)
            answer = peer.query_merged(parts) if options.task == "query" else None
        else:
            answer = getattr(peer, f"{options.task}_bulk")(options.input, options.output)
        wall = time.perf_counter_ns() - wall
        cpu = time.process_time_ns() - cpu + hands.cpu_ns - worked
        peak_bytes = _peak_bytes() + sum(hands.peak_bytes.values())
        if options.task == "query":
            peer.save(answer, f"{options.output}/answer.parquet")
        print(
            json.dumps(
                {
                    "execution": execution,
                    "wall_ns": wall,
                    "cpu_ns": cpu,
                    "peak_rss_bytes": peak_bytes,
                    "rows": hands.map("rows_in", [options.output])[0],
                    "files": files_in(options.output),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
