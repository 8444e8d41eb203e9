//! Exported folders as tables, and DataFusion's caches of their files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use datafusion::execution::cache::TableScopedPath;
use datafusion::execution::cache::cache_manager::CachedFileList;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use engine::{
    CacheStats, ExportOptions, FileCacheOptions, FileCaches, Manifest, Pattern, Pond, PondOptions, TimeRange,
    Units, exported_table,
};
use insta::assert_snapshot;
use object_store::ObjectMeta;
use tokio::runtime::Runtime;

use crate::pond_command::TestPond;
use crate::query::generated;
use crate::rows::{Rows, Value};

const ALL: FileCacheOptions = FileCacheOptions {
    footer: true,
    listing: true,
    statistics: true,
    bytes: 10_000_000,
    listing_age_max: None,
};

/// A session with caches of files, which asks exported folders.
struct Session {
    caches: FileCaches,
    config: SessionConfig,
    runtime: Runtime,
}

impl Session {
    fn new(options: FileCacheOptions) -> Self {
        let mut config = SessionConfig::new().with_target_partitions(1);
        config.options_mut().sql_parser.enable_ident_normalization = false;
        Self { caches: FileCaches::new(options), config, runtime: Runtime::new().unwrap() }
    }

    /// Asks a folder, called `t`.
    fn ask(&self, folder: &Path, sql: &str) -> Rows {
        let runtime = RuntimeEnvBuilder::new().with_cache_manager(self.caches.config()).build_arc().unwrap();
        let context = SessionContext::new_with_config_rt(self.config.clone(), runtime);
        context.register_table("t", exported_table(&context, folder).unwrap()).unwrap();
        let (schema, batches) = self.runtime.block_on(async {
            let frame = context.sql(sql).await.unwrap();
            let schema = Arc::clone(frame.schema().inner());
            (schema, frame.collect().await.unwrap())
        });
        Rows::of(&schema, batches.into_iter())
    }

    /// Asks for one whole number.
    fn number(&self, folder: &Path, sql: &str) -> i64 {
        let rows = self.ask(folder, sql).rows;
        assert_eq!((rows.len(), rows[0].len()), (1, 1), "{sql}");
        let Value::Int(number) = rows[0][0] else { panic!("{sql} gives no number") };
        number
    }

    /// Returns hits, misses and stale values of a cache since an earlier state.
    fn lookups(&self, name: &str, before: &BTreeMap<&str, CacheStats>) -> (u64, u64, u64) {
        let stats = self.stats()[name].since(&before[name]);
        (stats.hits, stats.misses, stats.stale)
    }

    fn stats(&self) -> BTreeMap<&'static str, CacheStats> {
        self.caches.stats().into()
    }
}

fn export(pond: &Pond, pattern: &str, folder: &Path, temporal: &str) -> Manifest {
    let options = ExportOptions {
        patterns: vec![Pattern::parse(pattern).unwrap()],
        dir: folder.to_owned(),
        temporal: Units::parse(temporal).unwrap(),
        range: TimeRange::default(),
        jobs: 1,
        replace: true,
    };
    pond.export(&options, &|_, _| ()).unwrap()
}

#[test]
fn the_rows_are_those_of_the_pond() {
    let (folder, pond, all) = generated("tiny");
    let session = Session::new(ALL);
    let out = folder.path().join("out of it? [*] 100%");
    for (index, series) in all.iter().enumerate() {
        let temporal = ["", "year,month", "year,month,day"][index % 3];
        export(&pond, series.path(), &out, temporal);
        let expect = Rows::generated(series);
        let columns: Vec<String> = expect.columns.iter().map(|name| format!("\"{name}\"")).collect();
        let found = session.ask(&out, &format!("SELECT {} FROM t ORDER BY timestamp", columns.join(", ")));
        assert_eq!(found.columns, expect.columns);
        assert_eq!(found.times("timestamp"), expect.times("timestamp"));
        let sorted = |mut rows: Rows| {
            rows.rows.sort();
            rows.rows
        };
        assert_eq!(sorted(found), sorted(expect), "{}", series.path());
    }
}

