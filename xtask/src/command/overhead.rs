//! `cargo xtask bench overhead`: measure what stages and counters cost.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use scenarios::{Cell, Workload};
use wait4::Wait4 as _;

use super::print;
use crate::cli::OverheadOptions;
use crate::exit::{Exit, Stop};
use crate::fingerprint::{Machine, output_of};
use crate::interrupt::{self, Group};
use crate::overhead::{Overhead, Pair};
use crate::paths::Paths;
use crate::plan::PlannedCell;
use crate::process::EngineProcess;
use crate::progress::Progress;
use crate::record::Side;
use crate::revision::{Layout, Layouts, Revision};
use crate::runner::{self, Surroundings};
use crate::work_folder::WorkFolder;
use crate::{clock, document, random, work_folder};

/// The size that docs/METHODOLOGY.md shows.
const DOCUMENTED: &str = "medium";

/// Exports of each engine whose instructions are counted: threads that wait for each other make them differ.
const COUNTED: usize = 3;

/// Far more than an export takes, under callgrind too.
const TIMEOUT: Duration = Duration::from_secs(1_800);

/// What an export is asked for, besides its pond.
const EXPORT: [&str; 9] =
    ["export", "--pattern", "/**/*.series", "--temporal", "year,month", "--jobs", "1", "--dir", "out"];

/// An engine and its pond.
struct Exporter {
    engine: PathBuf,
    pond: PathBuf,
    /// Where it runs and exports to; both engines know that by the same name.
    folder: PathBuf,
}

/// An engine that runs, and whose end nobody has waited for.
struct Running {
    child: Child,
    group: Group,
}

/// Runs the command.
pub(crate) fn run(paths: &Paths, options: &OverheadOptions) -> anyhow::Result<Exit> {
    let revision = Revision::of_working_tree(paths)?;
    let work = WorkFolder::make(paths)?;
    if let Some(doubt) = work_folder::doubt(&work.path) {
        eprintln!("warning: {doubt}");
    }
    let sides = [("without", Layout::Bare), ("with", Layout::Usual)];
    let Layouts { engines, alike } =
        revision.build_layouts(paths, sides, options.layouts, &work.path.join("engines"))?;
    let began = clock::now_seconds();
    let size = options.size.name();
    let pond = pond(paths, &engines[0][1], &work.path, size)?;
    let exporter = |engine: PathBuf, side: usize| {
        let folder = work.path.join(sides[side].0);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok::<_, anyhow::Error>(Exporter { engine, pond: pond.clone(), folder })
    };
    let exporters: Vec<[Exporter; 2]> = engines
        .into_iter()
        .map(|[without, with]| Ok([exporter(without, 0)?, exporter(with, 1)?]))
        .collect::<anyhow::Result<_>>()?;
    let instructions = counted(&exporters[0])?;
    let layouts = timed(&exporters, options.pairs, began)?;
    let overhead = Overhead { layouts, alike, instructions };
    let (table, about) = (overhead.table(), overhead.about());
    print(&format!("{}\n{about}\n", table.terminal()))?;
    if size == DOCUMENTED {
        let text = format!(
            "`cargo xtask bench overhead --layouts {} --pairs {}` on {}, on {}: the {size} pond by months, with one worker. \
             {about}\n\n{}",
            options.layouts,
            options.pairs,
            clock::text(began),
            Machine::read(),
            table.markdown()
        );
        document::put(paths, "overhead", &text)?;
    }
    Ok(Exit::Pass)
}

