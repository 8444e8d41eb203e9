//! The line protocol between the harness and `pond cell`: one JSON object a line, versioned.
//!
//! The engine greets with [`Event::Hello`], then answers each [`Request`] from standard input with any
//! number of [`Event::Progress`] lines and ends it with exactly one of [`Event::Prepared`],
//! [`Event::Done`], [`Event::Explained`] or [`Event::Failed`]. End of input ends the engine. Everything that is not an event
//! goes to standard error.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cell::Cell;
use crate::sample::Sample;

/// The protocol's version; both sides refuse another one.
pub const PROTOCOL: u32 = 3;

/// What the harness asks of the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Build what the cell needs, if it is not there: source files, a pond. Not measured.
    Prepare {
        /// The cell.
        cell: Cell,
        /// Where generated ponds are kept, by size, spec digest and pond format.
        ponds_dir: PathBuf,
    },
    /// Measure the cell: once cold, then `warm` times more.
    Run {
        /// The cell.
        cell: Cell,
        /// Where generated ponds are kept.
        ponds_dir: PathBuf,
        /// An empty folder for the cell's output.
        work_dir: PathBuf,
        /// Whether each execution after the first waits for [`Request::Next`], and each sample is sent at once, so
        /// that two engines can execute in turn.
        in_turn: bool,
        /// Executions after the first one.
        warm: u32,
    },
    /// Go on with the next execution of a [`Request::Run`] in turn.
    Next,
    /// Do once what the cell does, and explain it. Not measured.
    Explain {
        /// The cell.
        cell: Cell,
        /// Where generated ponds are kept.
        ponds_dir: PathBuf,
        /// An empty folder for the cell's output.
        work_dir: PathBuf,
    },
}

/// What the engine says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    /// The first line of every engine.
    Hello {
        /// [`PROTOCOL`] of the engine.
        protocol: u32,
        /// The engine's package version.
        engine: String,
        /// The version of the pond format it writes.
        pond_format: u32,
        /// `release` or `debug`.
        profile: String,
    },
    /// Long work goes on.
    Progress {
        /// What is being done.
        what: String,
        /// Steps done.
        done: u64,
        /// Steps in all.
        total: u64,
    },
    /// A [`Request::Prepare`] is done.
    Prepared {
        /// Whether something was built, rather than found.
        built: bool,
        /// Files of the cell's data set: the size by which costs are charted.
        files: u64,
        /// Rows of the cell's data set.
        rows: u64,
    },
    /// One measured execution.
    Sample {
        /// The sample.
        sample: Sample,
    },
    /// A [`Request::Run`] is done; `samples` were sent.
    Done {
        /// How many samples were sent for this request.
        samples: u32,
    },
    /// A [`Request::Explain`] is done.
    Explained {
        /// What `pond explain --format json` prints: plans, operators, findings, the log, accesses.
        analysis: serde_json::Value,
    },
    /// The request failed; the engine goes on with the next one.
    Failed {
        /// What went wrong and what to do.
        message: String,
    },
}

impl Event {
    /// Writes the event as one line, without the line's end.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("events hold only strings, numbers and lists")
    }

    /// Reads one line.
    ///
    /// # Errors
    /// If the line is no event of this protocol.
    pub fn from_line(line: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }
}

impl Request {
    /// Writes the request as one line, without the line's end.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("requests hold only strings, numbers and lists")
    }

    /// Reads one line.
    ///
    /// # Errors
    /// If the line is no request of this protocol.
    pub fn from_line(line: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }
}