#[test]
fn all_series_of_an_export_are_one_table() {
    let (folder, pond, all) = generated("tiny");
    let out = folder.path().join("out");
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for series in &all {
        let rows = Rows::generated(series);
        for (index, column) in rows.columns.iter().enumerate() {
            let values = rows.rows.iter().filter(|row| row[index] != Value::Null).count();
            *counts.entry(column.clone()).or_default() += values as i64;
        }
    }
    for temporal in ["", "year", "year,month,day"] {
        let manifest = export(&pond, "/**/*.series", &out, temporal);
        assert!(manifest.targets.len() > 3);
        let session = Session::new(ALL);
        assert_eq!(session.number(&out, "SELECT count(*) FROM t"), manifest.rows() as i64);
        let columns: Vec<String> = counts.keys().map(|name| format!("count(\"{name}\")")).collect();
        let found = session.ask(&out, &format!("SELECT {} FROM t", columns.join(", ")));
        let expect: Vec<_> = counts.values().map(|count| Value::Int(*count)).collect();
        assert_eq!(found.rows, [expect]);
    }
}

/// A pond with rows in three months of two years, exported by month.
fn months() -> TestPond {
    let pond = TestPond::new();
    let text = "time,v,name\n2023-12-31 23:00,1,a\n2024-01-01 00:00,2,b\n2024-01-31 23:59,3,c\n2024-02-01 00:00,4,d\n";
    pond.import("x.csv", text, "/x.series");
    pond.ok(["export", "-p", "/x.series", "-d", "out", "--temporal", "year,month"]);
    pond
}

fn explain(session: &Session, folder: &Path, sql: &str) -> String {
    let rows = session.ask(folder, &format!("EXPLAIN FORMAT indent {sql}")).rows;
    let physical = rows.into_iter().find_map(|row| match &row[..] {
        [Value::Text(kind), Value::Text(plan)] if kind == "physical_plan" => Some(plan.clone()),
        _ => None,
    });
    physical.unwrap().replace(folder.canonicalize().unwrap().to_str().unwrap().trim_start_matches('/'), "OUT")
}

