//! What holds for any spec.

use std::collections::BTreeSet;

use arrow::array::Array;
use datagen::{Layout, Oddities, PondSpec};
use proptest::prelude::*;

use crate::canon::{Canon, rows, times_us};

const SHARES: [u32; 4] = [0, 50_000, 500_000, 1_000_000];

prop_compose! {
    fn oddities()(
        gaps_ppm in 0_u32..=100_000,
        nulls_ppm in prop::sample::select(vec![0, 1_000, 500_000]),
        duplicates_ppm in prop::sample::select(SHARES.to_vec()),
        out_of_order_series_ppm in prop::sample::select(SHARES.to_vec()),
        versions_series_ppm in prop::sample::select(SHARES.to_vec()),
        (versions_min, versions_max) in (2_u32..=12).prop_flat_map(|max| (2..=max, Just(max))),
        late_rows_ppm in prop::sample::select(SHARES.to_vec()),
        late_columns_ppm in prop::sample::select(SHARES.to_vec()),
        unit_changes_ppm in prop::sample::select(SHARES.to_vec()),
    ) -> Oddities {
        Oddities {
            gaps_ppm, nulls_ppm, duplicates_ppm, out_of_order_series_ppm, versions_series_ppm, versions_min,
            versions_max, late_rows_ppm, late_columns_ppm, unit_changes_ppm,
        }
    }
}

prop_compose! {
    fn specs()(
        seed in any::<u64>(),
        layout in prop::sample::select(vec![
            Layout::Stations, Layout::Wide, Layout::Deep { depth: 5, fan_out: 3 },
        ]),
        series in 1_u32..12,
        start_us in 0_i64..2_000_000_000_000_000,
        cadence_s in 1_u32..4_000,
        slots in prop_oneof![4 => 1_u64..40, 4 => 1_u64..2_000, 1 => 8_100_u64..17_000],
        columns in 6_u32..12,
        oddities in oddities(),
    ) -> PondSpec {
        let span_s = slots * u64::from(cadence_s);
        let name = "random".to_owned();
        PondSpec { name, seed, layout, series, start_us, span_s, cadence_s, columns, oddities }
    }
}

fn check(spec: &PondSpec) -> Result<(), TestCaseError> {
    prop_assert!(spec.check().is_ok());
    let odd = &spec.oddities;
    let end_us = spec.start_us + spec.span_s as i64 * 1_000_000;
    for series in spec.series().iter().rev().take(2) {
        let mut seen_before = BTreeSet::new();
        for version in 1..=series.versions() {
            let batch = rows(series, version);
            let times = times_us(&batch);
            prop_assert!(times.iter().all(|time| (spec.start_us..end_us).contains(time)));
            let cadence_us = i64::from(spec.cadence_s) * 1_000_000;
            prop_assert!(times.iter().all(|time| (time - spec.start_us) % cadence_us == 0));
            prop_assert!(odd.out_of_order_series_ppm > 0 || times.is_sorted());
            let distinct: BTreeSet<i64> = times.iter().copied().collect();
            prop_assert!(odd.duplicates_ppm > 0 || distinct.len() == times.len());
            prop_assert!(distinct.is_disjoint(&seen_before), "a time is in one version only");
            let starts_late = seen_before.last() > distinct.first();
            prop_assert!(odd.late_rows_ppm > 0 || !starts_late);
            seen_before.extend(distinct);
            let nulls: usize = batch.columns().iter().map(|column| column.null_count()).sum();
            prop_assert!(odd.nulls_ppm > 0 || nulls == 0);
            prop_assert!(series.batches(version).all(|batch| (1..=8_192).contains(&batch.num_rows())));
            let mut twice = [Canon::default(), Canon::default()];
            twice[0].add(&batch);
            series.batches(version).for_each(|batch| twice[1].add(&batch));
            // A version that lies wholly in gaps has no batches to compare.
            let [once, again] = twice.map(Canon::finish);
            prop_assert!(batch.num_rows() == 0 || once == again);
        }
        let slots = spec.planned_rows() / spec.files();
        prop_assert!(seen_before.len() as u64 <= slots);
        prop_assert!(odd.gaps_ppm > 0 || seen_before.len() as u64 == slots, "late rows do arrive");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn any_spec_keeps_its_promises(spec in specs()) {
        check(&spec)?;
    }
}
