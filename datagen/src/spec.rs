//! What a pond is made from.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;

use crate::error::DatagenError;
use crate::instrument::{COLUMNS_MAX, COLUMNS_MIN};
use crate::names;
use crate::oddities::{Oddities, VERSIONS_MIN};
use crate::plan::Pond;
use crate::series::Series;
use crate::sizes::{self, SIZES};
use crate::stations;

/// Changes whenever the same spec would give other bytes; part of every digest.
const GENERATOR_VERSION: u32 = 1;

/// Describes a pond completely: the same spec gives the same bytes on every machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PondSpec {
    /// The name of the size, such as `tiny`, or any other for a spec of one's own.
    pub name: String,
    /// Decides every value and name.
    pub seed: u64,
    /// Where the series lie in the tree.
    pub layout: Layout,
    /// The number of series, 1 or more.
    pub series: u32,
    /// The first timestamp of every series, in microseconds since 1970-01-01T00:00:00Z.
    pub start_us: i64,
    /// The time that every series covers, in seconds; at least one cadence.
    pub span_s: u64,
    /// The time from row to row, in seconds; 1 or more.
    pub cadence_s: u32,
    /// Value columns of a series in its fullest version, 6 to 64: all `Float64` but the last, which is
    /// the `Int64` column `sample_count`.
    pub columns: u32,
    /// How untidy the series are.
    pub oddities: Oddities,
}

/// Where the series of a pond lie in its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `/<region>/<station>/<instrument>.series`, three instruments to a station.
    Stations,
    /// A tree in which every series lies `depth` directories deep.
    Deep {
        /// Directories above each series, 1 or more.
        depth: u32,
        /// The most subdirectories of a directory, 2 to 26; they branch at the top, then run in chains.
        fan_out: u32,
    },
    /// Five sixths of the series in the directory `/wide`, the others 40 to a directory `/fan-*`.
    Wide,
    /// One table, `/readings.table`.
    SingleTable,
}

impl PondSpec {
    /// Returns the spec of a named size.
    ///
    /// # Errors
    /// If there is no such size; the error names the nearest one and all known ones.
    pub fn named(size: &str) -> Result<Self, DatagenError> {
        sizes::named(size).ok_or_else(|| DatagenError::UnknownSize {
            name: size.to_owned(),
            nearest: scenarios::nearest(size, SIZES),
            known: SIZES.join(", "),
        })
    }

    /// Checks that the spec can be generated; the named ones can.
    ///
    /// # Errors
    /// If a field is out of its bounds; the error names the field.
    pub fn check(&self) -> Result<(), DatagenError> {
        match self.fault() {
            None => Ok(()),
            Some(why) => Err(DatagenError::InvalidSpec { name: self.name.clone(), why }),
        }
    }

    /// Returns 16 hexadecimal digits that stand for the spec and the generator's version.
    pub fn digest(&self) -> String {
        // Taken apart without `..`, so that a new field cannot be forgotten.
        let Self { name, seed, layout, series, start_us, span_s, cadence_s, columns, oddities } = self;
        let Oddities {
            gaps_ppm,
            nulls_ppm,
            duplicates_ppm,
            out_of_order_series_ppm,
            versions_series_ppm,
            versions_min,
            versions_max,
            late_rows_ppm,
            late_columns_ppm,
            unit_changes_ppm,
        } = oddities;
        let layout = match layout {
            Layout::Stations => "stations".to_owned(),
            Layout::Deep { depth, fan_out } => format!("deep {depth} {fan_out}"),
            Layout::Wide => "wide".to_owned(),
            Layout::SingleTable => "single-table".to_owned(),
        };
        let mut text = format!(
            "datagen {GENERATOR_VERSION}\nname {name:?}\nseed {seed}\nlayout {layout}\nseries {series}\n\
             start_us {start_us}\nspan_s {span_s}\ncadence_s {cadence_s}\ncolumns {columns}\n\
             oddities {gaps_ppm} {nulls_ppm} {duplicates_ppm} {out_of_order_series_ppm} \
             {versions_series_ppm} {versions_max} {late_rows_ppm} {late_columns_ppm} {unit_changes_ppm}\n"
        );
        // The digests of specs that leave it as it was are those from before there was a choice.
        if *versions_min != VERSIONS_MIN {
            text.push_str(&format!("versions_min {versions_min}\n"));
        }
        blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
    }

    /// Returns the series in path order; their batches are made only when asked for.
    ///
    /// # Panics
    /// If the spec does not pass [`PondSpec::check`].
    pub fn series(&self) -> Vec<Series> {
        self.assert_valid();
        let paths = names::paths(self);
        assert_eq!(paths.len() as u64, self.files());
        assert!(paths.is_sorted_by(|a, b| a < b), "paths are unique and in order");
        let pond = Arc::new(Pond::new(self));
        (0..).zip(paths).map(|(number, path)| Series::new(&pond, number, path)).collect()
    }

    /// Returns the stations, one row each in the order of their series: `id`, `name`, `region`,
    /// `operator`, `contact`, `latitude` and `longitude` in degrees, `depth_m`, `installed`.
    ///
    /// # Panics
    /// If the spec does not pass [`PondSpec::check`].
    pub fn stations(&self) -> RecordBatch {
        self.assert_valid();
        stations::batch(self)
    }

    /// Returns the number of series.
    pub fn files(&self) -> u64 {
        u64::from(self.series)
    }

    /// Returns the number of rows of all series and versions, before gaps and duplicates.
    pub fn planned_rows(&self) -> u64 {
        self.files() * self.slots()
    }

    /// Returns the number of stations, each with up to three instruments.
    pub(crate) fn station_count(&self) -> u32 {
        self.series.div_ceil(3)
    }

    /// Returns the number of rows that a series has before gaps and duplicates.
    pub(crate) fn slots(&self) -> u64 {
        self.span_s / u64::from(self.cadence_s.max(1))
    }

    fn assert_valid(&self) {
        if let Some(why) = self.fault() {
            panic!("the spec '{}' cannot be generated: {why}", self.name);
        }
    }

    fn fault(&self) -> Option<String> {
        let text = |why: &str| Some(why.to_owned());
        if self.series == 0 {
            return text("series must be 1 or more");
        }
        if self.cadence_s == 0 {
            return text("cadence_s must be 1 or more");
        }
        if self.span_s < u64::from(self.cadence_s) {
            return text("span_s must be at least cadence_s");
        }
        let end_us = i128::from(self.start_us) + i128::from(self.span_s) * 1_000_000;
        // The year 9999 is the last that RFC 3339 can write.
        if self.start_us < 0 || end_us > 253_402_300_800_000_000 {
            return text("start_us and span_s must stay within the years 1970 to 9999");
        }
        if !(COLUMNS_MIN..=COLUMNS_MAX).contains(&self.columns) {
            return Some(format!("columns must be {COLUMNS_MIN} to {COLUMNS_MAX}"));
        }
        if let Some(why) = self.layout_fault() {
            return Some(why);
        }
        self.oddities.fault().map(str::to_owned)
    }

    fn layout_fault(&self) -> Option<String> {
        match self.layout {
            Layout::SingleTable if self.series != 1 => Some("a single table has series = 1".to_owned()),
            Layout::Deep { depth, fan_out } => {
                let shape = (1..=64).contains(&depth) && (2..=26).contains(&fan_out);
                let leaves = u64::from(fan_out).saturating_pow(depth);
                (!shape || leaves < self.files()).then(|| {
                    "depth must be 1 to 64, fan_out 2 to 26, and fan_out^depth at least series".to_owned()
                })
            }
            _ => None,
        }
    }
}
