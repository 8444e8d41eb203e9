//! What is decided once per pond and once per series: versions, late rows, columns, units.
//!
//! A *slot* is the place of a row in time: slot `s` has the timestamp `start + s × cadence`. A version
//! covers the slots from one boundary to the next; late rows move from the end of a version to the start
//! of the next one.

use rand::Rng;

use crate::instrument::{CELSIUS, Channel, FAHRENHEIT, Kind};
use crate::oddities::Oddities;
use crate::spec::PondSpec;
use crate::streams::{self, Key, LANE_LATE, LANE_PLAN};

/// Late rows come from at most this many slots before a boundary; no gap reaches into them.
pub(crate) const LATE_WINDOW: u64 = 64;
const LATE_ROWS_MAX: u64 = 8;

/// What all series of a pond share.
#[derive(Debug)]
pub(crate) struct Pond {
    pub(crate) key: Key,
    pub(crate) start_us: i64,
    pub(crate) cadence_us: i64,
    pub(crate) slots: u64,
    pub(crate) series: u32,
    pub(crate) columns: u32,
    pub(crate) oddities: Oddities,
}

impl Pond {
    pub(crate) fn new(spec: &PondSpec) -> Self {
        Self {
            key: streams::key(spec.seed),
            start_us: spec.start_us,
            cadence_us: i64::from(spec.cadence_s) * 1_000_000,
            slots: spec.slots(),
            series: spec.series,
            columns: spec.columns,
            oddities: spec.oddities.clone(),
        }
    }
}

/// What is decided once per series.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    /// The first slot of each version, and the end of the last; one more than there are versions.
    boundaries: Vec<u64>,
    late_rows: bool,
    pub(crate) out_of_order: bool,
    /// The first version with the last float column.
    late_column_from: u32,
    /// The first version in degrees Fahrenheit.
    fahrenheit_from: u32,
}

/// A value column of one version.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) channel: Channel,
    /// The number of the column's stream; the same in every version.
    pub(crate) lane: u16,
    pub(crate) integer: bool,
    pub(crate) fahrenheit: bool,
}

impl Plan {
    pub(crate) fn new(pond: &Pond, number: u32) -> Self {
        let odd = &pond.oddities;
        let total = u64::from(pond.series);
        let mut rng = streams::stream(&pond.key, number, LANE_PLAN);
        // Each quota starts at its own place, so that one series does not get all oddities.
        let rank = rank_in_quota(u64::from(number), total, odd.versions_series_ppm);
        let out_of_order = rank_in_quota(u64::from(number) + 1, total, odd.out_of_order_series_ppm).is_some();
        let mut plan = Self {
            number,
            kind: Kind::of(number),
            boundaries: vec![0, pond.slots],
            late_rows: false,
            out_of_order,
            late_column_from: 1,
            fahrenheit_from: 1 + odd.versions_max,
        };
        let Some(rank) = rank else { return plan };
        let choices = u64::from(odd.versions_max - odd.versions_min) + 1;
        let wanted = u64::from(odd.versions_min) + streams::below(&mut rng, choices);
        plan.boundaries = boundaries(wanted.min(pond.slots), pond.slots, &mut rng);
        if plan.versions() < 2 {
            return plan;
        }
        let versioned = quota(total, odd.versions_series_ppm);
        let later = |rng: &mut _| 2 + streams::below(rng, u64::from(plan.versions()) - 1) as u32;
        let (column_from, unit_from) = (later(&mut rng), later(&mut rng));
        plan.late_rows = rank_in_quota(rank, versioned, odd.late_rows_ppm).is_some();
        if rank_in_quota(rank + 1, versioned, odd.late_columns_ppm).is_some() {
            plan.late_column_from = column_from;
        }
        if rank_in_quota(rank + 2, versioned, odd.unit_changes_ppm).is_some() {
            plan.fahrenheit_from = unit_from;
        }
        plan
    }

