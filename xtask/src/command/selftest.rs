//! `cargo xtask selftest`: plant faults, and compare what is the same, to see how far the gate can be trusted.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, ensure};
use scenarios::Thresholds;

use super::{beside, print};
use crate::cli::{SelftestOptions, Tier};
use crate::engine_store::Engine;
use crate::exit::{Exit, Stop};
use crate::fingerprint::{Context, Machine};
use crate::noise::{LEAST_MARGIN_PPM, Noise};
use crate::paths::Paths;
use crate::plan::{self, PlannedCell};
use crate::record::{BaseHeader, CutLine, EndLine, FORMAT, Header, Line, Record, RecordWriter, Side};
use crate::resolve;
use crate::revision::{Layout, Revision};
use crate::runner::calibrate::{Goal, calibrate};
use crate::runner::pairs::{Sides, confirm_pairs, measure_pairs};
use crate::runner::{self, Done, Surroundings};
use crate::selection::{self, DEFAULT_SUITE};
use crate::selftest::{
    COUNTED, Expected, Experiment, FULL, Head, Outcome, QUICK, Span, TIMED, Tally, complaint_of_all,
    markdown, probes, table,
};
use crate::summary::Summary;
use crate::timing::Timing;
use crate::verdict::{Scope, Times, Verdict, compare};
use crate::work_folder::WorkFolder;
use crate::{clock, document, noise, random};

/// The lengths of measurements.
const SPANS: [Span; 3] = [Span::Short, Span::Middle, Span::Long];

/// What the warm executions of a process should come to.
fn goal(span: Span) -> Goal {
    match span {
        Span::Short => Goal { measured_ns: 20_000_000, executions: 1 },
        Span::Middle => Goal { measured_ns: 60_000_000, executions: 4 },
        Span::Long => Goal { measured_ns: 200_000_000, executions: 12 },
    }
}

/// What is in the folder of a self-test once all of it is done and told.
const FINISHED: &str = "finished";

/// The suites that the cells are of.
const SUITES: [&str; 2] = [DEFAULT_SUITE, "small"];

/// What every experiment has.
struct Bench<'a> {
    paths: &'a Paths,
    work: &'a Path,
    folder: PathBuf,
    /// The cells by the length of measurements, those that some experiment has.
    planned: Vec<(Span, Vec<PlannedCell>)>,
    revision: &'a Revision,
    /// The engine that plants can be planted in.
    planted: Engine,
}

/// Runs the command.
pub(crate) fn run(paths: &Paths, options: &SelftestOptions) -> anyhow::Result<Exit> {
    let experiments = chosen(options)?;
    let revision = Revision::of_working_tree(paths)?;
    // There before anything is built, so that what was interrupted then is not taken for the self-test before it.
    let folder = folder(paths, options)?;
    let planted = revision.build(paths, Layout::Planted)?;
    for experiment in &experiments {
        revision.build(paths, layout(experiment.head))?;
    }
    let work = WorkFolder::make(paths)?;
    std::fs::create_dir_all(paths.ponds())?;
    let mut bench =
        Bench { paths, work: &work.path, folder, planned: Vec::new(), revision: &revision, planted };
    let plain = bench.surroundings(Side::Head, &bench.planted.binary);
    let uncalibrated = planned(paths)?;
    for span in SPANS.into_iter().filter(|span| experiments.iter().any(|one| one.span == *span)) {
        let mut planned = uncalibrated.clone();
        calibrate(&plain, &mut planned, goal(span))?;
        bench.planned.push((span, planned));
    }
    let mut outcomes = Vec::new();
    for experiment in &experiments {
        eprintln!("selftest: {}, {} runs", experiment.name, experiment.runs);
        let tally = bench.tally(experiment)?;
        outcomes.push(Outcome { experiment: *experiment, tally });
    }
    let count = |of: fn(&Tally) -> u64| outcomes.iter().map(|outcome| of(&outcome.tally)).sum::<u64>();
    let finished = bench.folder.join(FINISHED);
    if count(|tally| tally.runs) > count(|tally| tally.runs_before) {
        let _ = std::fs::remove_file(&finished);
    } else if finished.exists() {
        return Err(Stop::error(Exit::Usage, "the latest self-test is finished; run without --resume"));
    }
    eprintln!("selftest: probes for silent success");
    let probed = probes::run(bench.work)?;
    let of_all = complaint_of_all(&outcomes);
    let failed = outcomes.iter().filter(|outcome| outcome.complaint().is_some()).count()
        + usize::from(of_all.is_some())
        + probed.iter().filter(|probed| !probed.is_right()).count();
    let verdict = match failed {
        0 => "PASS: every experiment and probe came out as it should (exit code 0)".to_owned(),
        _ => format!("FAILED: {failed} experiments or probes did not come out as they should (exit code 5)"),
    };
    let tables = [table(&outcomes).terminal(), probes::table(&probed).terminal()].join("\n");
    let of_all = of_all.map_or_else(String::new, |complaint| format!("FAILED: {complaint}\n"));
    print(&format!("{tables}\n{of_all}{verdict}\n"))?;
    if !options.quick && options.names.is_empty() {
        let machine = Machine::read();
        let when =
            outcomes.iter().filter_map(|outcome| outcome.tally.began.clone()).min().unwrap_or_default();
        let same = changes(&outcomes, Head::Same);
        // A comment moves no code.
        let rebuilt = changes(&outcomes, Head::OtherLayout);
        let noise = Noise::of(&rebuilt, &same, machine.clone(), when.clone());
        if let Some(noise) = &noise {
            noise.write(paths)?;
        }
        let (_, margin) = noise::margin(None, noise.as_ref());
        let mut text = markdown(&outcomes, &when, &machine.to_string(), "cargo xtask selftest");
        text.push_str(&format!("\nWith that, comparisons on this machine have a {margin}.\n"));
        document::put(paths, "selftest", &format!("{text}\n{}", probes::table(&probed).markdown()))?;
    }
    std::fs::write(&finished, format!("{verdict}\n"))
        .with_context(|| format!("cannot write {}", finished.display()))?;
    Ok(if failed == 0 { Exit::Pass } else { Exit::Failed })
}

