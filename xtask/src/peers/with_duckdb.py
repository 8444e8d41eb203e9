"""The tasks as users of DuckDB write them."""

import os
import shutil

import duckdb

from measure import by_instrument

NUMBERS = ("DOUBLE", "FLOAT", "BIGINT", "INTEGER", "SMALLINT", "TINYINT")
ZSTD = "FORMAT parquet, COMPRESSION zstd"
PARTS = "strftime(timestamp, '%Y') AS year, strftime(timestamp, '%m') AS month"

connection = None


def set_up(threads):
    global connection
    connection = duckdb.connect()
    connection.sql(f"SET threads = {threads}")
    connection.sql("SET TimeZone = 'UTC'")
    connection.sql("SET enable_progress_bar = false")


def export_one(one, output):
    name, file = one
    _copy(f"SELECT *, {PARTS} FROM read_parquet('{file}') ORDER BY timestamp", f"{output}/{name}", "year, month")


def reduce_one(one, output):
    name, file = one
    source = f"read_parquet('{file}')"
    hourly = f"SELECT date_trunc('hour', timestamp) AS timestamp, {_aggregates(source)} FROM {source} GROUP BY 1"
    _copy(f"SELECT *, {PARTS} FROM ({hourly}) ORDER BY timestamp", f"{output}/{name}", "year, month")


def export_bulk(folder, output):
    for source in _sources(folder):
        _copy_series(f"SELECT * RENAME (filename AS series) FROM {source}", output)


def reduce_bulk(folder, output):
    for source in _sources(folder):
        hourly = f"date_trunc('hour', timestamp) AS timestamp, {_aggregates(source)}"
        _copy_series(f"SELECT filename AS series, {hourly} FROM {source} GROUP BY 1, 2", output)


def query_bulk(folder, output):
    connection.sql(
        f"""CREATE OR REPLACE TEMP TABLE answer AS
        SELECT regexp_extract(filename, '([^/]+/[^/]+)/[^/]+/data.parquet$', 1) AS site,
               date_trunc('hour', timestamp) AS hour, avg(temperature_c) AS mean
        FROM read_parquet('{folder}/**/data.parquet', filename = true)
        GROUP BY 1, 2 ORDER BY 1, 2"""
    )


def save(answer, file):
    connection.sql(f"COPY answer TO '{file}' (FORMAT parquet)")


def rows_in(output):
    return connection.sql(f"SELECT count(*) FROM read_parquet('{output}/**/*.parquet')").fetchall()[0][0]


def _aggregates(source):
    columns = connection.sql(f"DESCRIBE SELECT * FROM {source}").fetchall()
    numbers = [name for name, kind, *_ in columns if kind in NUMBERS]
    return ", ".join(
        f'{aggregate}("{name}") AS "{name}.{aggregate}"'
        for aggregate in ("avg", "min", "max", "count")
        for name in numbers
    )


def _copy(query, folder, partitions):
    os.makedirs(folder, exist_ok=True)
    connection.sql(
        f"COPY ({query}) TO '{folder}' "
        f"({ZSTD}, PARTITION_BY ({partitions}), OVERWRITE_OR_IGNORE, FILENAME_PATTERN 'data')"
    )


def _sources(folder):
    """Returns a relation for each instrument: the columns of its series are united by name."""
    for series in by_instrument(folder):
        files = [file for _, file in series]
        yield f"read_parquet({files}, filename = true, union_by_name = true)"


def _copy_series(query, output):
    """Copies rows with a column `series`, the file they come from, and moves each series to its folder."""
    name = r"regexp_extract(series, '([^/]+/[^/]+/[^/]+)/data.parquet$', 1)"
    rows = f"SELECT * REPLACE (replace({name}, '/', '|') AS series), {PARTS} FROM ({query})"
    aside = f"{output}/.aside"
    _copy(f"{rows} ORDER BY series, timestamp", aside, "series, year, month")
    for folder in os.listdir(aside):
        target = f"{output}/{folder.removeprefix('series=').replace('%7C', '|').replace('|', '/')}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.rename(f"{aside}/{folder}", target)
    shutil.rmtree(aside)