#[test]
fn partitions_are_columns_of_text() {
    let (pond, session) = (months(), Session::new(ALL));
    let out = pond.path("out");
    let found = session.ask(
        &out,
        "SELECT year, month, count(*) AS n, min(name) AS first FROM t GROUP BY year, month ORDER BY year, month",
    );
    let lines: Vec<String> = found.rows.iter().map(|row| format!("{row:?}")).collect();
    assert_snapshot!(lines.join("\n"), @r#"
    [Text("2023"), Text("12"), Int(1), Text("a")]
    [Text("2024"), Text("01"), Int(2), Text("b")]
    [Text("2024"), Text("02"), Int(1), Text("d")]
    "#);
    // Only the files of the partitions asked for are opened.
    let plan = explain(&session, &out, "SELECT v FROM t WHERE year = '2024' AND month = '01'");
    assert_snapshot!(plan, @"DataSourceExec: file_groups={1 group: [[OUT/x/year=2024/month=01/data.parquet]]}, projection=[v], file_type=parquet");
}

#[test]
fn the_order_of_the_files_is_known() {
    let (pond, session) = (months(), Session::new(ALL));
    let plan = explain(&session, &pond.path("out"), "SELECT time, v FROM t ORDER BY time");
    assert!(plan.contains("output_ordering=[time"), "{plan}");
    assert!(!plan.contains("SortExec"), "{plan}");
}

#[test]
fn a_re_export_is_seen_with_every_setting_of_the_caches() {
    for setting in 0..8u8 {
        let options = FileCacheOptions {
            footer: setting & 1 != 0,
            listing: setting & 2 != 0,
            statistics: setting & 4 != 0,
            ..ALL
        };
        let (pond, session) = (TestPond::new(), Session::new(options));
        let out = pond.path("out");
        // Each next export has the same names and sizes of files, or other files.
        for (round, rows) in ["01-01 00:00,1", "01-01 00:00,2", "02-01 00:00,3"].iter().enumerate() {
            pond.import("x.csv", &format!("time,v\n2024-{rows}\n"), "/x.table");
            pond.ok(["export", "-p", "/x.table", "-d", "out", "--temporal", "year,month"]);
            for _ in 0..2 {
                let sum = session.number(&out, "SELECT sum(v) FROM t");
                assert_eq!(sum, round as i64 + 1, "{options:?}");
            }
        }
    }
}

#[test]
fn the_second_query_finds_what_the_first_one_kept() {
    let (pond, session) = (months(), Session::new(ALL));
    let out = pond.path("out");
    let sql = "SELECT sum(v) FROM t WHERE v > 1";
    assert_eq!(session.number(&out, sql), 9);
    let first = session.stats();
    for (name, entries) in [("footer", 3), ("listing", 1), ("statistics", 3)] {
        let stats = first[name];
        assert_eq!(
            (stats.misses, stats.entries, stats.stale, stats.evictions),
            (entries, entries, 0, 0),
            "{name}"
        );
        assert!(stats.bytes > 0 && stats.compute_ns > 0, "{name}");
    }
    assert_eq!(session.number(&out, sql), 9);
    for name in ["footer", "listing", "statistics"] {
        let (hits, misses, stale) = session.lookups(name, &first);
        assert_eq!((hits > 0, misses, stale), (true, 0, 0), "{name}");
    }
    // The same files, written again: their footers are found by path and are stale; the other keys are new.
    std::thread::sleep(Duration::from_millis(20));
    let again =
        ["export", "-p", "/x.series", "-d", "out", "--temporal", "year,month", "--set", "incremental=off"];
    pond.ok(again);
    let before = session.stats();
    assert_eq!(session.number(&out, sql), 9);
    let (_, misses, stale) = session.lookups("footer", &before);
    assert_eq!((misses, stale), (3, 3));
    assert_eq!(session.lookups("listing", &before), (0, 1, 0));
    assert_eq!(session.lookups("statistics", &before), (0, 3, 0));
    // After an invalidation nothing of the folder is left, of whichever export.
    assert_eq!(session.caches.invalidate(&pond.path("elsewhere")).unwrap(), 0);
    assert_eq!(session.caches.invalidate(&out).unwrap(), 3 + 2 + 6);
    assert!(session.stats().values().all(|stats| stats.entries == 0 && stats.bytes == 0));
    assert_eq!(session.number(&out, sql), 9);
}

#[test]
fn caches_that_are_off_keep_nothing() {
    let off = FileCacheOptions { footer: false, listing: false, statistics: false, ..ALL };
    let (pond, session) = (months(), Session::new(off));
    for _ in 0..2 {
        assert_eq!(session.number(&pond.path("out"), "SELECT sum(v) FROM t WHERE v > 1"), 9);
    }
    let stats = session.stats();
    assert!(
        stats.values().all(|stats| (stats.hits, stats.entries, stats.evictions) == (0, 0, 0)),
        "{stats:?}"
    );
    assert!(stats["footer"].misses >= 6, "{stats:?}");
}

fn listing(files: &[&str]) -> CachedFileList {
    let one = |path: &&str| ObjectMeta {
        location: (*path).into(),
        last_modified: chrono::DateTime::UNIX_EPOCH,
        size: 1,
        e_tag: None,
        version: None,
    };
    CachedFileList::new(files.iter().map(one).collect())
}

fn key(path: &str) -> TableScopedPath {
    TableScopedPath { table: None, path: path.into() }
}

#[test]
fn every_step_of_datafusion_is_counted() {
    // Room for three listings of one file.
    let one = FileCaches::new(ALL);
    one.config().list_files_cache.unwrap().put(&key("a"), listing(&["a/1"]));
    let bytes = 3 * one.stats()[1].1.bytes as usize;
    let caches = FileCaches::new(FileCacheOptions { bytes, ..ALL });
    let cache = caches.config().list_files_cache.unwrap();
    let counted = || {
        let CacheStats { hits, misses, evictions, stale, entries, .. } = caches.stats()[1].1;
        (hits, misses, evictions, stale, entries)
    };
    assert_eq!(cache.get(&key("a")), None);
    assert_eq!(counted(), (0, 1, 0, 0, 0));
    cache.put(&key("a"), listing(&["a/1"]));
    assert!(cache.get(&key("a")).is_some());
    assert_eq!(counted(), (1, 1, 0, 0, 1));
    // The same again, as of two that missed together, is not stale; another state is, and the hit was none.
    cache.put(&key("a"), listing(&["a/1"]));
    assert_eq!(counted(), (1, 1, 0, 0, 1));
    cache.put(&key("a"), listing(&["a/2"]));
    assert_eq!(counted(), (0, 2, 0, 1, 1));
    for path in ["b", "c", "d"] {
        assert_eq!(cache.get(&key(path)), None);
        cache.put(&key(path), listing(&[&format!("{path}/1")]));
    }
    assert_eq!(counted(), (0, 5, 1, 1, 3));
    assert_eq!(caches.stats()[1].1.bytes, bytes as u64);
    // Too large, and empty.
    cache.put(&key("e"), listing(&["e/1"; 50]));
    assert_eq!(counted(), (0, 5, 2, 1, 3));
    cache.put(&key("f"), listing(&[]));
    assert_eq!(counted(), (0, 5, 2, 1, 3));
    cache.remove(&key("d"));
    assert_eq!(counted(), (0, 5, 2, 2, 2));
}

#[test]
fn a_listing_leaves_at_its_age() {
    let caches = FileCaches::new(FileCacheOptions { listing_age_max: Some(Duration::ZERO), ..ALL });
    let cache = caches.config().list_files_cache.unwrap();
    cache.put(&key("a"), listing(&["a/1"]));
    std::thread::sleep(Duration::from_millis(2));
    assert_eq!(cache.get(&key("a")), None);
    let stats = caches.stats()[1].1;
    assert_eq!((stats.hits, stats.misses, stats.evictions, stats.entries), (0, 1, 1, 0));
}

#[test]
fn a_folder_that_is_no_table_is_refused() {
    let pond = TestPond::new();
    let context = SessionContext::new();
    let refused = |folder: &str| {
        let error = exported_table(&context, &pond.path(folder)).unwrap_err().to_string();
        pond.plain(error.as_bytes())
    };
    assert_snapshot!(refused("nowhere"), @"cannot open [TEMP]/nowhere: No such file or directory (os error 2)");
    std::fs::create_dir(pond.path("empty")).unwrap();
    assert_snapshot!(refused("empty"), @"[TEMP]/empty: it has no manifest.json; name the folder of an export");
    pond.file("newer/manifest.json", r#"{"format": 99, "other": 1}"#);
    assert_snapshot!(refused("newer"), @"[TEMP]/newer: its manifest has format 99, and this program reads format 2 at most; use a newer `pond`");
    pond.file("half/manifest.json", r#"{"format": 1, "schemas": ["#);
    assert_snapshot!(refused("half"), @"[TEMP]/half: its manifest cannot be read: EOF while parsing a list at line 1 column 26");
    pond.import("a.csv", "time,v\n2024-01-01,1\n", "/a.series");
    pond.import("b.csv", "time,v\n2024-01-01,text\n", "/b.series");
    pond.ok(["export", "-p", "/*.series", "-d", "types"]);
    assert_snapshot!(refused("types"), @"[TEMP]/types: column 'v' is Int64 in one series and Utf8 in another; export them apart");
    pond.import("b.csv", "time,v,year\n2024-01-01,1,2\n", "/c.series");
    let arguments =
        ["export", "-p", "/a.series", "-p", "/c.series", "-d", "partitions", "--temporal", "year"];
    assert!(pond.command(arguments).output().unwrap().status.success());
    assert_snapshot!(refused("partitions"), @"[TEMP]/partitions: /a.series is partitioned by year and /c.series by part_year; export them apart");
}

#[test]
fn an_export_without_rows_is_a_table_without_rows() {
    let pond = TestPond::new();
    pond.import("a.csv", "time,v\n2024-01-01,1\n", "/a.series");
    let arguments = ["export", "-p", "/a.series", "-d", "out", "--start", "2025-01-01"];
    assert!(pond.command(arguments).output().unwrap().status.success());
    let session = Session::new(ALL);
    assert_eq!(session.number(&pond.path("out"), "SELECT count(v) FROM t"), 0);
}

#[test]
fn the_library_and_the_program_write_the_same_manifest() {
    assert_eq!(engine::MANIFEST_FORMAT, 2, "exported tables read manifests of this format too");
    let pond = months();
    let library = Pond::open(&pond.root(), PondOptions::default()).unwrap();
    export(&library, "/x.series", &pond.path("again"), "year,month");
    let session = Session::new(ALL);
    let context = SessionContext::new();
    let schema = exported_table(&context, &pond.path("again")).unwrap().schema();
    assert_eq!(schema.fields().len(), 5);
    assert_eq!(session.number(&pond.path("again"), "SELECT sum(v) FROM t"), 10);
    assert_eq!(session.ask(&pond.path("again"), "SELECT v FROM t").rows.len(), 4);
}
