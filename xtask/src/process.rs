//! One engine process: lines in and out with deadlines, standard error kept in a bounded tail.
//!
//! The process is always reaped: [`EngineProcess::finish`] waits for it, and dropping it kills it. Its two
//! readers are owned by it and end when the process has ended. A harness that is killed closes the engine's input and
//! output: the engine then ends after the execution in progress at the latest.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use scenarios::wire::{Event, PROTOCOL, Request};
use serde::{Deserialize, Serialize};

use crate::interrupt::{self, Group};

const LINE_LIMIT_BYTES: u64 = 1 << 20;
const STDERR_TAIL_BYTES: usize = 8 << 10;
const SHOWN_GARBAGE_CHARS: usize = 120;
const GRACE: Duration = Duration::from_secs(5);

/// What can go wrong with a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FaultKind {
    /// The process could not be started.
    Spawn,
    /// It speaks another protocol, or out of turn.
    Protocol,
    /// It ended with an error or a signal.
    Crash,
    /// It did not answer in time and was killed.
    Hang,
    /// It wrote a line that is no event.
    Garbage,
    /// It ended without an error before it was done.
    EarlyEnd,
    /// It said that the request failed.
    Refused,
    /// It sent more, fewer or other samples than asked.
    SampleCount,
    /// A sample holds a metric that this harness does not know.
    UnknownMetric,
    /// The answer is not the one that the suite states.
    WrongAnswer,
    /// The suite states no answer.
    NoAnswer,
}

/// What went wrong with a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What kind of thing.
    pub(crate) kind: FaultKind,
    /// What exactly, and what to do.
    pub(crate) message: String,
}

