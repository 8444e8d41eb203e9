//! Running a Python script with a deadline, and reading the JSON lines that it prints.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::record::Execution;
use crate::interrupt;

const POLL: Duration = Duration::from_millis(20);
/// The end of standard error that a failure quotes.
const QUOTED_BYTES: usize = 2000;

/// A Python and the folder of the scripts.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    /// The interpreter.
    pub(crate) program: PathBuf,
    /// The scripts.
    pub(crate) scripts: PathBuf,
}

impl Python {
    /// Runs a script and returns what it printed; its standard error is quoted if it fails.
    pub(crate) fn run<A: AsRef<OsStr>>(
        &self,
        script: &str,
        arguments: &[A],
        folder: &Path,
        timeout: Duration,
    ) -> anyhow::Result<String> {
        let mut command = Command::new(&self.program);
        command.arg(self.scripts.join(script)).args(arguments);
        run(command, folder, timeout).with_context(|| format!("{script} failed"))
    }
}

/// Runs a command whose output goes to files in `folder`, so that reading it disturbs no times.
pub(crate) fn run(mut command: Command, folder: &Path, timeout: Duration) -> anyhow::Result<String> {
    let (stdout, stderr) = (folder.join("stdout"), folder.join("stderr"));
    let create = |path: &Path| File::create(path).with_context(|| format!("cannot write {}", path.display()));
    command
        .env_remove("PYTHONPATH")
        .env_remove("PYTHONHOME")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stdout(create(&stdout)?)
        .stderr(create(&stderr)?);
    let program = command.get_program().to_owned();
    let mut child =
        command.spawn().with_context(|| format!("cannot start {}", Path::new(&program).display()))?;
    let deadline = Instant::now() + timeout;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break Some(status),
            None if Instant::now() >= deadline || interrupt::exit_code().is_some() => break None,
            None => std::thread::sleep(POLL),
        }
    };
    let Some(status) = status else {
        // Workers of the script end when their parent is gone.
        child.kill()?;
        child.wait()?;
        interrupt::check()?;
        anyhow::bail!("no end after {} s; the process was killed", timeout.as_secs());
    };
    let errors = std::fs::read(&stderr).unwrap_or_default();
    ensure!(status.success(), "{status}: {}", tail(&errors));
    String::from_utf8(std::fs::read(&stdout)?).context("the output is no text")
}

fn tail(errors: &[u8]) -> String {
    let from = errors.len().saturating_sub(QUOTED_BYTES);
    String::from_utf8_lossy(&errors[from..]).trim().to_owned()
}

/// What `measure.py` prints for each execution.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MeasuredLine {
    execution: usize,
    wall_ns: u64,
    cpu_ns: u64,
    peak_rss_bytes: u64,
    rows: u64,
    files: u64,
}

/// Reads the executions that a process of a peer printed.
pub(crate) fn executions(text: &str, asked: usize) -> anyhow::Result<Vec<Execution>> {
    let lines: Vec<MeasuredLine> = text.lines().map(json).collect::<Result<_, _>>()?;
    ensure!(lines.len() == asked, "{asked} executions were asked for, but {} came", lines.len());
    for (index, line) in lines.iter().enumerate() {
        ensure!(line.execution == index, "execution {index} is said to be number {}", line.execution);
        ensure!(line.wall_ns > 0, "execution {index} took no time");
    }
    let execution = |line: MeasuredLine| {
        let MeasuredLine { wall_ns, cpu_ns, peak_rss_bytes, rows, files, .. } = line;
        Execution { wall_ns, cpu_ns, peak_rss_bytes, rows, files }
    };
    Ok(lines.into_iter().map(execution).collect())
}

/// Reads one line of JSON.
pub(crate) fn json<T: DeserializeOwned>(line: &str) -> anyhow::Result<T> {
    serde_json::from_str(line.trim())
        .with_context(|| format!("this is not what was expected: {}", line.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(execution: usize, wall_ns: u64) -> String {
        format!(
            r#"{{"execution": {execution}, "wall_ns": {wall_ns}, "cpu_ns": 7, "peak_rss_bytes": 9, "rows": 3, "files": 2}}"#
        )
    }

    #[test]
    fn every_execution_is_read_in_order() {
        let text = format!("{}\n{}\n", line(0, 20), line(1, 10));
        let read = executions(&text, 2).unwrap();
        assert_eq!(read[0], Execution { wall_ns: 20, cpu_ns: 7, peak_rss_bytes: 9, rows: 3, files: 2 });
        assert_eq!(read[1].wall_ns, 10);
    }

    #[test]
    fn what_a_script_must_not_print_is_named() {
        let check = |text: &str, expect: &str| {
            let error = format!("{:#}", executions(text, 1).unwrap_err());
            assert!(error.contains(expect), "{error}");
        };
        check("", "1 executions were asked for, but 0 came");
        check("Killed", "this is not what was expected: Killed");
        check(&line(0, 0), "took no time");
        check(&line(1, 5), "execution 0 is said to be number 1");
        check(&line(0, 5).replace("rows", "rwos"), "unknown field `rwos`");
        check(&line(0, 5).replace("\"wall_ns\": 5", "\"wall_ns\": NaN"), "this is not what was expected");
        check(&format!("{}\n{}", line(0, 5), line(1, 5)), "but 2 came");
    }

    #[test]
    fn a_command_ends_well_or_says_why_not() {
        let folder = tempfile::tempdir().unwrap();
        let shell = |script: &str, timeout_ms| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            run(command, folder.path(), Duration::from_millis(timeout_ms))
        };
        assert_eq!(shell("echo out; echo err >&2", 60_000).unwrap(), "out\n");
        let error = format!("{:#}", shell("echo no memory >&2; exit 3", 60_000).unwrap_err());
        assert!(error.contains("exit status: 3: no memory"), "{error}");
        let error = format!("{:#}", shell("exec sleep 600", 0).unwrap_err());
        assert!(error.contains("the process was killed"), "{error}");
    }
}