    pub(crate) fn versions(&self) -> u32 {
        self.boundaries.len() as u32 - 1
    }

    /// Returns the slots of a version: the first, and the one after the last.
    pub(crate) fn span(&self, version: u32) -> (u64, u64) {
        let index = version as usize;
        (self.boundaries[index - 1], self.boundaries[index])
    }

    /// Returns whether slots from `first` to `end` come shortly before a boundary between versions.
    pub(crate) fn is_before_boundary(&self, first: u64, end: u64) -> bool {
        let inner = &self.boundaries[1..self.boundaries.len() - 1];
        inner.iter().any(|&boundary| first < boundary && end + LATE_WINDOW > boundary)
    }

    /// Returns the slots, in order, that are missing from a version and start the next one.
    pub(crate) fn late_slots(&self, pond: &Pond, version: u32) -> Vec<u64> {
        if !self.late_rows || version == 0 || version >= self.versions() {
            return Vec::new();
        }
        let (first, end) = self.span(version);
        let window = LATE_WINDOW.min((end - first) / 2);
        if window < 2 {
            return Vec::new();
        }
        let mut rng = streams::stream(&pond.key, self.number, LANE_LATE);
        rng.set_word_pos(u128::from(version) * 64);
        let count = 1 + streams::below(&mut rng, LATE_ROWS_MAX.min(window - 1));
        // The last slot stays, so that what is late lies before the end of its version.
        let mut slots: Vec<u64> =
            (0..count).map(|_| end - window + streams::below(&mut rng, window - 1)).collect();
        slots.sort_unstable();
        slots.dedup();
        slots
    }

    /// Returns the value columns of a version.
    pub(crate) fn columns(&self, pond: &Pond, version: u32) -> Vec<Column> {
        let channels = self.kind.channels(pond.columns);
        let integer_at = channels.len() - 1;
        let late_at = channels.len() - 2;
        (0_u16..)
            .zip(channels)
            .filter(|(lane, _)| usize::from(*lane) != late_at || version >= self.late_column_from)
            .map(|(lane, (name, channel))| {
                let fahrenheit = name == CELSIUS && version >= self.fahrenheit_from;
                Column {
                    name: if fahrenheit { FAHRENHEIT.to_owned() } else { name },
                    channel,
                    lane,
                    integer: usize::from(lane) == integer_at,
                    fahrenheit,
                }
            })
            .collect()
    }
}

/// Cuts the slots into `versions` parts whose lengths differ by at most a half.
fn boundaries(versions: u64, slots: u64, rng: &mut impl Rng) -> Vec<u64> {
    let part = slots / versions;
    let mut cuts = vec![0];
    for version in 1..versions {
        let jitter = u64::from(rng.next_u32()) % (part / 4 + 1);
        cuts.push(version * part + jitter);
    }
    cuts.push(slots);
    debug_assert!(cuts.is_sorted_by(|a, b| a < b));
    cuts
}

/// Returns how many of `total` a share is, rounded down.
fn quota(total: u64, ppm: u32) -> u64 {
    total * u64::from(ppm) / 1_000_000
}

/// Returns the rank of an item among those that a share picks from `total`, if it is picked.
///
/// The picks are evenly spread, and exactly [`quota`] many.
fn rank_in_quota(item: u64, total: u64, ppm: u32) -> Option<u64> {
    let item = item % total.max(1);
    let rank = quota(item, ppm);
    (quota(item + 1, ppm) > rank).then_some(rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_exact_and_ranked() {
        for (total, ppm) in [(8, 500_000), (100, 100_000), (100, 30_000), (7, 1_000_000), (10, 0), (3, 1)] {
            let picked: Vec<u64> = (0..total).filter_map(|item| rank_in_quota(item, total, ppm)).collect();
            let expect: Vec<u64> = (0..quota(total, ppm)).collect();
            assert_eq!(picked, expect, "{ppm} ppm of {total}");
        }
    }
}