impl Fault {
    /// Makes a fault.
    pub(crate) fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// What the engine said of itself.
#[derive(Clone, Debug)]
pub(crate) struct Hello {
    /// Its package version.
    pub(crate) engine: String,
    /// `release` or `debug`.
    pub(crate) profile: String,
}

/// A running engine.
#[derive(Debug)]
pub(crate) struct EngineProcess {
    child: Child,
    /// Until the child is waited for.
    group: Option<Group>,
    stdin: Option<ChildStdin>,
    lines: Option<Receiver<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    deadline: Instant,
    timeout: Duration,
}

impl EngineProcess {
    /// Starts the engine, with a fault for those that can have one; it must be done before the time-out.
    pub(crate) fn start(engine: &Path, fault: &str, timeout: Duration) -> Result<Self, Fault> {
        interrupt::check().map_err(|error| Fault::new(FaultKind::Spawn, error.to_string()))?;
        let mut child = Command::new(engine)
            .arg("cell")
            .env("POND_PLANT", fault)
            // A Ctrl-C is for the harness, which ends the engine.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                Fault::new(FaultKind::Spawn, format!("cannot start {}: {error}", engine.display()))
            })?;
        let group = Some(Group::led_by(&child));
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("standard output is piped");
        let errors = child.stderr.take().expect("standard error is piped");
        let (sender, lines) = sync_channel(64);
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let tail = Arc::clone(&stderr);
        let readers = vec![
            std::thread::spawn(move || read_lines(stdout, &sender)),
            std::thread::spawn(move || keep_tail(errors, &tail)),
        ];
        let deadline = Instant::now() + timeout;
        Ok(Self { child, group, stdin, lines: Some(lines), readers, stderr, deadline, timeout })
    }

    /// Gives the process its full time again, as after a sign of life in long unmeasured work.
    pub(crate) fn renew_deadline(&mut self) {
        self.deadline = Instant::now() + self.timeout;
    }

    /// Reads the greeting, which must come first and have the right protocol.
    pub(crate) fn hello(&mut self) -> Result<Hello, Fault> {
        match self.event()? {
            Event::Hello { protocol: PROTOCOL, engine, profile, .. } => Ok(Hello { engine, profile }),
            Event::Hello { protocol, .. } => Err(Fault::new(
                FaultKind::Protocol,
                format!("the engine speaks protocol {protocol}, this harness {PROTOCOL}; build both anew"),
            )),
            other => Err(Fault::new(
                FaultKind::Protocol,
                format!("the engine did not greet first but said: {}", other.to_line()),
            )),
        }
    }

    /// Sends a request.
    pub(crate) fn send(&mut self, request: &Request) -> Result<(), Fault> {
        let stdin = self.stdin.as_mut().expect("requests are sent before the end");
        let mut line = request.to_line();
        line.push('\n');
        if stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()).is_ok() {
            return Ok(());
        }
        // The pipe is broken, so the process is ending: what it said before says why.
        Err(self.ended("before it read the request"))
    }

    /// Reads the next event.
    pub(crate) fn event(&mut self) -> Result<Event, Fault> {
        let lines = self.lines.as_ref().expect("events are read before the end");
        let left = self.deadline.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(line) => event_of(&line),
            Err(RecvTimeoutError::Timeout) => Err(self.hang()),
            Err(RecvTimeoutError::Disconnected) => Err(self.ended("before it was done")),
        }
    }

    /// Closes the engine's input and waits for its end, which must be silent and without error.
    pub(crate) fn finish(&mut self) -> Result<(), Fault> {
        self.stdin = None;
        let lines = self.lines.as_ref().expect("a process is finished once");
        let left = self.deadline.saturating_duration_since(Instant::now()).max(GRACE);
        match lines.recv_timeout(left) {
            Ok(line) => {
                let message = format!("the engine spoke after it was done: {}", shown(&line));
                return Err(Fault::new(FaultKind::Garbage, message));
            }
            Err(RecvTimeoutError::Timeout) => return Err(self.hang()),
            Err(RecvTimeoutError::Disconnected) => {}
        }
        match self.wait() {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(crash(status)),
            None => Err(self.hang()),
        }
    }

    /// Kills the process if it still runs, and returns the end of what it wrote to standard error.
    pub(crate) fn stderr_tail(mut self) -> String {
        self.reap();
        let tail = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&tail).trim_end().to_owned()
    }

    fn hang(&self) -> Fault {
        let message = format!("no end after {} s; the process was killed", self.timeout.as_secs());
        Fault::new(FaultKind::Hang, message)
    }

    fn ended(&mut self, when: &str) -> Fault {
        match self.wait() {
            Some(status) if !status.success() => crash(status),
            Some(_) => Fault::new(FaultKind::EarlyEnd, format!("the engine ended {when}, without an error")),
            None => Fault::new(FaultKind::Hang, "the engine closed its output but did not end"),
        }
    }

    /// Waits for the process, for a short time: it has closed its output already.
    fn wait(&mut self) -> Option<ExitStatus> {
        self.group = None;
        let until = Instant::now() + GRACE;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(2)),
                _ => return None,
            }
        }
    }

    fn reap(&mut self) {
        self.stdin = None;
        // Without a receiver the line reader stops at its next line.
        self.lines = None;
        // What the engine has started holds its output, on which the readers wait.
        if let Some(group) = self.group.take() {
            group.kill();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

impl Drop for EngineProcess {
    fn drop(&mut self) {
        self.reap();
    }
}

fn event_of(line: &[u8]) -> Result<Event, Fault> {
    let garbage = |why: String| {
        let message = format!("the engine wrote a line that is no event: {} ({why})", shown(line));
        Fault::new(FaultKind::Garbage, message)
    };
    if line.last() != Some(&b'\n') {
        return Err(garbage("cut off or too long".to_owned()));
    }
    let text = std::str::from_utf8(line).map_err(|error| garbage(error.to_string()))?;
    Event::from_line(text.trim_end()).map_err(|error| garbage(error.to_string()))
}

fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut short: String = text.trim_end().chars().take(SHOWN_GARBAGE_CHARS).collect();
    if short.len() < text.trim_end().len() {
        short.push('…');
    }
    format!("{short:?}")
}

fn crash(status: ExitStatus) -> Fault {
    use std::os::unix::process::ExitStatusExt;

    let name = |signal| match signal {
        4 => " (illegal instruction)",
        6 => " (abort)",
        7 | 10 => " (bus error)",
        8 => " (arithmetic error)",
        9 => " (kill; out of memory?)",
        11 => " (segmentation fault)",
        15 => " (terminate)",
        _ => "",
    };
    if matches!(status.signal(), Some(2 | 15)) {
        // Whoever ends all processes ends the harness too, and then this is no crash.
        interrupt::settle();
    }
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}{}", name(signal)),
        (None, None) => status.to_string(),
    };
    Fault::new(FaultKind::Crash, format!("the engine ended with {how}"))
}

/// Sends each line with its end, so that a line that was cut off can be told; a long one is cut.
fn read_lines(stdout: impl Read, sender: &SyncSender<Vec<u8>>) {
    let mut reader = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(LINE_LIMIT_BYTES).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if sender.send(line).is_err() => return,
            Ok(_) => {}
        }
    }
}

fn keep_tail(mut stderr: impl Read, tail: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut buffer) {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend_from_slice(&buffer[..count]);
        let excess = tail.len().saturating_sub(STDERR_TAIL_BYTES);
        tail.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_bounded_and_keeps_the_end() {
        let tail = Mutex::new(Vec::new());
        let text = format!("{}end", "x".repeat(3 * STDERR_TAIL_BYTES));
        keep_tail(text.as_bytes(), &tail);
        let kept = tail.into_inner().unwrap();
        assert_eq!(kept.len(), STDERR_TAIL_BYTES);
        assert!(kept.ends_with(b"end"));
    }

    #[test]
    fn endless_lines_are_cut() {
        let (sender, lines) = sync_channel(8);
        read_lines(std::io::repeat(b'x').take(2 * LINE_LIMIT_BYTES), &sender);
        drop(sender);
        let first = lines.recv().unwrap();
        assert_eq!(first.len() as u64, LINE_LIMIT_BYTES);
        assert_eq!(event_of(&first).unwrap_err().kind, FaultKind::Garbage);
    }
}
