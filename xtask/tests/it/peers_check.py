"""Tests of xtask/src/peers/check.py on files with known content: run by xtask/tests/it/peers.rs."""

import os
import tempfile
import unittest

import pyarrow as pa
import pyarrow.parquet as pq

import check

# 2024-01-31 23:00 in microseconds: an hour before a month ends.
BASE = 1_706_742_000_000_000
MINUTE = 60_000_000
TIME = pa.timestamp("us", "UTC")
NAME = "bay/1/tide"


def table(minutes, level, count, time=TIME):
    times = pa.array([BASE + minute * MINUTE for minute in minutes], pa.timestamp("us", "UTC")).cast(time)
    return pa.table({"timestamp": times, "level": pa.array(level, pa.float64()), "n": pa.array(count, pa.int64())})


SERIES = table([0, 30, 30, 60, 90, 120], [1.5, None, 2.5, None, None, -4.0], [1, 2, 3, None, 5, 6])


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.write("in", f"{NAME}/data.parquet", SERIES)

    def path(self, *parts):
        return os.path.join(self.folder.name, *parts)

    def write(self, folder, file, rows):
        os.makedirs(os.path.dirname(self.path(folder, file)), exist_ok=True)
        pq.write_table(rows, self.path(folder, file))

    def month(self, month, rows, file="data.parquet", name=NAME):
        self.write("out", f"{name}/year=2024/month={month}/{file}", rows)

    def checked(self, task):
        return check.compare(task, check.reference(task, self.path("in")), self.path("out"))

    def assert_difference(self, task, *expect):
        found = self.checked(task)
        self.assertEqual(found["differences"], len(expect), found)
        for difference, text in zip(found["examples"], expect):
            self.assertIn(text, difference)


class Export(Case):
    def setUp(self):
        super().setUp()
        self.month("01", SERIES.slice(0, 3))
        self.month("02", SERIES.slice(3))

    def test_a_right_export(self):
        found = self.checked("export")
        self.assertEqual(found, {"rows": 6, "files": 2, "unsorted": 0, "split": 0, "differences": 0, "examples": []})

    def test_ties_and_other_units_may_differ(self):
        rows = table([0, 30, 30], [1.5, 2.5, None], [1, 3, 2], pa.timestamp("ns", "UTC"))
        self.month("01", rows.append_column("other", pa.array([None] * 3, pa.float64())))
        self.assert_difference("export")

    def test_a_row_too_few(self):
        self.month("01", SERIES.slice(0, 2))
        found = self.checked("export")
        self.assertGreater(found["differences"], 0)
        self.assertIn("rows: 2, expected 3", found["examples"][0])

    def test_a_value_changed(self):
        self.month("01", table([0, 30, 30], [1.5, None, 2.5000001], [1, 2, 3]))
        self.assert_difference("export", "column level")

    def test_a_null_filled(self):
        self.month("02", table([60, 90, 120], [0.0, None, -4.0], [None, 5, 6]))
        self.assert_difference("export", "column level")

    def test_rows_in_the_wrong_month(self):
        self.month("01", SERIES.slice(0, 4))
        self.month("02", SERIES.slice(4))
        self.assertGreater(self.checked("export")["differences"], 0)

    def test_a_file_too_few_and_one_too_many(self):
        os.rename(self.path("out", NAME, "year=2024/month=02"), self.path("out", NAME, "year=2024/month=03"))
        self.assert_difference("export", "month=02: missing", "month=03: not expected")

    def test_unsorted_and_split_files_are_no_difference(self):
        self.month("02", SERIES.take([5, 3, 4]))
        self.month("01", SERIES.slice(0, 1))
        self.month("01", SERIES.slice(1, 2), "data_1.parquet")
        found = self.checked("export")
        self.assertEqual((found["differences"], found["unsorted"], found["split"], found["files"]), (0, 1, 1, 3))


