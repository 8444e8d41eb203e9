//! The harness's side of the engine: `pond cell` serves the line protocol of the vocabulary crate.
//!
//! Requests come on standard input, events go to standard output, one JSON object a line. A request that
//! fails is answered by an event and the engine goes on; a line that is no request ends it.

mod append;
mod commit;
mod digest;
mod nodes;
mod prepare;
mod process;
mod reading;
mod workload;

use std::io::{BufRead, Write};

use scenarios::wire::{Event, PROTOCOL, Request};

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
    for line in input.lines() {
        let request = Request::from_line(&line?).map_err(std::io::Error::other)?;
        let answered = match request {
            Request::Prepare { cell, ponds_dir } => {
                let mut progress = |what: &str, done, total| {
                    send(&mut output, &Event::Progress { what: what.to_owned(), done, total })
                };
                prepare::prepare(&cell, &ponds_dir, &mut progress).map(|prepared| vec![prepared])
            }
            Request::Run { cell, ponds_dir, work_dir, warm } => {
                workload::run(&cell, &ponds_dir, &work_dir, warm).map(|samples| {
                    let count = samples.len() as u32;
                    let mut events: Vec<Event> =
                        samples.into_iter().map(|sample| Event::Sample { sample }).collect();
                    events.push(Event::Done { samples: count });
                    events
                })
            }
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
