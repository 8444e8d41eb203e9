//! The bytes of the named sizes, pinned. A change here is a change of `GENERATOR_VERSION` and of every
//! baseline: change the constants only when the data is meant to change.

use datagen::{PondSpec, SIZES};

use crate::canon::{Canon, known, pond_digest, series_digest, short};

#[test]
fn specs_keep_their_digests() {
    let expect = [
        ("tiny", "1d619af9be264a30"),
        ("small", "eaf4235be2092f52"),
        ("medium", "72221a0990539beb"),
        ("large", "bc66a417bdc01f20"),
        ("rows-1m", "18ce37c3b984563f"),
        ("rows-10m", "9798efc74f1644d4"),
        ("rows-100m", "d480c7b470ed1c83"),
        ("deep", "014cffdb8d5a561b"),
        ("wide", "3102f5d74dbdc673"),
        ("history-1", "8f5e7f0f0d6950d0"),
        ("history-10", "e0f151788d5c4022"),
        ("history-100", "db467a19af723a62"),
        ("history-1000", "201f38e94ec924d5"),
        ("versions", "65467f9aee24552a"),
    ];
    assert_eq!(expect.map(|(size, _)| size), SIZES);
    for (size, digest) in expect {
        assert_eq!(known(size).digest(), digest, "{size}");
    }
}

#[test]
fn whole_ponds_keep_their_bytes() {
    let check = |size, expect| assert_eq!(pond_digest(&known(size)), expect, "{size}");
    check("tiny", "3444748fb6bf4f04");
    check("small", "620ebbde7e1306b9");
    check("deep", "bdecfa0addb921fe");
    check("wide", "bbae292fedcd9a5f");
}

#[test]
fn the_first_and_last_series_of_large_ponds_keep_their_bytes() {
    let check = |size, first, last| {
        let series = known(size).series();
        let digest = |index: usize| short(series_digest(&series[index]));
        assert_eq!((digest(0).as_str(), digest(series.len() - 1).as_str()), (first, last), "{size}");
    };
    check("medium", "25bdce980a073b99", "dbffffb2b18d2886");
    check("large", "63dee54b2a36f6ee", "aa4cebac23652d4d");
}

#[test]
fn the_first_rows_of_the_tables_keep_their_bytes() {
    let check = |size, expect| {
        let series = known(size).series();
        let mut canon = Canon::default();
        let mut rows = 0;
        for batch in series[0].batches(1).take(4) {
            rows += batch.num_rows();
            canon.add(&batch);
        }
        assert_eq!((rows, short(canon.finish()).as_str()), (4 * 8_192, expect), "{size}");
    };
    check("rows-1m", "3a84bc2938a32086");
    check("rows-100m", "00028acb2b412563");
}

#[test]
fn the_same_spec_gives_the_same_bytes_and_another_seed_gives_others() {
    let spec = known("tiny");
    let other = PondSpec { seed: 2, ..spec.clone() };
    assert_eq!(pond_digest(&spec), pond_digest(&spec));
    assert_ne!(pond_digest(&spec), pond_digest(&other));
    assert_ne!(spec.digest(), other.digest());
    let paths = |spec: &PondSpec| spec.series().iter().map(|one| one.path().to_owned()).collect::<Vec<_>>();
    assert_ne!(paths(&spec), paths(&other), "names come from the seed");
}

#[test]
fn a_series_alone_equals_the_series_among_all() {
    let spec = known("small");
    let all: Vec<_> = spec.series().iter().map(series_digest).collect();
    for index in [0, 9, 42, 99] {
        let alone = spec.series().swap_remove(index);
        let thread = std::thread::spawn(move || series_digest(&alone));
        assert_eq!(thread.join().expect("no panic"), all[index], "series {index}");
    }
}

#[test]
fn a_version_alone_equals_the_version_after_the_others() {
    let series = known("tiny").series();
    let many = series.iter().find(|one| one.versions() > 1).expect("tiny has versions");
    let digest = |version| {
        let mut canon = Canon::default();
        many.batches(version).for_each(|batch| canon.add(&batch));
        canon.finish()
    };
    let backwards: Vec<_> = (1..=many.versions()).rev().map(digest).collect();
    let forwards: Vec<_> = (1..=many.versions()).map(digest).collect();
    assert!(forwards.iter().rev().eq(&backwards));
}

#[test]
fn values_do_not_depend_on_the_version_that_shows_them() {
    use std::collections::BTreeMap;

    use arrow::array::AsArray;
    use arrow::datatypes::Float64Type;
    use datagen::Oddities;

    let one = PondSpec { oddities: Oddities::NONE, ..known("tiny") };
    let oddities = Oddities { versions_series_ppm: 1_000_000, versions_max: 5, ..Oddities::NONE };
    let many = PondSpec { oddities, ..one.clone() };
    let values = |spec: &PondSpec| {
        let mut found = BTreeMap::new();
        for series in spec.series() {
            for version in 1..=series.versions() {
                let batch = crate::canon::rows(&series, version);
                let first = batch.column(1).as_primitive::<Float64Type>();
                for (row, time_us) in crate::canon::times_us(&batch).into_iter().enumerate() {
                    found.insert((series.path().to_owned(), time_us), first.value(row).to_bits());
                }
            }
        }
        found
    };
    assert_eq!(values(&one), values(&many));
}
