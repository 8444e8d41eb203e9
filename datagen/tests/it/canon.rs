//! Series in canonical bytes, for checksums and for comparison.

use arrow::array::{Array, AsArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::record_batch::RecordBatch;
use datagen::{PondSpec, Series};

/// Digests columns as they come: a hasher per column, so that the cuts between batches do not count.
#[derive(Default)]
pub(crate) struct Canon {
    columns: Vec<blake3::Hasher>,
}

impl Canon {
    pub(crate) fn add(&mut self, batch: &RecordBatch) {
        if self.columns.is_empty() {
            for field in batch.schema().fields() {
                let mut hasher = blake3::Hasher::new();
                hasher.update(format!("{} {}\n", field.name(), field.data_type()).as_bytes());
                self.columns.push(hasher);
            }
        }
        assert_eq!(self.columns.len(), batch.num_columns());
        for (hasher, column) in self.columns.iter_mut().zip(batch.columns()) {
            hasher.update(&bytes(column.as_ref()));
        }
    }

    pub(crate) fn finish(self) -> blake3::Hash {
        let mut all = blake3::Hasher::new();
        for column in self.columns {
            all.update(column.finalize().as_bytes());
        }
        all.finalize()
    }
}

/// Writes a column as one byte for its presence and, where present, its value in little-endian order.
fn bytes(column: &dyn Array) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(column.len() * 9);
    for row in 0..column.len() {
        if column.is_null(row) {
            bytes.push(0);
            continue;
        }
        bytes.push(1);
        match column.data_type() {
            DataType::Int64 => bytes.extend(column.as_primitive::<Int64Type>().value(row).to_le_bytes()),
            DataType::Float64 => bytes.extend(column.as_primitive::<Float64Type>().value(row).to_le_bytes()),
            DataType::Timestamp(..) => {
                bytes.extend(column.as_primitive::<TimestampMicrosecondType>().value(row).to_le_bytes());
            }
            DataType::Utf8 => bytes.extend(column.as_string::<i32>().value(row).bytes().chain([0])),
            other => panic!("no canonical form for {other}"),
        }
    }
    bytes
}

/// Digests all versions of a series and its path.
pub(crate) fn series_digest(series: &Series) -> blake3::Hash {
    let mut all = blake3::Hasher::new();
    all.update(series.path().as_bytes());
    for version in 1..=series.versions() {
        let mut canon = Canon::default();
        for batch in series.batches(version) {
            canon.add(&batch);
        }
        all.update(canon.finish().as_bytes());
    }
    all.finalize()
}

/// Digests a whole pond, stations included.
pub(crate) fn pond_digest(spec: &PondSpec) -> String {
    let mut all = blake3::Hasher::new();
    for series in spec.series() {
        all.update(series_digest(&series).as_bytes());
    }
    let mut stations = Canon::default();
    stations.add(&spec.stations());
    all.update(stations.finish().as_bytes());
    short(all.finalize())
}

pub(crate) fn short(hash: blake3::Hash) -> String {
    hash.to_hex()[..16].to_owned()
}

pub(crate) fn known(size: &str) -> PondSpec {
    PondSpec::named(size).expect("a known size")
}

/// Returns all rows of a version in one batch.
pub(crate) fn rows(series: &Series, version: u32) -> RecordBatch {
    let batches: Vec<RecordBatch> = series.batches(version).collect();
    concat_batches(&series.schema(version), &batches).expect("batches of one version have one schema")
}

/// Returns the times of a version, in microseconds since 1970.
pub(crate) fn times_us(batch: &RecordBatch) -> Vec<i64> {
    let times = batch.column(0).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.null_count(), 0);
    times.values().to_vec()
}
