//! The program `perf`: whether it may sample here, how it is put around a command, and its script.

use std::fs::File;
use std::io::{BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;

use super::Executed;
use super::folding::Folded;
use super::inlined::LineTables;
use crate::exit::{Exit, Stop};
use crate::interrupt::{self, Group};
use crate::paths;

/// Samples in a second of processor time.
const FREQUENCY: &str = "499";

/// Stacks are unwound from a copy of their innermost 32 KiB: the engine has no frame pointers, and half of that cuts
/// off every fourth stack.
const CALL_GRAPH: &str = "dwarf,32768";

/// The clocks by which samples can be taken, the better one first.
const EVENTS: [&str; 2] = ["cycles", "cpu-clock"];

/// How samples are taken here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sampler {
    event: &'static str,
    version: String,
}

impl Sampler {
    /// Finds out whether perf is there, and what it can count. The error says what to do.
    pub(crate) fn find() -> Result<Self, String> {
        let version = Command::new("perf").arg("--version").output().map_err(|error| {
            format!("perf cannot be started ({error}); install it: apt install linux-perf")
        })?;
        let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
        let event = if has_counters() { EVENTS[0] } else { EVENTS[1] };
        let tried = Command::new("perf")
            .args(["record", "--quiet", "--event", event, "--output", "/dev/null", "--", "true"])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("perf cannot be started: {error}"))?;
        if tried.status.success() {
            return Ok(Self { event, version });
        }
        let said = String::from_utf8_lossy(&tried.stderr).into_owned();
        Err(refused(&said, std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").ok().as_deref()))
    }

    /// Says in words what takes the samples.
    pub(crate) fn text(&self) -> String {
        let by = match self.event {
            "cpu-clock" => "the clock of the kernel, for there are no hardware counters",
            _ => "counters of the processor",
        };
        format!("{}, by {by}", self.version)
    }

    /// Runs a command of this harness that executes a cell, samples its processes, and folds what was sampled.
    pub(crate) fn sample(
        &self,
        arguments: &[&std::ffi::OsStr],
        engine: &Path,
        data: &Path,
    ) -> anyhow::Result<(Executed, Folded)> {
        let harness = paths::harness()?;
        let aside = data.with_extension("recording");
        let mut recording = Command::new("perf")
            .args(["record", "--quiet", "--event", self.event, "--freq", FREQUENCY])
            .args(["--call-graph", CALL_GRAPH, "--output"])
            .arg(data)
            .arg("--")
            .arg(harness)
            .args(arguments)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(made(&aside)?)
            .spawn()
            .context("cannot start perf")?;
        let group = Group::led_by(&recording);
        let mut said = String::new();
        let read = recording.stdout.take().expect("standard output is piped").read_to_string(&mut said);
        drop(group);
        recording.wait().context("cannot wait for perf")?;
        interrupt::check()?;
        read.context("cannot read what the cell gave")?;
        let Some(executed) = said.lines().last().and_then(|line| serde_json::from_str::<Executed>(line).ok())
        else {
            let why = std::fs::read_to_string(&aside)?;
            let why = why.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or(why.trim());
            return Err(Stop::error(Exit::Failed, format!("cannot execute the cell under perf: {why}")));
        };
        let folded = fold(data, executed.harness, engine)?;
        Ok((executed, folded))
    }
}

/// Tells whether the processor's own counters can be read; perf record would take the kernel's clock without a word.
fn has_counters() -> bool {
    let counted = Command::new("perf").args(["stat", "-x,", "--event", EVENTS[0], "--", "true"]).output();
    counted.is_ok_and(|counted| {
        counted.status.success() && !String::from_utf8_lossy(&counted.stderr).contains("<not ")
    })
}

/// Makes a file for what perf says aside, so that neither of its outputs can fill a pipe that nobody reads.
fn made(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| format!("cannot make {}", path.display()))
}

/// Folds what perf recorded, as its script is printed.
fn fold(data: &Path, harness: u32, engine: &Path) -> anyhow::Result<Folded> {
    let aside = data.with_extension("stderr");
    let mut child = Command::new("perf")
        .args(["script", "--no-inline", "--show-lost-events", "--fields"])
        .args(["comm,pid,tid,time,period,event,ip,sym,dso", "--input"])
        .arg(data)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(made(&aside)?)
        .spawn()
        .context("cannot start perf")?;
    let group = Group::led_by(&child);
    let stdout = child.stdout.take().expect("standard output is piped");
    let folded = Folded::read(BufReader::new(stdout), harness, LineTables::open(engine));
    if folded.is_err() {
        // It would wait for a reader.
        let _ = child.kill();
    }
    drop(group);
    let status = child.wait().context("cannot wait for perf")?;
    interrupt::check()?;
    let folded = folded?;
    let mut said = String::new();
    File::open(&aside)?.read_to_string(&mut said)?;
    if !status.success() {
        let message = format!("perf cannot read what it recorded ({status}): {}", said.trim());
        return Err(Stop::error(Exit::Failed, message));
    }
    Ok(folded)
}

/// Says why perf refuses, and what to do.
fn refused(said: &str, paranoid: Option<&str>) -> String {
    let level: Option<i32> = paranoid.and_then(|text| text.trim().parse().ok());
    let is_refused = ["permission", "not permitted", "perf_event_paranoid", "EACCES", "EPERM"]
        .iter()
        .any(|word| said.to_lowercase().contains(&word.to_lowercase()));
    match level {
        Some(level) if level > 1 && is_refused => format!(
            "perf may not sample here (perf_event_paranoid is {level}); permit it: \
             sudo sysctl kernel.perf_event_paranoid=1"
        ),
        _ => {
            let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            let said = said.first().copied().unwrap_or("it does not say why");
            format!(
                "perf cannot sample here: {said}; a container needs the capability CAP_PERFMON, and the kernel's \
                 own perf: apt install linux-perf"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_permits_it() {
        let said = "Error:\nAccess to performance monitoring is limited. Consider perf_event_paranoid\n";
        assert_eq!(
            refused(said, Some("3\n")),
            "perf may not sample here (perf_event_paranoid is 3); permit it: sudo sysctl \
             kernel.perf_event_paranoid=1"
        );
        let said = refused("\n  WARNING: perf not found for kernel 6.18\n", Some("1"));
        assert!(
            said.starts_with("perf cannot sample here: WARNING: perf not found for kernel 6.18; "),
            "{said}"
        );
        assert!(refused("", None).contains("it does not say why"));
    }
}
