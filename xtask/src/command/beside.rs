//! `cargo xtask bench --against REVISION`: the base is built and measured beside the head, in pairs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use scenarios::Cell;

use super::print;
use super::profile::draw_difference;
use crate::cli::{BenchOptions, Tier};
use crate::evaluation::Evaluation;
use crate::exit::{Exit, Stop};
use crate::fingerprint::Context;
use crate::noise::{self, Noise};
use crate::paired::Design;
use crate::paths::Paths;
use crate::plan::{self, PlannedCell};
use crate::process::FaultKind;
use crate::profile::Sampler;
use crate::record::{BaseHeader, CutLine, DifferenceLine, EndLine, Header, Line, Record, RecordWriter, Side};
use crate::report::{self, Colors};
use crate::revision::{Layout, Revision};
use crate::runner::calibrate::{Goal, calibrate};
use crate::runner::pairs::{Sides, confirm_pairs, measure_pairs};
use crate::runner::{self, Done, Surroundings, cell};
use crate::selection::Selection;
use crate::timing::Timing;
use crate::verdict::Verdict;
use crate::watch::Watch;
use crate::work_folder::WorkFolder;
use crate::{clock, engine_build, engine_code, engine_store, explained, random, thresholds};

/// Pairs of processes for a cell, if no other number is asked for.
pub(crate) const PAIRS: u32 = 24;

/// Effects shown to be less than this many millionths are no change.
pub(crate) const EQUIVALENCE_PPM: u32 = 50_000;

/// What the warm executions of a process should come to.
const GOAL: Goal = Goal { measured_ns: 300_000_000, executions: 12 };

/// An engine of a comparison.
pub(super) struct Engine {
    /// What people call it.
    name: String,
    built: engine_store::Engine,
    /// What it was built from, unless it was given.
    revision: Option<Revision>,
}

/// The engines of a comparison.
pub(super) struct Engines {
    base: Engine,
    head: Engine,
}

impl Engine {
    fn of(paths: &Paths, revision: Revision) -> anyhow::Result<Self> {
        let built = revision.build(paths, Layout::Usual)?;
        Ok(Self { name: revision.name.clone(), built, revision: Some(revision) })
    }

    fn given(paths: &Paths, path: &Path) -> anyhow::Result<Self> {
        let binary = path.canonicalize().with_context(|| format!("no engine at {}", path.display()))?;
        let built = engine_build::given(paths, binary)?;
        Ok(Self { name: format!("the binary {}", Paths::shown(path)), built, revision: None })
    }

    /// Returns the engine with its code laid out otherwise, or as it is if it was given.
    fn other_layout(&self, paths: &Paths) -> anyhow::Result<engine_store::Engine> {
        match &self.revision {
            Some(revision) => revision.build(paths, Layout::Other),
            None => Ok(self.built.clone()),
        }
    }
}

impl Engines {
    /// Builds the engines of two revisions.
    pub(super) fn of(paths: &Paths, base: Revision, head: Revision) -> anyhow::Result<Self> {
        Ok(Self { base: Engine::of(paths, base)?, head: Engine::of(paths, head)? })
    }

    /// Returns the binaries of the base and the head.
    pub(super) fn binaries(&self) -> [&Path; 2] {
        [&self.base.built.binary, &self.head.built.binary]
    }

    /// Returns the names and binaries of the base and the head.
    pub(super) fn named_binaries(&self) -> [(&str, &Path); 2] {
        [&self.base, &self.head].map(|engine| (engine.name.as_str(), engine.built.binary.as_path()))
    }

    /// Finds and builds what a word names, if it names a revision or a binary, and the head. Equal engines are
    /// reported and end the comparison, unless it is forced.
    pub(super) fn find(paths: &Paths, options: &BenchOptions, word: &str) -> anyhow::Result<Found> {
        let path = Path::new(word);
        let is_binary = path.is_file() && path.extension().is_none_or(|extension| extension != "json");
        let base = if is_binary { None } else { Revision::find(paths, word)? };
        if base.is_none() && !is_binary {
            return Ok(Found::Neither);
        }
        let head = match &options.engine {
            Some(_) => None,
            None => Some(Revision::of_working_tree(paths)?),
        };
        if let (Some(base), Some(head)) = (&base, &head)
            && base.has_sources_of(head)
            && !options.force
        {
            return Ok(Found::Identical(format!(
                "{} and {} have the same sources of the engine: there is nothing to measure; --force measures it",
                base.name, head.name
            )));
        }
        let base = match base {
            Some(base) => Engine::of(paths, base)?,
            None => Engine::given(paths, path)?,
        };
        let head = match (head, &options.engine) {
            (Some(head), _) => Engine::of(paths, head)?,
            (None, given) => {
                Engine::given(paths, given.as_deref().expect("the head is built unless it is given"))?
            }
        };
        if base.built.digest == head.built.digest && !options.force {
            return Ok(Found::Identical(format!(
                "{} and {} are the same binary: there is nothing to measure; --force measures it",
                base.name, head.name
            )));
        }
        if !options.force && engine_code::is_same(&base.built.binary, &head.built.binary)? {
            return Ok(Found::Identical(format!(
                "{} and {} differ only in line numbers, and in no instruction: there is nothing to measure; --force \
                 measures it",
                base.name, head.name
            )));
        }
        Ok(Found::Engines(Box::new(Self { base, head })))
    }
}

