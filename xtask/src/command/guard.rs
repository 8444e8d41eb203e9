//! `cargo xtask guard`, hidden: runs a command for a harness and ends it, with all it has started, when that is gone.
//!
//! The harness holds the other end of standard input and leads no part of the process group. A harness that is killed
//! outright can end nothing itself, but its end of the pipe is closed then.

use std::ffi::OsString;
use std::io::Read as _;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use rustix::process::{Signal, kill_current_process_group};

use crate::exit::Exit;

/// Runs the command and returns its exit code.
pub(crate) fn run(words: &[OsString]) -> u8 {
    guarded(words).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        Exit::Usage as u8
    })
}

fn guarded(words: &[OsString]) -> anyhow::Result<u8> {
    let (program, arguments) = words.split_first().context("guard needs a command")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    // The thread ends with the process.
    std::thread::spawn(|| {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        let _ = kill_current_process_group(Signal::KILL);
    });
    let status = child.wait()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