/// Times exports of both engines: in every round a pair in each layout, so that what changes about the machine changes
/// for all.
fn timed(layouts: &[[Exporter; 2]], rounds: u32, seed: u64) -> anyhow::Result<Vec<Vec<Pair>>> {
    let allowed = sched_getaffinity(None).context("cannot tell which cores may be used")?;
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    // What is read first is not in memory yet.
    at_once(&layouts[0], 0, cores[0])?;
    let mut pairs = vec![Vec::new(); layouts.len()];
    let progress = Progress::start(rounds as usize);
    for round in 0..rounds {
        progress.now(&format!("round {} of {rounds}", round + 1), None);
        let order = random::shuffled((0..layouts.len()).collect(), seed, round);
        for (turn, layout) in order.into_iter().enumerate() {
            let first = usize::from(random::coin(seed, round, turn));
            let core = cores[(round as usize + turn) % cores.len()];
            pairs[layout].push(at_once(&layouts[layout], first, core)?);
        }
        progress.step();
    }
    Ok(pairs)
}

/// Has both engines export at once on a core, one of them started first.
///
/// Of two copies of a binary one can be a percent faster for as long as they exist, presumably for the pages of memory they
/// lie in. So both are copied for every pair, the one first that starts first.
fn at_once(sides: &[Exporter; 2], first: usize, core: usize) -> anyhow::Result<Pair> {
    for side in [first, 1 - first].map(|place| &sides[place]) {
        std::fs::copy(&side.engine, side.copy())
            .with_context(|| format!("cannot copy the engine to {}", side.folder.display()))?;
    }
    let mut set = CpuSet::new();
    set.set(core);
    let mut ended = std::thread::scope(|scope| {
        // Processes stay on the core of the thread that starts them.
        let starter = scope.spawn(|| {
            sched_setaffinity(None, &set).with_context(|| format!("cannot run on core {core}"))?;
            Ok::<_, anyhow::Error>([first, 1 - first].map(|place| start(&mut sides[place].command())))
        });
        let started = starter.join().expect("starting does not panic")?;
        let threads = started.map(|running| scope.spawn(move || running?.finish()));
        Ok::<_, anyhow::Error>(threads.map(|thread| thread.join().expect("waiting does not panic")))
    })?;
    ended.rotate_left(first);
    let [without, with] = ended;
    let ((without, said_without), (with, said_with)) = (without?, with?);
    if said_without != said_with {
        let message = format!(
            "the engines do not export the same: {said_without:?} without counters, {said_with:?} with"
        );
        return Err(Stop::error(Exit::Failed, message));
    }
    for side in sides {
        side.remove_export()?;
        std::fs::remove_file(side.copy())?;
    }
    Ok(Pair { without: without.as_nanos() as u64, with: with.as_nanos() as u64 })
}

/// Has an engine make the pond in a folder of its own.
fn pond(paths: &Paths, engine: &Path, work: &Path, size: &str) -> anyhow::Result<PathBuf> {
    let ponds = work.join("ponds");
    let surroundings =
        Surroundings { ponds: ponds.clone(), ..Surroundings::new(paths, Side::Head, engine, work) };
    let cell = Cell {
        suite: "overhead".to_owned(),
        scenario: "export".to_owned(),
        workload: Workload::Export,
        point: Vec::new(),
        parameters: [("size".to_owned(), size.to_owned())].into(),
        expected: None,
    };
    let planned = PlannedCell { cell, warm: 0, processes: 1, timeout_s: 0 };
    let mut process: Option<EngineProcess> = None;
    let prepared = runner::prepare_cell(&surroundings, &planned, &mut process, &Progress::start(1));
    interrupt::check()?;
    prepared
        .map_err(|fault| Stop::error(Exit::Failed, format!("cannot make the pond: {}", fault.message)))?;
    if let Some(mut process) = process {
        // All data is there; how the preparing process ends is no result.
        let _ = process.finish();
    }
    let mut made = std::fs::read_dir(&ponds).with_context(|| format!("cannot list {}", ponds.display()))?;
    Ok(made.next().context("the engine has made no pond")??.path())
}