class Reduce(Case):
    def hours(self, minutes, avg, least, most, counts):
        columns = {"timestamp": [BASE + minute * MINUTE for minute in minutes]}
        kinds = [("level", pa.float64()), ("n", pa.int64())]
        for index, (name, kind) in enumerate(kinds):
            columns[f"{name}.avg"] = pa.array(avg[index], pa.float64())
            columns[f"{name}.min"] = pa.array(least[index], kind)
            columns[f"{name}.max"] = pa.array(most[index], kind)
            columns[f"{name}.count"] = pa.array(counts[index], pa.int64())
        columns["timestamp"] = pa.array(columns["timestamp"], TIME)
        return pa.table(columns)

    def setUp(self):
        super().setUp()
        name = f"{NAME}/res=1h"
        self.month("01", self.hours([0], [[2.0], [2.0]], [[1.5], [1]], [[2.5], [3]], [[2], [3]]), name=name)
        self.february = self.hours(
            [60, 120], [[None, -4.0], [5.0, 6.0]], [[None, -4.0], [5, 6]], [[None, -4.0], [5, 6]], [[0, 1], [1, 1]]
        )
        self.month("02", self.february)

    def test_a_right_reduce(self):
        found = self.checked("reduce")
        self.assertEqual((found["rows"], found["files"], found["differences"]), (3, 2, 0), found)

    def test_every_value_counts(self):
        for column, value in [("level.avg", 0.1), ("n.max", 7), ("n.count", 2), ("level.count", 3)]:
            at = self.february.schema.get_field_index(column)
            values = self.february[column].to_pylist()
            values[1] = value
            field = self.february.schema.field(at)
            self.month("02", self.february.set_column(at, field, pa.array(values, field.type)))
            self.assert_difference("reduce", f"column {column}: {float(value)}")

    def test_the_last_digits_of_a_mean_do_not_count(self):
        at = self.february.schema.get_field_index("level.avg")
        self.month("02", self.february.set_column(at, "level.avg", pa.array([None, -4.0 * (1 + 1e-13)])))
        self.assert_difference("reduce")

    def test_a_lost_hour_and_a_lost_column(self):
        self.month("02", self.february.slice(1))
        self.assert_difference("reduce", "1 hours, expected 2")
        self.month("02", self.february.drop(["n.min"]))
        self.assert_difference("reduce", "column n.min is missing")

    def test_columns_of_other_series_may_be_there_without_values(self):
        empty = self.february.append_column("x.avg", pa.array([None, None], pa.float64()))
        self.month("02", empty.append_column("x.count", pa.array([0, 0])))
        self.assert_difference("reduce")
        self.month("02", empty.append_column("x.count", pa.array([0, 1])))
        self.assert_difference("reduce", "column x.count is not expected")


class Query(Case):
    def setUp(self):
        super().setUp()
        rename = {"level": "temperature_c"}
        others = [("bay/1/sonde", SERIES.slice(0, 1)), ("bay/0/tide", SERIES.slice(3, 1))]
        for name, rows in [(NAME, SERIES), *others]:
            self.write("in", f"{name}/data.parquet", rows.rename_columns(rename))

    def answer(self, rows):
        hours = pa.array([BASE + hour * 60 * MINUTE for _, hour, _ in rows], TIME)
        sites, means = [row[0] for row in rows], pa.array([row[2] for row in rows], pa.float64())
        self.write("out", "answer.parquet", pa.table({"site": sites, "hour": hours, "mean": means}))

    RIGHT = [("bay/0", 1, None), ("bay/1", 0, 5.5 / 3), ("bay/1", 1, None), ("bay/1", 2, -4.0)]

    def test_a_right_answer(self):
        self.answer(self.RIGHT)
        self.assert_difference("query")

    def test_wrong_answers(self):
        self.answer(self.RIGHT[:1] + [("bay/1", 0, 2.0)] + self.RIGHT[2:])
        self.assert_difference("query", "bay/1")
        self.answer(self.RIGHT[1:])
        self.assertGreater(self.checked("query")["differences"], 0)

    def test_digests(self):
        rows = check.reference("query", self.path("in"))
        self.assertEqual(check.digests(rows)["rows"], 4)
        self.assertEqual(check.scientific(12.345678912), b"1.23456789e1;")
        self.assertEqual(check.scientific(-0.00123), b"-1.23000000e-3;")
        self.assertEqual(len(check.digests(rows)["digests"]), 2)

    def test_a_mean_in_the_middle_has_two_texts(self):
        rows = [("a", 0, (1.000000005, 1.0)), ("a", 1, (2.0, 2.0))]
        self.assertEqual(len(set(check.digests(rows)["digests"])), 4)


if __name__ == "__main__":
    unittest.main()
