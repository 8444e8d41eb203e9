//! The `pond cell` protocol: every workload, exact counters that repeat, answers that are right.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use datagen::PondSpec;
use engine::{Explained, Pond, PondOptions, TimeRange};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use scenarios::wire::{Event, PROTOCOL, Request};
use scenarios::{Cell, Kind, Metric, Phase, Sample, Workload};
use tempfile::TempDir;

use crate::pond_command::files_below;
use crate::rows::Rows;

/// A running engine.
struct Engine {
    child: Child,
    requests: ChildStdin,
    events: BufReader<ChildStdout>,
}

impl Engine {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pond"));
        let mut child = command
            .arg("cell")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let requests = child.stdin.take().unwrap();
        let events = BufReader::new(child.stdout.take().unwrap());
        Self { child, requests, events }
    }

    fn event(&mut self) -> Option<Event> {
        let mut line = String::new();
        (self.events.read_line(&mut line).unwrap() > 0).then(|| Event::from_line(&line).unwrap())
    }

    /// Sends a request; returns what came before the last event, and that.
    fn ask(&mut self, request: &Request) -> (Vec<Event>, Event) {
        writeln!(self.requests, "{}", request.to_line()).unwrap();
        let mut before = Vec::new();
        loop {
            match self.event().expect("an answer") {
                last @ (Event::Prepared { .. }
                | Event::Done { .. }
                | Event::Explained { .. }
                | Event::Failed { .. }) => {
                    return (before, last);
                }
                event => before.push(event),
            }
        }
    }

    /// Ends the input; the engine must end well and say nothing more.
    fn end(mut self) {
        drop(self.requests);
        let mut rest = String::new();
        self.events.read_line(&mut rest).unwrap();
        assert_eq!(rest, "");
        assert!(self.child.wait().unwrap().success());
    }
}

fn cell(workload: Workload, parameters: &[(&str, &str)]) -> Cell {
    let text = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let mut parameters: BTreeMap<String, String> = parameters.iter().map(text).collect();
    parameters.insert("size".to_owned(), "tiny".to_owned());
    Cell {
        suite: "test".to_owned(),
        scenario: workload.name().to_owned(),
        workload,
        point: Vec::new(),
        parameters,
        expected: None,
    }
}

fn all_cells() -> Vec<Cell> {
    let export = [("pattern", "/**/*.series"), ("temporal", "year,month")];
    vec![
        cell(Workload::Import, &[("format", "csv")]),
        cell(Workload::Import, &[("format", "parquet")]),
        cell(Workload::Open, &[]),
        cell(Workload::Pattern, &[("pattern", "/*/*/*.series")]),
        cell(Workload::Query, &[("query", "point")]),
        cell(Workload::Query, &[("query", "range"), ("series", "1")]),
        cell(Workload::Query, &[("query", "aggregate"), ("series", "2")]),
        cell(Workload::Export, &export),
        cell(
            Workload::Export,
            &[("pattern", "/**"), ("temporal", ""), ("jobs", "1"), ("start", "2024-01-01T00:00:00Z")],
        ),
        cell(Workload::ReExport, &export),
        cell(Workload::Commit, &[]),
    ]
}

/// The folders of one engine.
struct Folders {
    folder: TempDir,
}

impl Folders {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn ponds(&self) -> PathBuf {
        self.folder.path().join("ponds")
    }

    fn work(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }
}

/// Prepares and runs a cell in a fresh engine.
fn run(cell: &Cell, ponds_dir: &Path, work_dir: &Path, warm: u32) -> Vec<Sample> {
    let mut engine = Engine::start();
    assert!(matches!(engine.event(), Some(Event::Hello { .. })));
    let (_, prepared) = engine.ask(&Request::Prepare { cell: cell.clone(), ponds_dir: ponds_dir.to_owned() });
    let spec = PondSpec::named("tiny").unwrap();
    assert!(
        matches!(prepared, Event::Prepared { files, rows, .. } if files == spec.files() && rows == spec.planned_rows()),
        "{prepared:?}"
    );
    let (ponds_dir, work_dir) = (ponds_dir.to_owned(), work_dir.to_owned());
    let (events, last) =
        engine.ask(&Request::Run { cell: cell.clone(), ponds_dir, work_dir, in_turn: false, warm });
    assert_eq!(last, Event::Done { samples: warm + 1 }, "{}", cell.id());
    engine.end();
    let sample = |event| if let Event::Sample { sample } = event { sample } else { panic!("{event:?}") };
    events.into_iter().map(sample).collect()
}

