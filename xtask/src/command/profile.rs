//! `cargo xtask profile`: where the processor time of a cell goes, and where that of two engines differs.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::beside::{Engines, Found};
use super::{bisect, print};
use crate::cli::{BenchOptions, ProfileOptions, Tier};
use crate::engine_build;
use crate::evaluation::quoted;
use crate::exit::{Exit, Stop};
use crate::paths::Paths;
use crate::plan::{self, PlannedCell};
use crate::profile::{self, Picture, Sampler, Side as Profile, Wanted};
use crate::progress::Progress;
use crate::record::Side;
use crate::report;
use crate::resolve;
use crate::runner::{self, Surroundings};
use crate::units;
use crate::work_folder::WorkFolder;

/// Runs the command.
pub(crate) fn run(paths: &Paths, options: &ProfileOptions) -> anyhow::Result<Exit> {
    let selection = bisect::cell(paths, &options.cell)?;
    let planned = plan::plan(&selection, Tier::All).remove(0);
    let wanted = Wanted { seconds: options.seconds, cold: options.cold };
    if let Some(engine) = &options.only_execute {
        return only_execute(paths, engine, &planned, wanted);
    }
    // What cannot be sampled should be known before an engine is built.
    let sampler = Sampler::find().map_err(|message| Stop::error(Exit::Usage, message))?;
    let id = planned.cell.id();
    let work = Profiling { paths, sampler, planned, wanted, folder: paths.profiles().join(units::slug(&id)) };
    let mut command = format!("cargo xtask profile {}", quoted(&id));
    let Some(word) = &options.against else {
        let engine = engine_build::engine(paths, options.engine.as_deref())?;
        print(&work.one(("the engine", &engine.binary), &with_options(command, options))?)?;
        return Ok(Exit::Pass);
    };
    command.push_str(&format!(" --against {}", quoted(word)));
    // Equal engines are profiled as well, which shows how far samples differ by chance.
    let bench = BenchOptions { engine: options.engine.clone(), force: true, ..BenchOptions::default() };
    match Engines::find(paths, &bench, word)? {
        Found::Engines(engines) => {
            print(&work.two(engines.named_binaries(), &with_options(command, options))?.0)?;
        }
        Found::Identical(text) => print(&format!("{text}\n"))?,
        Found::Neither => return Err(Stop::error(Exit::Usage, resolve::unknown(paths, word)?)),
    }
    Ok(Exit::Pass)
}

/// Draws where a cell of two engines differs, into a folder; returns the file.
pub(super) fn draw_difference(
    paths: &Paths,
    sampler: Sampler,
    planned: PlannedCell,
    engines: [(&str, &Path); 2],
    folder: PathBuf,
) -> anyhow::Result<PathBuf> {
    let wanted = Wanted { seconds: DRAWN_SECONDS, cold: false };
    Ok(Profiling { paths, sampler, planned, wanted, folder }.two(engines, "")?.1)
}

/// Processor time of each side in a picture that `bench --profile` draws.
const DRAWN_SECONDS: u32 = 10;

fn with_options(mut command: String, options: &ProfileOptions) -> String {
    if options.seconds != DRAWN_SECONDS {
        command.push_str(&format!(" --seconds {}", options.seconds));
    }
    if options.cold {
        command.push_str(" --cold");
    }
    if let Some(engine) = &options.engine {
        command.push_str(&format!(" --engine {}", quoted(&engine.to_string_lossy())));
    }
    command
}

/// Executes the cell and says what was executed; perf is around this process.
fn only_execute(paths: &Paths, engine: &Path, planned: &PlannedCell, wanted: Wanted) -> anyhow::Result<Exit> {
    let work = WorkFolder::make(paths)?;
    let executed =
        profile::execute(&Surroundings::new(paths, Side::Head, engine, &work.path), planned, wanted)?;
    print(&format!("{}\n", serde_json::to_string(&executed)?))?;
    Ok(Exit::Pass)
}

/// One profile of one cell.
struct Profiling<'a> {
    paths: &'a Paths,
    sampler: Sampler,
    planned: PlannedCell,
    wanted: Wanted,
    /// Where the pictures go.
    folder: PathBuf,
}

