//! The named sizes.

use crate::instrument::COLUMNS_MIN;
use crate::oddities::Oddities;
use crate::spec::{Layout, PondSpec};

/// The names of all sizes, from the smallest of each family to the largest.
pub const SIZES: [&str; 14] = [
    "tiny",
    "small",
    "medium",
    "large",
    "rows-1m",
    "rows-10m",
    "rows-100m",
    "deep",
    "wide",
    "history-1",
    "history-10",
    "history-100",
    "history-1000",
    "versions",
];

const DAY_S: u64 = 86_400;
/// 2024-01-01T00:00:00Z.
const YEAR_2024_US: i64 = 1_704_067_200_000_000;
const DAY_US: i64 = DAY_S as i64 * 1_000_000;

/// Returns the spec of a known size.
pub(crate) fn named(size: &str) -> Option<PondSpec> {
    let base = PondSpec {
        name: size.to_owned(),
        seed: 1,
        layout: Layout::Stations,
        series: 8,
        start_us: YEAR_2024_US,
        span_s: DAY_S,
        cadence_s: 60,
        columns: 7,
        oddities: Oddities::REALISTIC,
    };
    let spec = match size {
        // Two days at 10 minutes across the end of the year 2023.
        "tiny" => PondSpec {
            start_us: YEAR_2024_US - DAY_US,
            span_s: 2 * DAY_S,
            cadence_s: 600,
            oddities: Oddities::TEEMING,
            ..base
        },
        "small" => PondSpec { series: 100, ..base },
        // 2024-01-28 to 2024-02-03, so that partitions by month have a boundary to cut at.
        "medium" => {
            PondSpec { series: 1_000, start_us: YEAR_2024_US + 27 * DAY_US, span_s: 7 * DAY_S, ..base }
        }
        // 2024-01-16 to 2024-02-14.
        "large" => PondSpec {
            series: 10_000,
            start_us: YEAR_2024_US + 15 * DAY_US,
            span_s: 30 * DAY_S,
            cadence_s: 900,
            ..base
        },
        "rows-1m" => table(base, 1_000_000),
        "rows-10m" => table(base, 10_000_000),
        "rows-100m" => table(base, 100_000_000),
        "deep" => PondSpec {
            layout: Layout::Deep { depth: 12, fan_out: 2 },
            series: 64,
            cadence_s: 900,
            oddities: Oddities::NONE,
            ..base
        },
        "wide" => PondSpec {
            layout: Layout::Wide,
            series: 2_400,
            cadence_s: 3 * 3_600,
            oddities: Oddities::NONE,
            ..base
        },
        "history-1" => history(base, 1),
        "history-10" => history(base, 10),
        "history-100" => history(base, 100),
        "history-1000" => history(base, 1_000),
        // Ten rows a version: what counts is how many entries the log has.
        "versions" => PondSpec {
            series: 10_000,
            span_s: 300 * 3_600,
            cadence_s: 3_600,
            columns: COLUMNS_MIN,
            oddities: Oddities::of_versions(30),
            ..base
        },
        _ => return None,
    };
    Some(spec)
}

/// The three series of a station for a week at 1 minute; the same rows, however many versions hold them.
fn history(base: PondSpec, versions: u32) -> PondSpec {
    PondSpec { series: 3, span_s: 7 * DAY_S, oddities: Oddities::of_versions(versions), ..base }
}

/// One table at 1 s, from 2024-01-25 so that the shortest crosses into February. Its row count is exact.
fn table(base: PondSpec, rows: u64) -> PondSpec {
    PondSpec {
        layout: Layout::SingleTable,
        series: 1,
        start_us: YEAR_2024_US + 24 * DAY_US,
        span_s: rows,
        cadence_s: 1,
        oddities: Oddities { nulls_ppm: Oddities::REALISTIC.nulls_ppm, ..Oddities::NONE },
        ..base
    }
}
