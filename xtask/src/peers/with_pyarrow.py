"""The tasks as users of pyarrow write them."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from measure import partition_file, site_of

threads = 1


def set_up(count):
    global threads
    threads = count
    pa.set_cpu_count(count)


def export_one(one, output):
    name, file = one
    _write_months(pq.read_table(file, use_threads=threads > 1), output, name)


def reduce_one(one, output):
    name, file = one
    _write_months(_hourly(pq.read_table(file, use_threads=threads > 1), []), output, name)


def reduce_bulk(folder, output):
    dataset, schemas = _dataset(folder), {}
    for fragment in dataset.get_fragments():
        instrument = ds.get_partition_keys(fragment.partition_expression)["instrument"]
        schemas.setdefault(instrument, []).append(fragment.physical_schema)
    for instrument, found in sorted(schemas.items()):
        names = ["region", "station", *pa.unify_schemas(found).names]
        # The schema of a dataset is that of its first file, unless it is given.
        whole = dataset.replace_schema(pa.unify_schemas([dataset.schema, *found]))
        hourly = _hourly(whole.to_table(columns=names, filter=ds.field("instrument") == instrument), names[:2])
        series = pc.binary_join_element_wise(hourly["region"], hourly["station"], instrument, "/")
        for name, part in _runs(hourly.drop(names[:2]), series):
            _write_months(part, output, name)


def query_bulk(folder, output):
    table = _dataset(folder).to_table(columns=["region", "station", "timestamp", "temperature_c"])
    table = table.rename_columns(["region", "station", "hour", "value"])
    table = table.set_column(2, "hour", pc.floor_temporal(table["hour"], unit="hour"))
    sums = _plain(_sums(table, ["region", "station", "hour"]))
    sites = pc.binary_join_element_wise(sums["region"], sums["station"], "/")
    return _mean_by_site(sums.append_column("site", sites))


def query_one(one, output):
    name, file = one
    table = pq.read_table(file, columns=["timestamp", "temperature_c"], use_threads=threads > 1)
    hours = pc.floor_temporal(table["timestamp"], unit="hour")
    sums = _sums(pa.table({"hour": hours, "value": table["temperature_c"]}), ["hour"])
    return sums.append_column("site", pa.array([site_of(name)] * sums.num_rows))


def query_merged(parts):
    return _mean_by_site(pa.concat_tables(parts))


def save(answer, file):
    pq.write_table(answer, file)


def rows_in(output):
    files = ds.dataset(output, format="parquet", partitioning=None).files
    return sum(pq.read_metadata(file).num_rows for file in files)


def _dataset(folder):
    parts = ds.DirectoryPartitioning.discover(["region", "station", "instrument"], infer_dictionary=True)
    return ds.dataset(folder, format="parquet", partitioning=parts)


def _plain(table):
    """Makes texts of dictionaries, which cannot be sorted."""
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(index, field.name, pc.cast(table[index], pa.string()))
    return table


def _sums(table, keys):
    return table.group_by(keys).aggregate([("value", "sum"), ("value", "count")])


def _mean_by_site(sums):
    table = sums.group_by(["site", "hour"]).aggregate([("value_sum", "sum"), ("value_count", "sum")])
    table = table.sort_by([("site", "ascending"), ("hour", "ascending")])
    some = pc.if_else(pc.greater(table["value_count_sum"], 0), table["value_count_sum"], None)
    mean = pc.divide(table["value_sum_sum"], pc.cast(some, pa.float64()))
    return pa.table({"site": table["site"], "hour": table["hour"], "mean": mean})


def _hourly(table, keys):
    is_number = lambda kind: pa.types.is_integer(kind) or pa.types.is_floating(kind)
    numbers = [field.name for field in table.schema if is_number(field.type)]
    at = table.schema.get_field_index("timestamp")
    table = table.set_column(at, "timestamp", pc.floor_temporal(table["timestamp"], unit="hour"))
    kinds = {"avg": "mean", "min": "min", "max": "max", "count": "count"}
    wanted = [(name, kind) for kind in kinds.values() for name in numbers]
    keys = [*keys, "timestamp"]
    hourly = _plain(table.group_by(keys).aggregate(wanted)).sort_by([(key, "ascending") for key in keys])
    renamed = {f"{name}_{kind}": f"{name}.{ours}" for ours, kind in kinds.items() for name in numbers}
    return hourly.rename_columns([renamed.get(name, name) for name in hourly.schema.names])


def _runs(table, values):
    """Cuts a table where a sorted column of it changes."""
    runs = pc.run_end_encode(values.combine_chunks())
    start = 0
    for end, value in zip(runs.run_ends.to_pylist(), runs.values.to_pylist()):
        yield value, table.slice(start, end - start)
        start = end


def _write_months(table, output, name):
    for month, part in _runs(table, pc.floor_temporal(table["timestamp"], unit="month")):
        pq.write_table(part, partition_file(output, name, month.year, month.month), compression="zstd")
