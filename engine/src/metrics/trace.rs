//! Spans of stages in Chrome's trace format, for `--trace FILE`.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

use scenarios::Stage;

use crate::error::{Error, Result};

/// Spans kept at most; later ones are counted and the count is written into the file.
const SPANS_MAX: usize = 1_000_000;

/// Every stage that was entered, with its thread.
#[derive(Debug)]
pub(super) struct Trace {
    origin: Instant,
    spans: Mutex<Spans>,
}

#[derive(Debug, Default)]
struct Spans {
    kept: Vec<Span>,
    dropped: u64,
}

#[derive(Debug)]
struct Span {
    stage: Stage,
    thread: u64,
    begin_ns: u128,
    end_ns: u128,
}

impl Trace {
    pub(super) fn new() -> Self {
        Self { origin: Instant::now(), spans: Mutex::default() }
    }

    pub(super) fn add(&self, stage: Stage, begin: Instant, end: Instant) {
        let span = Span {
            stage,
            thread: thread_number(),
            begin_ns: begin.duration_since(self.origin).as_nanos(),
            end_ns: end.duration_since(self.origin).as_nanos(),
        };
        let mut spans = self.spans.lock().expect("no thread panics while it holds the spans");
        if spans.kept.len() < SPANS_MAX {
            spans.kept.push(span);
        } else {
            spans.dropped += 1;
        }
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let file = std::fs::File::create(path).map_err(Error::io("write the trace", path))?;
        let mut out = BufWriter::new(file);
        let spans = self.spans.lock().expect("no thread panics while it holds the spans");
        let mut write = || -> std::io::Result<()> {
            write!(out, "{{\"displayTimeUnit\":\"ms\",\"droppedSpans\":{},\"traceEvents\":[", spans.dropped)?;
            for (index, span) in spans.kept.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                write!(
                    out,
                    "{comma}\n{{\"name\":\"{}\",\"ph\":\"X\",\"pid\":1,\"tid\":{},\"ts\":{:.3},\"dur\":{:.3}}}",
                    span.stage.name(),
                    span.thread,
                    span.begin_ns as f64 / 1e3,
                    (span.end_ns - span.begin_ns) as f64 / 1e3,
                )?;
            }
            writeln!(out, "\n]}}")?;
            out.flush()
        };
        write().map_err(Error::io("write the trace", path))
    }
}

fn thread_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: u64 = NEXT.fetch_add(1, Relaxed);
    }
    NUMBER.with(|number| *number)
}
