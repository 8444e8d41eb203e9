//! The metadata of the stations.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::record_batch::RecordBatch;
use fake::Fake;
use fake::faker::address::en::CityName;
use fake::faker::company::en::CompanyName;
use fake::faker::name::en::Name;

use crate::names;
use crate::spec::PondSpec;
use crate::streams::{self, LANE_STATION};

/// Returns one row per station.
pub(crate) fn batch(spec: &PondSpec) -> RecordBatch {
    let key = streams::key(spec.seed);
    let stations = 0..spec.station_count();
    let mut texts: [Vec<String>; 5] = Default::default();
    let mut numbers: [Vec<f64>; 3] = Default::default();
    let mut installed_us = Vec::new();
    for (station, name) in stations.zip(names::stations(spec)) {
        let mut rng = streams::stream(&key, station, LANE_STATION);
        // The name was drawn first; what follows must not repeat its bits.
        let _name: String = CityName().fake_with_rng(&mut rng);
        let row = [
            names::station_id(spec, station),
            name,
            names::region(spec, station).to_owned(),
            CompanyName().fake_with_rng(&mut rng),
            Name().fake_with_rng(&mut rng),
        ];
        for (column, text) in texts.iter_mut().zip(row) {
            column.push(text);
        }
        let mut within =
            |from: u64, to: u64, steps: f64| (from + streams::below(&mut rng, to - from)) as f64 / steps;
        numbers[0].push(within(5_400_000, 5_800_000, 1e5));
        numbers[1].push(-within(500_000, 1_000_000, 1e5));
        numbers[2].push(within(5, 450, 10.0));
        let days = streams::below(&mut rng, 3_000) as i64 + 30;
        installed_us.push((spec.start_us - days * 86_400_000_000).max(0));
    }
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let mut fields: Vec<Field> = ["id", "name", "region", "operator", "contact"]
        .into_iter()
        .map(|name| Field::new(name, DataType::Utf8, false))
        .collect();
    fields
        .extend(["latitude", "longitude", "depth_m"].map(|name| Field::new(name, DataType::Float64, false)));
    fields.push(Field::new("installed", time, false));
    let mut arrays: Vec<ArrayRef> = Vec::new();
    arrays.extend(texts.map(|column| Arc::new(StringArray::from(column)) as ArrayRef));
    arrays.extend(numbers.map(|column| Arc::new(Float64Array::from(column)) as ArrayRef));
    arrays.push(Arc::new(TimestampMicrosecondArray::from(installed_us).with_timezone("UTC")));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .expect("each station adds one value to every column")
}
