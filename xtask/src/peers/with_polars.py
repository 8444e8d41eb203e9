"""The tasks as users of Polars write them."""

import os

# Read when the library is imported. In a pool of workers each has one thread.
if __import__("multiprocessing").parent_process() is not None:
    os.environ["POLARS_MAX_THREADS"] = "1"

import polars as pl

from measure import by_instrument, partition_file

TIME = pl.col("timestamp")


def set_up(threads):
    pass


def export_one(one, output):
    name, file = one
    _write_months(pl.read_parquet(file), output, name)


def reduce_one(one, output):
    name, file = one
    frame = pl.scan_parquet(file)
    hourly = frame.with_columns(TIME.dt.truncate("1h")).group_by("timestamp").agg(_aggregates(frame))
    _write_months(hourly.sort("timestamp").collect(), output, name)


def export_bulk(folder, output):
    for frame in _frames(folder):
        def place(part):
            file, year, month = part.partition_keys.row(0)
            return f"{os.path.relpath(os.path.dirname(file), folder)}/year={year:04}/month={month:02}/data.parquet"

        parts = {"series": pl.col("series"), "year": TIME.dt.year(), "month": TIME.dt.month()}
        by = pl.PartitionBy(
            output, key=parts, include_key=False, file_path_provider=place, approximate_bytes_per_file=None
        )
        frame.sink_parquet(by, compression="zstd", mkdir=True)


def reduce_bulk(folder, output):
    for frame in _frames(folder):
        hourly = frame.with_columns(TIME.dt.truncate("1h")).group_by("series", "timestamp").agg(_aggregates(frame))
        hourly = hourly.sort("series", "timestamp").collect()
        series = hourly.partition_by("series", as_dict=True, include_key=False, maintain_order=True)
        for (file,), part in series.items():
            _write_months(part, output, os.path.relpath(os.path.dirname(file), folder))


def query_bulk(folder, output):
    frame = pl.scan_parquet(f"{folder}/**/data.parquet", include_file_paths="file", extra_columns="ignore")
    value = pl.col("temperature_c")
    # The file names are cut once a file and hour, rather than once a row.
    by_file = frame.group_by("file", TIME.dt.truncate("1h").alias("hour")).agg(
        value.sum().alias("sum"), value.count().alias("count")
    )
    site = pl.col("file").str.extract("([^/]+/[^/]+)/[^/]+/data.parquet$").alias("site")
    by_site = by_file.group_by(site, "hour").agg(pl.col("sum", "count").sum())
    mean = pl.when(pl.col("count") > 0).then(pl.col("sum") / pl.col("count")).alias("mean")
    return by_site.select("site", "hour", mean).sort("site", "hour").collect()


def save(answer, file):
    answer.write_parquet(file)


def rows_in(output):
    files = pl.scan_parquet(
        f"{output}/**/*.parquet", missing_columns="insert", extra_columns="ignore", hive_partitioning=False
    )
    return files.select(pl.len()).collect().item()


def _frames(folder):
    """Returns a frame for each instrument; the columns of its series are united by name."""
    for series in by_instrument(folder):
        yield pl.concat([pl.scan_parquet(file, include_file_paths="series") for _, file in series], how="diagonal")


def _aggregates(frame):
    numbers = [name for name, kind in frame.collect_schema().items() if kind.is_numeric()]
    aggregates = {"avg": pl.Expr.mean, "min": pl.Expr.min, "max": pl.Expr.max, "count": pl.Expr.count}
    return [make(pl.col(name)).alias(f"{name}.{which}") for which, make in aggregates.items() for name in numbers]


def _write_months(frame, output, name):
    months = frame.with_columns(TIME.dt.year().alias("year"), TIME.dt.month().alias("month"))
    for (year, month), part in months.partition_by(
        "year", "month", as_dict=True, include_key=False, maintain_order=True
    ).items():
        part.write_parquet(partition_file(output, name, year, month), compression="zstd")