/// Returns the experiments that are asked for.
fn chosen(options: &SelftestOptions) -> anyhow::Result<Vec<Experiment>> {
    let all: &[Experiment] = if options.quick { &QUICK } else { &FULL };
    let is_asked = |experiment: &&Experiment| {
        options.names.is_empty() || options.names.iter().any(|name| experiment.name.contains(name.as_str()))
    };
    let chosen: Vec<Experiment> = all.iter().filter(is_asked).copied().collect();
    if chosen.is_empty() {
        let known: Vec<&str> = all.iter().map(|experiment| experiment.name).collect();
        let message = format!("no experiment is called that; there are: {}", known.join("; "));
        return Err(Stop::error(Exit::Usage, message));
    }
    Ok(chosen)
}

/// Returns the folder of the records, one of each run: a new one, or that of the latest self-test if it is to go on.
fn folder(paths: &Paths, options: &SelftestOptions) -> anyhow::Result<PathBuf> {
    let all = paths.target.join("pondmark/selftest").join(if options.quick { "quick" } else { "full" });
    if !options.resume {
        let new = all.join(clock::stamp(clock::now_seconds()));
        std::fs::create_dir_all(&new).with_context(|| format!("cannot make {}", new.display()))?;
        return Ok(new);
    }
    let message = || format!("there is no self-test in {}; run without --resume", all.display());
    let entries = std::fs::read_dir(&all).map_err(|_| Stop::error(Exit::Usage, message()))?;
    let folders: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    folders.into_iter().max().ok_or_else(|| Stop::error(Exit::Usage, message()))
}

/// Returns how the head of an experiment is built.
fn layout(head: Head) -> Layout {
    match head {
        Head::Same => Layout::Planted,
        Head::OtherLayout => Layout::PlantedOther,
        Head::Commented => Layout::PlantedCommented,
    }
}

/// Returns the changes that were seen of the same code, on a quiet machine, in builds of a kind.
fn changes(outcomes: &[Outcome], head: Head) -> Vec<f64> {
    let asked = outcomes.iter().filter(|Outcome { experiment, .. }| {
        experiment.expected == Expected::Silence && !experiment.loaded && experiment.head == head
    });
    asked.flat_map(|outcome| outcome.tally.changes.iter().copied()).collect()
}

/// Plans the cells of the self-test, those that are only counted last.
fn planned(paths: &Paths) -> anyhow::Result<Vec<PlannedCell>> {
    let mut all = Vec::new();
    for selection in selection::select(&paths.suites(), &SUITES.map(str::to_owned))? {
        all.extend(plan::plan(&selection, Tier::All));
    }
    let find = |id: &&str| all.iter().find(|planned| planned.cell.id() == **id).cloned();
    let cells: Vec<PlannedCell> = TIMED.iter().chain(&COUNTED).filter_map(find).collect();
    ensure!(
        cells.len() == TIMED.len() + COUNTED.len(),
        "the suites {} lack a cell of the self-test",
        SUITES.join(" and ")
    );
    Ok(cells)
}

