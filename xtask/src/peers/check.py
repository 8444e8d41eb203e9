"""Checks what the engine and its peers answered, against a reference that this file computes with numpy.

    check.py reference --task TASK --input DIR --reference FILE
    check.py compare   --task TASK --reference FILE --output DIR
    check.py digest    --reference FILE

`reference` reads the input and keeps what the task must give. `compare` reads an output and prints one JSON
line: its rows and files, the folders that are not sorted by time or hold more than one file, and differences.
`digest` prints the rows of a query's answer and the digests that it may have in the engine's canonical form.

Times, counts, smallest and largest values must be equal; sums and means to nine digits, because the order of
additions is everybody's own affair. An exported partition is compared by its number of rows, its first and last
time, and per column by nulls, sum, minimum and maximum; a reduced one value by value. A column that a series
lacks may also be there without any value, because its columns may have been united with those of others.
"""

import argparse
import itertools
import json
import math
import os
import pickle
import struct
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HOUR_US = 3_600_000_000
TOLERANCE = 1e-9
# The most by which sums of some hundred floats differ with the order of additions, in parts of their addends.
SUM_ERROR = 1e-14
# Means whose ninth digit may go either way; with more than these the digest is no way to compare.
DOUBTFUL = 8
SHOWN = 5


class Column:
    """A column as numbers and their validity."""

    def __init__(self, array):
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        self.valid = np.asarray(array.is_valid())
        self.whole = pa.types.is_integer(array.type)
        numbers = array.fill_null(0).to_numpy(zero_copy_only=False)
        self.values = numbers if self.whole else numbers.astype(np.float64)


def read(file):
    """Reads a file as times in microseconds and the other columns by name; `None` for what is no number."""
    table = pq.ParquetFile(file).read()
    times = table["timestamp"].combine_chunks()
    times = times.cast(pa.timestamp("us", times.type.tz)).cast(pa.int64()).to_numpy()
    return times, {name: Column(table[name]) for name in table.column_names if name != "timestamp"}


def files_of(folder):
    """Lists the data files below a folder by the folder they are in."""
    found = {}
    for root, _, names in os.walk(folder):
        files = sorted(name for name in names if name.endswith(".parquet"))
        if files:
            found[os.path.relpath(root, folder)] = [f"{root}/{name}" for name in files]
    return dict(sorted(found.items()))


def runs_of(values):
    """Cuts sorted values where they change: yields the value and a slice."""
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])) if len(values) else []
    for start, end in zip(starts, [*starts[1:], len(values)]):
        yield values[start], slice(start, end)


def months_of(times):
    """Cuts sorted times by month: yields the partition's folders and a slice."""
    for value, part in runs_of(times.astype("datetime64[us]").astype("datetime64[M]")):
        year, month = str(value).split("-")
        yield f"year={year}/month={month}", part


def summary(times, columns, part=slice(None)):
    """Reduces rows to what an exported partition is compared by."""
    kept = {}
    for name, column in columns.items():
        values = column.values[part][column.valid[part]]
        if len(values):
            kept[name] = (len(values), values.sum(), np.abs(values).sum(), values.min(), values.max())
    times = times[part]
    return {"rows": len(times), "first": times.min(), "last": times.max(), "columns": kept}


def hourly(times, columns):
    """Reduces sorted rows to hours: avg, min, max and count of every column."""
    hours = times // HOUR_US * HOUR_US
    starts = np.flatnonzero(np.concatenate([[True], hours[1:] != hours[:-1]]))
    reduced = {}
    for name, column in columns.items():
        counts = np.add.reduceat(column.valid.astype(np.int64), starts)
        some = counts > 0
        added = np.where(column.valid, column.values, 0)
        mean = np.add.reduceat(added, starts) / np.maximum(counts, 1)
        # What nine digits are of: the addends may have cancelled.
        scale = np.add.reduceat(np.abs(added), starts) / np.maximum(counts, 1)
        low, high = (np.iinfo(np.int64).max, np.iinfo(np.int64).min) if column.whole else (np.inf, -np.inf)
        reduced[f"{name}.avg"] = (some, mean, scale)
        least = np.minimum.reduceat(np.where(column.valid, column.values, low), starts)
        most = np.maximum.reduceat(np.where(column.valid, column.values, high), starts)
        reduced[f"{name}.min"] = (some, np.where(some, least, 0), None)
        reduced[f"{name}.max"] = (some, np.where(some, most, 0), None)
        reduced[f"{name}.count"] = (np.ones(len(starts), bool), counts, None)
    return hours[starts], reduced


