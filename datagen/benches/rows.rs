//! How fast rows are made: `cargo bench -p datagen`.
//!
//! `clean` has no oddities, `nulls` is what the `rows-*` sizes are, `odd` has everything. Throughput is in
//! rows; a row has 7 values and a timestamp.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use datagen::{Oddities, PondSpec};

const ROWS: u64 = 1_000_000;

fn rows(criterion: &mut Criterion) {
    let table = PondSpec::named("rows-1m").expect("a known size");
    let odd = Oddities { out_of_order_series_ppm: 1_000_000, ..Oddities::REALISTIC };
    let cases = [("clean", Oddities::NONE), ("nulls", table.oddities.clone()), ("odd", odd)];
    let mut group = criterion.benchmark_group("rows");
    group.throughput(Throughput::Elements(ROWS)).sample_size(10);
    for (name, oddities) in cases {
        let spec = PondSpec { oddities, ..table.clone() };
        let series = spec.series();
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let rows = |version| series[0].batches(version).map(|batch| black_box(batch).num_rows());
                (1..=series[0].versions()).flat_map(rows).sum::<usize>()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, rows);
criterion_main!(benches);