impl Bench<'_> {
    fn surroundings(&self, side: Side, engine: &Path) -> Surroundings {
        Surroundings::new(self.paths, side, engine, self.work)
    }

    fn with_fault(&self, side: Side, engine: &Path, fault: &'static str) -> Surroundings {
        Surroundings { fault, ..self.surroundings(side, engine) }
    }

    fn build(&self, layout: Layout) -> anyhow::Result<Engine> {
        self.revision.build(self.paths, layout)
    }

    fn tally(&self, experiment: &Experiment) -> anyhow::Result<Tally> {
        let base = &self.planted.binary;
        let engine = self.build(layout(experiment.head))?;
        let head = self.with_fault(Side::Head, &engine.binary, experiment.plant);
        let sides = Sides {
            compared: [self.surroundings(Side::Base, base), head],
            canary: [self.surroundings(Side::CanaryBase, base), self.surroundings(Side::CanaryHead, base)],
        };
        let _load = if experiment.loaded { Some(Load::begin()?) } else { None };
        let mut tally = Tally::default();
        for run in 0..experiment.runs {
            let wanted = self.header(experiment, run, &sides, &engine)?;
            let before = self.finished(&wanted)?;
            tally.runs_before += u64::from(before.is_some());
            let (record, timing) = match before {
                Some(record) => (record, None),
                None => self.measure(experiment, wanted, &sides)?,
            };
            add(&mut tally, &record, timing)?;
        }
        Ok(tally)
    }

    /// Returns the record of a run that an interrupted self-test has finished; one that it only began, or in which a
    /// cell failed, is removed.
    fn finished(&self, wanted: &Header) -> anyhow::Result<Option<Record>> {
        let folder = self.folder.join(&wanted.run);
        if !folder.exists() {
            return Ok(None);
        }
        if folder.join("samples.jsonl").is_file() {
            // Fails if another harness goes on with it.
            RecordWriter::resume(&folder)?;
            let record = Record::read(&folder, CutLine::Refuse)?;
            let what = |header: &Header| {
                let base = header.base.as_ref().map(|base| {
                    (base.engine_digest.clone(), base.pairs, base.margin_ppm, base.equivalence_ppm)
                });
                let cells: Vec<String> = header.planned.iter().map(|planned| planned.cell.id()).collect();
                (header.engine_digest.clone(), base, cells, header.context.machine.clone())
            };
            if what(&record.header) != what(wanted) {
                let message = "the latest self-test was of other engines or cells, or on another machine; run without \
                               --resume";
                return Err(Stop::error(Exit::Usage, message));
            }
            if record.end.is_some() && record.failures.is_empty() {
                return Ok(Some(record));
            }
        }
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        Ok(None)
    }

    /// Measures a run; returns its record, and what its times say if that is known by then.
    fn measure(
        &self,
        experiment: &Experiment,
        wanted: Header,
        sides: &Sides,
    ) -> anyhow::Result<(Record, Option<Timing>)> {
        let (mut record, header) = RecordWriter::create(&self.folder, wanted)?;
        let mut done = Done::default();
        runner::prepare(&sides.compared[0], &header.planned, &mut record, &mut done)?;
        measure_pairs(sides, &header, None, &mut record, &mut done)?;
        let timing =
            if experiment.exact { None } else { self.confirm(experiment, &header, &mut record, &mut done)? };
        record
            .append(&[Line::End(EndLine { ended: clock::text(clock::now_seconds()), processes_cut: 0 })])?;
        Ok((Record::read(record.folder(), CutLine::Refuse)?, timing))
    }

    /// Measures what was called slower or faster again, on builds with other layouts, as `bench` does. Returns what the
    /// times said if nothing was, so that it need not be worked out again.
    fn confirm(
        &self,
        experiment: &Experiment,
        header: &Header,
        record: &mut RecordWriter,
        done: &mut Done,
    ) -> anyhow::Result<Option<Timing>> {
        let timing = Timing::of(&Record::read(record.folder(), CutLine::Refuse)?)?;
        let flagged = timing.as_ref().map(Timing::flagged).unwrap_or_default();
        if flagged.is_empty() {
            return Ok(timing);
        }
        let base = self.build(Layout::PlantedOther)?;
        let head = match experiment.head {
            Head::Same => base.clone(),
            // What one layout does says nothing of what a third does.
            Head::OtherLayout => self.build(Layout::PlantedThird)?,
            Head::Commented => self.build(Layout::PlantedCommented)?,
        };
        let head = self.with_fault(Side::ConfirmHead, &head.binary, experiment.plant);
        let sides = [self.surroundings(Side::ConfirmBase, &base.binary), head];
        confirm_pairs(&sides, header, &flagged, None, record, done)?;
        Ok(None)
    }

    fn header(
        &self,
        experiment: &Experiment,
        run: u32,
        sides: &Sides,
        head: &Engine,
    ) -> anyhow::Result<Header> {
        let hello = runner::greet(&sides.compared[0].engine).ok();
        let context = Context::read(&self.paths.root, hello.as_ref());
        let name = format!("{}-{}", experiment.name.replace(' ', "-").replace('%', "percent"), run + 1);
        let seed = random::seed(&format!("{}{name}", self.folder.display()));
        let base = BaseHeader {
            name: "the same engine".to_owned(),
            engine_digest: self.planted.digest.clone(),
            context: context.clone(),
            pairs: beside::PAIRS,
            seed,
            margin_ppm: LEAST_MARGIN_PPM,
            equivalence_ppm: beside::EQUIVALENCE_PPM,
            canary: TIMED.first().filter(|_| !experiment.exact).map(|id| (*id).to_owned()),
            confirm: !experiment.exact,
        };
        let of_span = self.planned.iter().find(|(span, _)| *span == experiment.span);
        let mut planned = of_span.map(|(_, planned)| planned.clone()).expect("every span is planned");
        if !experiment.exact {
            planned.truncate(TIMED.len());
        }
        Ok(Header {
            format: FORMAT,
            run: name,
            started: clock::text(clock::now_seconds()),
            suite: DEFAULT_SUITE.to_owned(),
            filters: Vec::new(),
            tier: if experiment.exact { Tier::Exact } else { Tier::All },
            against: None,
            base: Some(base),
            engine_digest: head.digest.clone(),
            thresholds: Thresholds::default(),
            context,
            suite_cells: planned.iter().map(|planned| planned.cell.id()).collect(),
            planned,
        })
    }
}