def reference(task, folder):
    """Computes what a task must give from its input."""
    expected, sites = {}, {}
    for name, (file,) in files_of(folder).items():
        times, columns = read(file)
        if (np.diff(times) < 0).any():
            raise SystemExit(f"the input {file} is not sorted by time")
        if task == "export":
            for month, part in months_of(times):
                expected[f"{name}/{month}"] = summary(times, columns, part)
        elif task == "reduce":
            hours, reduced = hourly(times, columns)
            for month, part in months_of(hours):
                cut = {key: [None if array is None else array[part] for array in reduced[key]] for key in reduced}
                expected[f"{name}/{month}"] = (hours[part], cut)
        else:
            value = columns["temperature_c"]
            groups = sites.setdefault(name.rsplit("/", 1)[0], {})
            hours = times // HOUR_US * HOUR_US
            for hour, part in runs_of(hours):
                groups.setdefault(int(hour), []).append(value.values[part][value.valid[part]])
    if task == "query":
        rows = [(site, hour, mean_of(parts)) for site, groups in sites.items() for hour, parts in groups.items()]
        expected = sorted(rows, key=lambda row: row[:2])
    return expected


def mean_of(parts):
    """Returns the mean of some arrays, correctly rounded before the division, and what nine digits are of."""
    values = np.concatenate(parts)
    if not len(values):
        return None
    return math.fsum(values.tolist()) / len(values), float(np.abs(values).mean())


def close(a, b, scale):
    return a == b or abs(a - b) <= TOLERANCE * scale


def compare_summary(expected, found):
    """Names what differs between two summaries."""
    for key in ("rows", "first", "last"):
        if expected[key] != found[key]:
            yield f"{key}: {found[key]}, expected {expected[key]}"
    for name in sorted(expected["columns"].keys() | found["columns"].keys()):
        a, b = expected["columns"].get(name), found["columns"].get(name)
        if a is None or b is None:
            yield f"column {name}: {'none' if b is None else 'values'}, expected {'none' if a is None else 'values'}"
        elif a[0] != b[0] or a[3:] != b[3:] or not close(a[1], b[1], a[2]):
            shown = [tuple(float(number) for number in (x[0], x[1], x[3], x[4])) for x in (b, a)]
            yield f"column {name}: values, sum, min, max are {shown[0]}, expected {shown[1]}"


def compare_hours(expected, times, columns):
    """Names what differs between reduced rows and what they must be."""
    hours, wanted = expected
    if not np.array_equal(hours, times):
        yield f"{len(times)} hours, expected {len(hours)}, or other ones"
        return
    for name in sorted(wanted.keys() | columns.keys()):
        column = columns.get(name)
        if name not in wanted:
            if (column.valid & (column.values != 0)).any():
                yield f"column {name} is not expected"
            continue
        some, values, scale = wanted[name]
        if column is None:
            yield f"column {name} is missing"
            continue
        off = column.valid != some
        same = column.values == values
        if scale is not None:
            same |= np.abs(column.values - values) <= TOLERANCE * scale
        off |= some & ~same
        if off.any():
            at = int(np.flatnonzero(off)[0])
            got = float(column.values[at]) if column.valid[at] else None
            wanted_value = float(values[at]) if some[at] else None
            yield f"column {name}: {got}, expected {wanted_value}, and {int(off.sum()) - 1} more"


def joined(parts):
    """Puts the files of one folder together, in the order of their names."""
    times = np.concatenate([times for times, _ in parts])
    columns = {}
    for name in sorted({name for _, columns in parts for name in columns}):
        columns[name] = column = Column(pa.array([], pa.float64()))
        pieces = [columns_of.get(name) for _, columns_of in parts]
        lengths = [len(times) for times, _ in parts]
        blank = lambda length: np.zeros(length)
        column.values = np.concatenate([p.values if p else blank(n) for p, n in zip(pieces, lengths)])
        column.valid = np.concatenate([p.valid if p else blank(n).astype(bool) for p, n in zip(pieces, lengths)])
    return times, columns