#[test]
fn the_engine_greets_and_ends() {
    let mut engine = Engine::start();
    let hello = engine.event();
    let Some(Event::Hello { protocol, engine: version, pond_format, profile }) = hello else {
        panic!("{hello:?}")
    };
    assert_eq!((protocol, pond_format), (PROTOCOL, engine::POND_FORMAT));
    assert_eq!((version.as_str(), profile.as_str()), (env!("CARGO_PKG_VERSION"), "debug"));
    engine.end();
}

#[test]
fn every_workload_answers_the_same_cold_and_warm_and_counts_the_same_in_two_processes() {
    let folders = Folders::new();
    let mut unsteady = Vec::new();
    for (number, cell) in all_cells().iter().enumerate() {
        let work = |process: &str| folders.work(&format!("{number}-{process}"));
        let first = run(cell, &folders.ponds(), &work("a"), 2);
        let second = run(cell, &folders.ponds(), &work("b"), 2);
        assert_eq!(first[0].phase, Phase::Cold);
        assert!(first[1..].iter().all(|sample| sample.phase == Phase::Warm));
        for (index, (a, b)) in first.iter().zip(&second).enumerate() {
            assert_eq!(a.iteration as usize, index);
            assert_eq!(a.answer, first[0].answer, "{} {:?}: cold and warm", cell.id(), cell.parameters);
            assert_eq!(a.answer, b.answer, "{} {:?}: two processes", cell.id(), cell.parameters);
            assert!(a.answer.rows > 0);
            assert_eq!(a.unknown_metrics(), Vec::<&str>::new());
            for (name, value) in a.metrics_of(Kind::Exact) {
                if b.metrics[name] != value {
                    let what = (cell.workload.name(), index, name.to_owned(), value, b.metrics[name]);
                    unsteady.push(what);
                }
            }
            for name in
                ["wall_ns", "cpu_ns", "alloc_count", "alloc_bytes", "alloc_peak_bytes", "peak_rss_bytes"]
            {
                assert!(a.metrics[name] > 0, "{name}");
                assert_ne!(Metric::kind_of(name), Some(Kind::Exact));
            }
            let (peak, bytes) = (a.metrics["alloc_peak_bytes"], a.metrics["alloc_bytes"]);
            assert!(peak <= bytes, "{}: {peak} bytes at once of {bytes} in all", cell.id());
            for (name, of_stage) in a.metrics.iter().filter(|(name, _)| name.ends_with(".alloc_peak_bytes")) {
                assert!(*of_stage <= peak, "{}: {name} is {of_stage}, the whole {peak}", cell.id());
            }
        }
    }
    assert_eq!(unsteady, [], "exact counters that do not repeat: workload, iteration, name, both values");
}

#[test]
fn a_bad_cell_fails_and_the_engine_goes_on() {
    let folders = Folders::new();
    let mut engine = Engine::start();
    engine.event();
    let fails = |engine: &mut Engine, request: Request, part: &str| {
        let (_, last) = engine.ask(&request);
        let Event::Failed { message } = last else { panic!("{last:?}") };
        assert!(message.contains(part), "{message}");
    };
    let prepare = |cell: &Cell| Request::Prepare { cell: cell.clone(), ponds_dir: folders.ponds() };
    let run = |cell: &Cell| Request::Run {
        cell: cell.clone(),
        ponds_dir: folders.ponds(),
        work_dir: folders.work("work"),
        in_turn: false,
        warm: 1,
    };
    let open = cell(Workload::Open, &[]);
    fails(&mut engine, run(&open), "no pond at");
    let mut size = open.clone();
    size.parameters.insert("size".to_owned(), "tyni".to_owned());
    fails(&mut engine, prepare(&size), "tiny");
    fails(&mut engine, prepare(&cell(Workload::Import, &[("format", "xml")])), "xml");
    assert!(matches!(engine.ask(&prepare(&open)).1, Event::Prepared { built: true, .. }));
    assert!(matches!(engine.ask(&prepare(&open)).1, Event::Prepared { built: false, .. }));
    fails(&mut engine, run(&cell(Workload::Query, &[("query", "guess")])), "guess");
    fails(&mut engine, run(&cell(Workload::Query, &[("query", "point"), ("series", "99")])), "99");
    fails(
        &mut engine,
        run(&cell(Workload::Export, &[("pattern", "/none/*"), ("temporal", "")])),
        "matches no table",
    );
    fails(&mut engine, run(&cell(Workload::Export, &[("pattern", "/**"), ("temporal", "week")])), "week");
    assert!(matches!(engine.ask(&run(&open)).1, Event::Done { samples: 2 }));
    engine.end();
}