/// Counts the instructions of exports of each side.
fn counted(sides: &[Exporter; 2]) -> anyhow::Result<Result<[Vec<u64>; 2], String>> {
    if output_of("valgrind", &["--version"], Path::new(".")).is_none() {
        return Ok(Err("valgrind is not there".to_owned()));
    }
    let progress = Progress::start(COUNTED);
    let mut counts = [Vec::new(), Vec::new()];
    for _ in 0..COUNTED {
        progress.now("two exports by callgrind", None);
        // Both at once: what else goes on changes no count.
        let counted = std::thread::scope(|scope| {
            let threads = sides.each_ref().map(|side| scope.spawn(|| side.instructions()));
            threads.map(|thread| thread.join().expect("counting does not panic"))
        });
        for (counts, count) in counts.iter_mut().zip(counted) {
            counts.push(count?);
        }
        progress.step();
    }
    Ok(Ok(counts))
}

impl Exporter {
    /// The command by which the copy exports once.
    fn command(&self) -> Command {
        self.export_by(Command::new(self.copy()))
    }

    fn export_by(&self, mut command: Command) -> Command {
        command.current_dir(&self.folder).arg("--pond").arg(&self.pond).args(EXPORT);
        command
    }

    /// Where a copy of the engine is.
    fn copy(&self) -> PathBuf {
        self.folder.join("pond")
    }

    /// Exports once under callgrind and returns the instructions of all threads.
    fn instructions(&self) -> anyhow::Result<u64> {
        let file = self.folder.join("callgrind.out");
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--cache-sim=no"]);
        command.arg(format!("--callgrind-out-file={}", file.display())).arg(&self.engine);
        let mut command = self.export_by(command);
        start(&mut command)?.finish()?;
        self.remove_export()?;
        let text = std::fs::read_to_string(&file).context("callgrind has written nothing")?;
        std::fs::remove_file(&file)?;
        let total = text
            .lines()
            .find_map(|line| line.strip_prefix("totals: "))
            .context("callgrind has counted nothing")?;
        total.trim().parse().context("callgrind has counted no number")
    }

    /// Removes what it has exported.
    fn remove_export(&self) -> anyhow::Result<()> {
        let out = self.folder.join("out");
        std::fs::remove_dir_all(&out).with_context(|| format!("{} was not exported", out.display()))
    }
}

/// Starts a command, which ends early if the harness is interrupted.
fn start(command: &mut Command) -> anyhow::Result<Running> {
    // A Ctrl-C is for the harness, which ends what it has started.
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().context("cannot start the engine")?;
    Ok(Running { group: Group::led_by(&child), child })
}

impl Running {
    /// Waits for its end, and returns its processor time and what it said.
    fn finish(self) -> anyhow::Result<(Duration, String)> {
        let Self { mut child, group } = self;
        let mut stdout = child.stdout.take().expect("standard output is piped");
        let mut stderr = child.stderr.take().expect("standard error is piped");
        let (done, waited) = channel::<()>();
        let (said, errors, hung) = std::thread::scope(|scope| {
            let group = &group;
            let watchdog = scope.spawn(move || {
                let hung = waited.recv_timeout(TIMEOUT) == Err(RecvTimeoutError::Timeout);
                if hung {
                    group.kill();
                }
                hung
            });
            let errors = scope.spawn(move || {
                let mut text = String::new();
                stderr.read_to_string(&mut text).map(|_| text)
            });
            let mut said = String::new();
            let read = stdout.read_to_string(&mut said).map(|_| said);
            let errors = errors.join().expect("a reader does not panic");
            drop(done);
            (read, errors, watchdog.join().expect("a watchdog does not panic"))
        });
        drop(group);
        let used = child.wait4().context("cannot wait for the engine")?;
        interrupt::check()?;
        if hung {
            return Err(Stop::error(
                Exit::Failed,
                format!("the engine was not done after {} s", TIMEOUT.as_secs()),
            ));
        }
        let errors = errors.context("cannot read what the engine says")?;
        if !used.status.success() {
            let message = format!("the engine ended with {}: {}", used.status, errors.trim());
            return Err(Stop::error(Exit::Failed, message));
        }
        Ok((used.rusage.utime + used.rusage.stime, said.context("cannot read what the engine says")?))
    }
}