/// Adds what a run says of its cells; what its times say is worked out unless it is given.
fn add(tally: &mut Tally, record: &Record, timing: Option<Timing>) -> anyhow::Result<()> {
    if let Some(failure) = record.failures.first() {
        let message = format!("{}: {}", failure.cell, failure.message);
        return Err(Stop::error(Exit::Failed, message));
    }
    let began = &record.header.started;
    tally.began = Some(tally.began.take().map_or_else(|| began.clone(), |first| first.min(began.clone())));
    let base = record.header.base.as_ref().context("a run of the self-test has a base")?;
    tally.runs += 1;
    let timing = match timing {
        None if record.header.tier != Tier::Exact => Timing::of(record)?,
        known => known,
    };
    if let Some(timing) = timing {
        let before = tally.slower + tally.faster;
        for cell in timing.cells.values() {
            tally.add(timing.verdict(cell), cell.judged.pairs);
            if !timing.contaminated {
                tally.changes.push(cell.judged.test.effect);
            }
        }
        tally.runs_called += u64::from(tally.slower + tally.faster > before);
        tally.contaminated += u64::from(timing.contaminated);
    }
    let head = Summary::of(record).measured();
    let base = resolve::of_base(record, base);
    let scope = Scope { counters: true, bounded: true, times: Times::InPairs };
    let comparison = compare(&base.measured, &head, &base.suite_cells, scope);
    tally.counters_compared += comparison.cells.len() as u64;
    let has_moved = |verdict: &&Verdict| !matches!(verdict, Verdict::Unchanged);
    tally.counters_moved += comparison.cells.values().filter(has_moved).count() as u64;
    for finding in &comparison.findings {
        let worse = (finding.verdict == Verdict::Regressed).then_some(&mut tally.named);
        for names in worse.into_iter().chain([&mut tally.moved]) {
            if let Some(metric) = finding.metric.as_ref().filter(|metric| !names.contains(metric)) {
                names.push(metric.clone());
            }
        }
    }
    Ok(())
}

/// Keeps a processor busy as long as the harness is there.
const LOAD: &str =
    "while kill -0 $PPID; do i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; done 2> /dev/null";

/// Processes that compete with what is measured, until it is dropped.
struct Load(Vec<Child>);

impl Load {
    fn begin() -> anyhow::Result<Self> {
        let mut load = Self(Vec::new());
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let mut command = Command::new("sh");
            command.args(["-c", LOAD]).stdin(Stdio::null()).stdout(Stdio::null());
            load.0.push(command.spawn().context("cannot start a competing process")?);
        }
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