/// What a word after `--against` names.
pub(super) enum Found {
    /// Two engines.
    Engines(Box<Engines>),
    /// The same engine twice; said in words.
    Identical(String),
    /// Neither a revision nor a binary.
    Neither,
}

/// Measures a suite on both engines and reports.
pub(super) fn bench(
    paths: &Paths,
    options: &BenchOptions,
    selection: &Selection,
    engines: &Engines,
) -> anyhow::Result<Exit> {
    // What cannot be drawn is said before an hour of measuring, and does not keep from it.
    let sampler = options.profile.then(|| {
        Sampler::find().map_err(|message| eprintln!("regressed cells will not be drawn: {message}")).ok()
    });
    let (folder, record, evaluation) = measure(paths, options, selection, engines)?;
    if let Some(sampler) = sampler.flatten() {
        profile(paths, &folder, (&record, &evaluation), engines, &sampler)?;
    }
    print(&report::write(
        paths,
        &folder,
        &record,
        &evaluation,
        options.json.as_deref(),
        Colors::of_stdout(),
    )?)?;
    Ok(evaluation.exit())
}

/// Measures a suite on both engines; returns the run's folder, the run, and what it says.
pub(super) fn measure(
    paths: &Paths,
    options: &BenchOptions,
    selection: &Selection,
    engines: &Engines,
) -> anyhow::Result<(PathBuf, Record, Evaluation)> {
    let work = WorkFolder::make(paths)?;
    std::fs::create_dir_all(paths.ponds())?;
    let of = |side: Side, engine: &Path| Surroundings::new(paths, side, engine, &work.path);
    let (base, head) = (&engines.base.built.binary, &engines.head.built.binary);
    let sides = Sides {
        compared: [of(Side::Base, base), of(Side::Head, head)],
        canary: [of(Side::CanaryBase, base), of(Side::CanaryHead, base)],
    };
    let wanted = header(paths, options, selection, engines, &sides)?;
    let (mut record, header, mut done) = if options.resume {
        super::bench::resume(paths, &wanted)?
    } else {
        let mut wanted = wanted;
        if options.tier != Tier::Exact {
            calibrate(&sides.compared[1], &mut wanted.planned, GOAL)?;
        }
        let (record, header) = RecordWriter::create(&paths.runs(), wanted)?;
        (record, header, Done::default())
    };
    done.watch = Watch::of(&header, options.live);
    for side in &sides.compared {
        runner::prepare(side, &header.planned, &mut record, &mut done)?;
    }
    let began = Instant::now();
    let processes_cut = measure_pairs(&sides, &header, options.budget, &mut record, &mut done)?;
    let folder = record.folder().to_owned();
    // Builds are not of the budget: how long they take depends on what is built already.
    let left = options.budget.map(|budget| budget.saturating_sub(began.elapsed()));
    if options.tier != Tier::Exact && !options.no_confirm {
        let so_far = Record::read(&folder, CutLine::Refuse)?;
        let timing = Timing::of(&so_far)?;
        let flagged: BTreeSet<&str> = timing.as_ref().map(Timing::flagged).unwrap_or_default();
        if left == Some(Duration::ZERO) && !flagged.is_empty() {
            eprintln!("the budget was spent before a second build was measured");
        } else if !flagged.is_empty() {
            eprintln!(
                "{} cells are slower or faster; both sides are built with another layout to see it again",
                flagged.len()
            );
            let base = engines.base.other_layout(paths)?;
            let head = engines.head.other_layout(paths)?;
            let sides = [of(Side::ConfirmBase, &base.binary), of(Side::ConfirmHead, &head.binary)];
            let deadline = left.map(|left| Instant::now() + left);
            if !confirm_pairs(&sides, &header, &flagged, deadline, &mut record, &mut done)? {
                eprintln!("the budget was spent before the second builds were measured in all pairs");
            }
        }
    }
    explain(&folder, paths, &sides, &mut record)?;
    record.append(&[Line::End(EndLine { ended: clock::text(clock::now_seconds()), processes_cut })])?;
    drop(work);
    let record = Record::read(&folder, CutLine::Refuse)?;
    let evaluation = Evaluation::of(paths, &record)?;
    Ok((folder, record, evaluation))
}