impl Profiling<'_> {
    /// Profiles one engine and describes it.
    fn one(&self, (name, engine): (&str, &Path), command: &str) -> anyhow::Result<String> {
        let [side] = self.sampled([engine], &[0])?;
        let file = self.draw("head", name, &side)?;
        let mut out = self.heading();
        out.push_str(&self.described(name, &side));
        out.push_str(&profile::heaviest_tables(&side));
        out.push_str(&self.ending(&[file], command));
        Ok(out)
    }

    /// Profiles two engines and describes where they differ; returns also the picture of that.
    fn two(&self, engines: [(&str, &Path); 2], command: &str) -> anyhow::Result<(String, PathBuf)> {
        let [(base_name, base), (head_name, head)] = engines;
        // In turn, so that a machine that becomes slower is slower for both.
        let [base, head] = self.sampled([base, head], &[0, 1, 1, 0])?;
        let mut files = vec![self.draw("head", head_name, &head)?, self.draw("base", base_name, &base)?];
        let difference = self.folder.join(report::DIFFERENCE);
        let (before, now) = (base.executed.each_ns(), head.executed.each_ns());
        let change = units::change(before, now);
        let picture = Picture {
            path: &difference,
            title: self.planned.cell.id(),
            subtitle: format!(
                "{head_name} against {base_name}: {} → {} of processor time an execution ({change}); \
                 red takes more, blue less",
                units::nanoseconds(before),
                units::nanoseconds(now)
            ),
        };
        profile::draw_difference(&picture, &base, &head)?;
        files.push(difference.clone());
        let mut out = self.heading();
        out.push_str(&self.described(&format!("base: {base_name}"), &base));
        out.push_str(&self.described(&format!("head: {head_name}"), &head));
        out.push_str(&format!("change: {change} of processor time an execution\n"));
        out.push_str(&profile::heaviest_tables(&head));
        out.push_str(&profile::growth_tables(&base, &head));
        out.push_str(&self.ending(&files, command));
        Ok((out, difference))
    }

    /// Samples engines in turns that share the time of each evenly.
    fn sampled<const N: usize>(&self, engines: [&Path; N], turns: &[usize]) -> anyhow::Result<[Profile; N]> {
        let work = WorkFolder::make(self.paths)?;
        std::fs::create_dir_all(self.paths.ponds())?;
        std::fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make {}", self.folder.display()))?;
        let id = self.planned.cell.id();
        let progress = Progress::start(turns.len());
        for engine in engines {
            let mut process = None;
            runner::prepare_cell(
                &Surroundings::new(self.paths, Side::Head, engine, &work.path),
                &self.planned,
                &mut process,
                &progress,
            )
            .map_err(|fault| Stop::error(Exit::Failed, format!("{id}: {}", fault.message)))?;
        }
        let each = (self.wanted.seconds * N as u32).div_ceil(turns.len() as u32).max(1);
        let mut sides: [Profile; N] = std::array::from_fn(|_| Profile::default());
        for turn in turns {
            progress.now(&format!("profile {id}"), None);
            let data = work.path.join("perf.data");
            let arguments = self.arguments(engines[*turn], each);
            let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
            let (executed, folded) = self.sampler.sample(&arguments, engines[*turn], &data)?;
            // It holds a part of the stack for each sample.
            std::fs::remove_file(&data).with_context(|| format!("cannot remove {}", data.display()))?;
            sides[*turn].executed.add(&executed);
            sides[*turn].folded.add(folded);
            progress.step();
        }
        match sides.iter().find(|side| side.folded.samples() == 0) {
            None => Ok(sides),
            Some(side) => {
                let message = format!(
                    "no sample was taken in {} executions of {id}; profile for longer: --seconds",
                    side.executed.executions
                );
                Err(Stop::error(Exit::Inconclusive, message))
            }
        }
    }

    /// The arguments by which this harness only executes the cell.
    fn arguments(&self, engine: &Path, seconds: u32) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["--root".into(), self.paths.root.clone().into()];
        arguments.extend(["profile".into(), self.planned.cell.id().into()]);
        arguments.extend(["--seconds".into(), seconds.to_string().into()]);
        arguments.extend(["--only-execute".into(), engine.into()]);
        arguments.extend(self.wanted.cold.then(|| "--cold".into()));
        arguments
    }

    /// Writes the stacks of a side and draws them; returns the picture.
    fn draw(&self, file: &str, name: &str, side: &Profile) -> anyhow::Result<PathBuf> {
        let folded = self.folder.join(format!("{file}.folded"));
        std::fs::write(&folded, side.folded.text())
            .with_context(|| format!("cannot write {}", folded.display()))?;
        let path = self.folder.join(format!("{file}.svg"));
        let subtitle = format!(
            "{name}: {} of processor time an execution, {} samples",
            units::nanoseconds(side.executed.each_ns()),
            units::count(side.folded.samples())
        );
        profile::draw_side(&Picture { path: &path, title: self.planned.cell.id(), subtitle }, side)?;
        Ok(path)
    }

    fn heading(&self) -> String {
        format!("profile of {}\nsampled with {}\n", self.planned.cell.id(), self.sampler.text())
    }

    fn described(&self, name: &str, side: &Profile) -> String {
        let (executed, folded) = (&side.executed, &side.folded);
        let mut out = format!(
            "{name}: {} executions, {} of them cold, {} of processor time each; {} samples, {} lost, {} left out because \
             their stacks do not tell, {} outside of what is measured\n",
            units::count(executed.executions),
            units::count(executed.cold),
            units::nanoseconds(executed.each_ns()),
            units::count(folded.samples()),
            units::count(folded.lost),
            units::count(folded.undecided),
            units::count(folded.unmeasured),
        );
        if !folded.told {
            out.push_str(
                "note: this engine does not tell what is measured from the rest (no line tables?), so starts of \
                 processes and checks of answers are in\n",
            );
        }
        out
    }

    fn ending(&self, files: &[PathBuf], command: &str) -> String {
        let mut out = "\nFiles\n".to_owned();
        for file in files {
            out.push_str(&format!("  {}\n", Paths::shown(file)));
        }
        out.push_str(&format!("again: {command}\n"));
        out
    }
}