def compare(task, expected, folder):
    """Compares an output with the reference."""
    if task == "query":
        return compare_answer(expected, f"{folder}/answer.parquet")
    rows, files, unsorted, split, differences = 0, 0, [], [], []
    found = {}
    for place, paths in files_of(folder).items():
        # The engine names the resolution in a folder of its own.
        found["/".join(step for step in place.split("/") if step != "res=1h")] = paths
    for place in sorted(expected.keys() | found.keys()):
        if place not in found or place not in expected:
            differences.append(f"{place}: {'missing' if place not in found else 'not expected'}")
            continue
        parts = [read(path) for path in found[place]]
        times, columns = parts[0] if len(parts) == 1 else joined(parts)
        rows, files = rows + len(times), files + len(parts)
        if len(parts) > 1:
            split.append(place)
        if (np.diff(times) < 0).any():
            unsorted.append(place)
            if task == "reduce":
                order = np.argsort(times, kind="stable")
                times = times[order]
                for column in columns.values():
                    column.values, column.valid = column.values[order], column.valid[order]
        if task == "export":
            found_differences = compare_summary(expected[place], summary(times, columns))
        else:
            found_differences = compare_hours(expected[place], times, columns)
        differences.extend(f"{place}: {difference}" for difference in found_differences)
    return report(rows, files, unsorted, split, differences)


def compare_answer(expected, file):
    table = pq.ParquetFile(file).read()
    sites = table["site"].cast(pa.string()).to_pylist()
    hours = table["hour"].cast(pa.timestamp("us", table["hour"].type.tz)).cast(pa.int64()).to_pylist()
    rows = list(zip(sites, hours, table["mean"].to_pylist()))
    differences = []
    if len(rows) != len(expected):
        differences.append(f"{len(rows)} rows, expected {len(expected)}")
    for row, wanted in zip(sorted(rows, key=lambda row: row[:2]), expected):
        if wanted[2] is None or row[2] is None:
            same = wanted[2] is row[2]
        else:
            same = close(row[2], *wanted[2])
        if row[:2] != wanted[:2] or not same:
            differences.append(f"{row}, expected {wanted}")
    unsorted = [] if [row[:2] for row in rows] == sorted(row[:2] for row in rows) else ["the answer"]
    return report(len(rows), 1, unsorted, [], differences)


def report(rows, files, unsorted, split, differences):
    return {
        "rows": rows,
        "files": files,
        "unsorted": len(unsorted),
        "split": len(split),
        "differences": len(differences),
        "examples": differences[:SHOWN] + unsorted[:1] + split[:1],
    }


def digests(expected):
    """Returns rows and digests of a query's answer, as the engine makes them: floats count to nine digits.

    A mean that is within rounding of the middle between two texts of nine digits may be written as either, because
    the order of additions decides. So there can be more than one right digest.
    """
    import blake3

    def text(text):
        return struct.pack("<Q", len(text.encode())) + text.encode()

    def column(name, encoded):
        valid, values = blake3.blake3(bytes(cell is not None for cell in encoded)), blake3.blake3()
        values.update(b"".join(cell for cell in encoded if cell is not None))
        return text(name) + valid.digest() + values.digest()

    sites = column("site", [text(site) for site, _, _ in expected])
    # DataFusion's date_bin makes nanoseconds of microseconds.
    units = [column("hour", [struct.pack("<q", hour * unit) for _, hour, _ in expected]) for unit in (1, 1000)]
    means = [None if mean is None else scientific(mean[0]) for _, _, mean in expected]
    doubtful = []
    for index, (_, _, mean) in enumerate(expected):
        if mean is not None:
            off = SUM_ERROR * mean[1]
            other = {scientific(mean[0] - off), scientific(mean[0] + off)} - {means[index]}
            doubtful.extend((index, text) for text in sorted(other))
    found = []
    for chosen in itertools.product([False, True], repeat=min(len(doubtful), DOUBTFUL)):
        variant = list(means)
        for index, text_of in itertools.compress(doubtful, chosen):
            variant[index] = text_of
        mean = column("mean", variant)
        found.extend(blake3.blake3(sites + hours + mean).hexdigest()[:16] for hours in units)
    return {"rows": len(expected), "digests": found}


def scientific(number):
    """Writes a float as the engine's digest does: nine digits, no sign and no zeros in the exponent."""
    mantissa, exponent = f"{number:.8e}".split("e")
    return f"{mantissa}e{int(exponent)};".encode()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("command", choices=["reference", "compare", "digest"])
    for name in ("--task", "--input", "--reference", "--output"):
        arguments.add_argument(name)
    options = arguments.parse_args()
    if options.command == "reference":
        with open(options.reference, "wb") as file:
            pickle.dump(reference(options.task, options.input), file)
        return
    with open(options.reference, "rb") as file:
        expected = pickle.load(file)
    result = digests(expected) if options.command == "digest" else compare(options.task, expected, options.output)
    print(json.dumps(result))


if __name__ == "__main__":
    sys.exit(main())