#[test]
fn a_line_that_is_no_request_ends_the_engine() {
    let mut engine = Engine::start();
    engine.event();
    writeln!(engine.requests, "{{\"request\":\"dance\"}}").unwrap();
    assert_eq!(engine.event(), None);
    assert!(!engine.child.wait().unwrap().success());
}

#[test]
fn imports_hold_exactly_the_generated_rows() {
    let folders = Folders::new();
    for format in ["csv", "parquet"] {
        let work = folders.work(format);
        let samples = run(&cell(Workload::Import, &[("format", format)]), &folders.ponds(), &work, 0);
        let pond = Pond::open(&work.join("pond"), PondOptions::default()).unwrap();
        let mut sum = 0;
        for generated in PondSpec::named("tiny").unwrap().series() {
            let series = pond.series(generated.path()).unwrap();
            let batches = series.batches(TimeRange::default()).unwrap().map(Result::unwrap);
            let found = Rows::of(series.schema(), batches);
            assert_eq!(found, Rows::generated(&generated), "{}", generated.path());
            sum += found.rows.len() as u64;
        }
        assert_eq!(samples[0].answer.rows, sum);
        assert_eq!(samples[0].metrics["rows_written"], sum);
    }
}

#[test]
fn exports_hold_exactly_the_generated_rows() {
    let folders = Folders::new();
    let work = folders.work("export");
    let parameters = [("pattern", "/**/*.series"), ("temporal", "year,month,day")];
    let samples = run(&cell(Workload::Export, &parameters), &folders.ponds(), &work, 0);
    let mut sum = 0;
    for generated in PondSpec::named("tiny").unwrap().series() {
        let stem = generated.path().trim_start_matches('/').trim_end_matches(".series");
        let mut found: Option<Rows> = None;
        for path in files_below(&work.join("out").join(stem)) {
            let builder =
                ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
            let schema = builder.schema().clone();
            for batch in builder.build().unwrap() {
                found.get_or_insert_default().add(&schema, Some(&batch.unwrap()));
            }
        }
        let found = found.expect("the series was exported");
        assert_eq!(found, Rows::generated(&generated), "{}", generated.path());
        sum += found.rows.len() as u64;
    }
    assert_eq!(samples[0].answer.rows, sum);
}

#[test]
fn queries_answer_as_many_rows_as_a_plain_computation() {
    let folders = Folders::new();
    let series = &PondSpec::named("tiny").unwrap().series()[0];
    let hours =
        Rows::generated(series).times("timestamp").iter().map(|us| us.div_euclid(3_600_000_000)).collect();
    let hours: std::collections::BTreeSet<i64> = hours;
    for (query, rows) in [("point", 1), ("range", 1), ("aggregate", hours.len() as u64)] {
        let samples =
            run(&cell(Workload::Query, &[("query", query)]), &folders.ponds(), &folders.work(query), 0);
        assert_eq!(samples[0].answer.rows, rows, "{query}");
    }
}

#[test]
fn queries_and_exports_explain_themselves() {
    let folders = Folders::new();
    let mut engine = Engine::start();
    assert!(matches!(engine.event(), Some(Event::Hello { .. })));
    let query = cell(Workload::Query, &[("query", "aggregate"), ("series", "2")]);
    engine.ask(&Request::Prepare { cell: query.clone(), ponds_dir: folders.ponds() });
    let mut explain = |cell: &Cell| {
        let (ponds_dir, work_dir) = (folders.ponds(), folders.work("explain"));
        engine.ask(&Request::Explain { cell: cell.clone(), ponds_dir, work_dir }).1
    };
    let explained = |event| {
        let Event::Explained { analysis } = event else { panic!("{event:?}") };
        let explained: Explained = serde_json::from_value(analysis).unwrap();
        explained
    };
    let of_query = explained(explain(&query));
    assert_eq!(of_query.plans.len(), 1);
    assert!(of_query.plans[0].analysis.rows > 0 && of_query.matched.is_none());
    assert!(!of_query.accesses.is_empty());

    let export = cell(Workload::Export, &[("pattern", "/**/*.series"), ("temporal", "year,month")]);
    let of_export = explained(explain(&export));
    assert_eq!(of_export.matched.unwrap().nodes.len() as u64, PondSpec::named("tiny").unwrap().files());

    let failed = explain(&cell(Workload::Open, &[]));
    let expect = "workload: there is nothing to explain about open; explain a query or an export";
    assert_eq!(failed, Event::Failed { message: expect.to_owned() });
    engine.end();
}