/// Draws where the processor time of cells that regressed differs, into the folder of the run.
fn profile(
    paths: &Paths,
    folder: &Path,
    (record, evaluation): (&Record, &Evaluation),
    engines: &Engines,
    sampler: &Sampler,
) -> anyhow::Result<()> {
    for planned in &record.header.planned {
        let id = planned.cell.id();
        if evaluation.comparison.cells.get(&id) != Some(&Verdict::Regressed) {
            continue;
        }
        let drawn = report::profile_folder(folder, &id);
        let engines = engines.named_binaries();
        if let Err(error) = draw_difference(paths, sampler.clone(), planned.clone(), engines, drawn) {
            // The verdict stands without a picture.
            eprintln!("{id} is not drawn: {error:#}");
        }
    }
    Ok(())
}

/// Asks both sides of cells that regressed how they answer, and keeps where that differs.
fn explain(folder: &Path, paths: &Paths, sides: &Sides, record: &mut RecordWriter) -> anyhow::Result<()> {
    let so_far = Record::read(folder, CutLine::Refuse)?;
    let evaluation = Evaluation::of(paths, &so_far)?;
    for planned in &so_far.header.planned {
        let id = planned.cell.id();
        if evaluation.comparison.cells.get(&id) != Some(&Verdict::Regressed) {
            continue;
        }
        let [base, head] = &sides.compared;
        // Imports and commits have no plan; then times and counters say what there is to say.
        if let (Ok(base), Ok(head)) = (cell::explain(base, planned)?, cell::explain(head, planned)?) {
            let said = explained::differences(&base, &head);
            if !said.is_empty() {
                record.append(&[Line::Difference(DifferenceLine { cell: id, said })])?;
            }
        }
    }
    Ok(())
}

/// Plans the cells of a comparison, with their pairs as processes. Fails if so many pairs cannot decide anything.
pub(super) fn planned(options: &BenchOptions, selection: &Selection) -> anyhow::Result<Vec<PlannedCell>> {
    let mut planned = plan::plan(selection, options.tier);
    let pairs = if options.tier == Tier::Exact { plan::LEAST_PROCESSES } else { options.pairs };
    if options.tier != Tier::Exact {
        Design::new(pairs as usize, planned.len())
            .map_err(|error| Stop::error(Exit::Usage, error.to_string()))?;
    }
    for cell in &mut planned {
        cell.processes = pairs;
    }
    Ok(planned)
}

fn header(
    paths: &Paths,
    options: &BenchOptions,
    selection: &Selection,
    engines: &Engines,
    sides: &Sides,
) -> anyhow::Result<Header> {
    let mut context = Vec::new();
    for side in &sides.compared {
        let hello = match runner::greet(&side.engine) {
            Ok(hello) => Some(hello),
            Err(fault) if fault.kind == FaultKind::Protocol => {
                let name = if side.side == Side::Base { &engines.base.name } else { &engines.head.name };
                let message = format!("{name} cannot be measured by this harness: {}", fault.message);
                return Err(Stop::error(Exit::Incomparable, message));
            }
            Err(_) => None,
        };
        context.push(Context::read(&paths.root, hello.as_ref()));
    }
    let (mut head, mut base) = (context.remove(1), context.remove(0));
    head.revision = engines.head.name.clone();
    base.revision = engines.base.name.clone();
    let suite = selection.suite.name.clone();
    let now = clock::now_seconds();
    let run = format!("{}-{suite}", clock::stamp(now));
    let planned = planned(options, selection)?;
    let noise = Noise::read(paths, &head.machine)?;
    let (margin_ppm, from) = noise::margin(options.margin, noise.as_ref());
    if options.tier != Tier::Exact {
        eprintln!("{from}");
    }
    let base = BaseHeader {
        name: engines.base.name.clone(),
        engine_digest: engines.base.built.digest.clone(),
        context: base,
        pairs: options.pairs,
        seed: random::seed(&run),
        margin_ppm,
        equivalence_ppm: EQUIVALENCE_PPM.max(2 * margin_ppm),
        canary: planned.first().filter(|_| options.tier != Tier::Exact).map(|planned| planned.cell.id()),
        confirm: options.tier != Tier::Exact && !options.no_confirm,
    };
    Ok(Header {
        format: crate::record::FORMAT,
        run,
        started: clock::text(now),
        filters: selection.filters.clone(),
        tier: options.tier,
        against: options.against.clone(),
        base: Some(base),
        engine_digest: engines.head.built.digest.clone(),
        thresholds: thresholds::of_workspace(paths)?,
        context: head,
        suite_cells: selection.suite.cells().iter().map(Cell::id).collect(),
        planned,
        suite,
    })
}
