//! The harness's side of the engine: `pond cell` serves the line protocol of the vocabulary crate.
//!
//! Requests come on standard input, events go to standard output, one JSON object a line. A request that
//! fails is answered by an event and the engine goes on; a line that is no request ends it. If the harness is gone, the
//! engine ends after the execution in progress.

mod append;
mod commit;
mod digest;
mod nodes;
mod prepare;
mod reading;
mod workload;

use std::io::{BufRead, ErrorKind, Write};
use std::os::unix::process::parent_id;
use std::path::Path;

use scenarios::Sample;
use scenarios::wire::{Event, PROTOCOL, Request};

use crate::error::Error;
use crate::log::POND_FORMAT;
use crate::pond::Explained;

/// Serves requests until the input ends.
///
/// # Errors
/// If input or output fail, or a line is no request.
pub fn serve(input: impl BufRead, mut output: impl Write) -> std::io::Result<()> {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    send(
        &mut output,
        &Event::Hello {
            protocol: PROTOCOL,
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            pond_format: POND_FORMAT,
            profile: profile.to_owned(),
        },
    )?;
    let mut lines = input.lines();
    while let Some(line) = lines.next() {
        let request = Request::from_line(&line?).map_err(std::io::Error::other)?;
        // One that was killed cannot say so; its children are another's then.
        let harness_id = parent_id();
        let answered = match request {
            Request::Prepare { cell, ponds_dir } => {
                let mut progress = |what: &str, done, total| {
                    send(&mut output, &Event::Progress { what: what.to_owned(), done, total })
                };
                prepare::prepare(&cell, &ponds_dir, &mut progress).map(|prepared| vec![prepared])
            }
            Request::Run { cell, ponds_dir, work_dir, in_turn, warm } => {
                let mut events = Vec::new();
                let mut took = |sample: Sample| {
                    let is_last = sample.iteration == warm;
                    events.push(Event::Sample { sample });
                    if !in_turn {
                        // Whoever listens would wake up beside what is measured next.
                        let is_gone = parent_id() != harness_id;
                        return if is_gone { Err(ErrorKind::BrokenPipe.into()) } else { Ok(()) };
                    }
                    events.drain(..).try_for_each(|event| send(&mut output, &event))?;
                    if is_last { Ok(()) } else { next(lines.next()) }
                };
                workload::run(&cell, &ponds_dir, &work_dir, warm, &mut took).map(|()| {
                    events.push(Event::Done { samples: warm + 1 });
                    events
                })
            }
            Request::Next => Err(harness(std::io::Error::other("nothing waits for a next execution"))),
            Request::Explain { cell, ponds_dir, work_dir } => workload::explain(&cell, &ponds_dir, &work_dir)
                .map(|explained| vec![explained_event(&explained)]),
        };
        let events = answered.unwrap_or_else(|error| vec![Event::Failed { message: error.to_string() }]);
        for event in &events {
            send(&mut output, event)?;
        }
    }
    Ok(())
}

/// Takes the line that lets a run in turn go on.
fn next(line: Option<std::io::Result<String>>) -> std::io::Result<()> {
    let line = line.ok_or(ErrorKind::UnexpectedEof)??;
    match Request::from_line(&line).map_err(std::io::Error::other)? {
        Request::Next => Ok(()),
        _ => Err(std::io::Error::other("another request came before a run in turn was done")),
    }
}

/// Makes an error of what went wrong between engine and harness.
fn harness(error: std::io::Error) -> Error {
    Error::io("talk to", Path::new("the harness"))(error)
}

/// Longest line that the harness takes, in bytes.
const LINE_BYTES_MAX: usize = 1 << 20;

/// Makes the event that holds an explanation; one that is too long for a line is refused, not cut.
fn explained_event(explained: &Explained) -> Event {
    let analysis = serde_json::to_value(explained).expect("an explanation holds strings, numbers and lists");
    let event = Event::Explained { analysis };
    let bytes = event.to_line().len();
    if bytes < LINE_BYTES_MAX {
        return event;
    }
    let message = format!("the explanation has {bytes} bytes, too many for a line; explain a smaller cell");
    Event::Failed { message }
}

fn send(output: &mut impl Write, event: &Event) -> std::io::Result<()> {
    writeln!(output, "{}", event.to_line())?;
    output.flush()
}
