//! Reads what `perf script` prints, sample by sample, without holding it in memory.

use std::io::BufRead;

/// What perf names as files that hold no code.
const NO_CODE: [&str; 4] = ["[unknown]", "[stack]", "[heap]", "//anon"];

/// One frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Where it is in its file.
    pub(super) address: u64,
    /// The function, demangled; `[unknown]` if there is no symbol.
    pub(super) symbol: String,
    /// The file that holds it, or `[kernel.kallsyms]`.
    pub(super) file: String,
}

impl Frame {
    /// Tells whether nothing is known of it.
    pub(super) fn is_unknown(&self) -> bool {
        self.symbol == "[unknown]"
    }

    /// Tells whether it is no code at all: what an unwinder finds that has lost its way.
    pub(super) fn is_nowhere(&self) -> bool {
        self.is_unknown() && NO_CODE.contains(&self.file.as_str())
    }

    /// Tells whether it is in the kernel.
    pub(super) fn is_kernel(&self) -> bool {
        self.file.starts_with('[') && !NO_CODE.contains(&self.file.as_str()) && self.file != "[vdso]"
    }
}

/// One sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// The name of the thread.
    pub(super) thread_name: String,
    /// The process.
    pub(super) process: u32,
    /// The thread; the main one has the number of the process.
    pub(super) thread: u32,
    /// The stack, the innermost frame first.
    pub(super) frames: Vec<Frame>,
}

/// What is found in the text of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A sample.
    Sample(Sample),
    /// Samples that perf could not write down.
    Lost(u64),
}

/// Reads items one after the other.
pub(super) struct Script<R> {
    lines: std::io::Split<R>,
    /// A header that ended the sample before.
    next: Option<Sample>,
    number: usize,
}

impl<R: BufRead> Script<R> {
    /// Reads from what prints a script.
    pub(super) fn new(reader: R) -> Self {
        Self { lines: reader.split(b'\n'), next: None, number: 0 }
    }

    /// Returns the next item; none at the end.
    pub(super) fn item(&mut self) -> anyhow::Result<Option<Item>> {
        loop {
            let Some(line) = self.lines.next() else {
                return Ok(self.next.take().map(Item::Sample));
            };
            self.number += 1;
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            if line.trim().is_empty() {
                if let Some(sample) = self.next.take() {
                    return Ok(Some(Item::Sample(sample)));
                }
            } else if let Some((_, lost)) = line.split_once("PERF_RECORD_LOST lost ") {
                let lost = lost.trim().parse().map_err(|_| self.damaged(&line))?;
                return Ok(Some(Item::Lost(lost)));
            } else if line.starts_with([' ', '\t'])
                && let Some(sample) = &mut self.next
            {
                let Some(frame) = frame(line.trim()) else { return Err(self.damaged(&line)) };
                sample.frames.push(frame);
            } else if line.contains("PERF_RECORD_") {
                // Samples lost by a filter and the like are no stacks.
            } else {
                let begun = header(&line).ok_or_else(|| self.damaged(&line))?;
                if let Some(sample) = self.next.replace(begun) {
                    return Ok(Some(Item::Sample(sample)));
                }
            }
        }
    }

    fn damaged(&self, line: &str) -> anyhow::Error {
        let shown: String = line.chars().take(120).collect();
        anyhow::anyhow!("line {} of perf script is neither a sample nor a frame: {shown:?}", self.number)
    }
}

/// Reads the line that begins a sample: `name of the thread  12/34  5.678901:  1003009 cpu-clock: `.
fn header(line: &str) -> Option<Sample> {
    let mut end = 0;
    for word in line.split_inclusive(' ') {
        let numbers = word.trim_end().split_once('/');
        let numbers = numbers
            .and_then(|(process, thread)| Some((process.parse::<u32>().ok()?, thread.parse::<u32>().ok()?)));
        if let Some((process, thread)) = numbers {
            let thread_name = line[..end].trim().to_owned();
            return Some(Sample { thread_name, process, thread, frames: Vec::new() });
        }
        end += word.len();
    }
    None
}

/// Reads the line of a frame: `2b11005 engine::cell::serve (/path/pond)`.
fn frame(line: &str) -> Option<Frame> {
    let (address, rest) = line.split_once(' ')?;
    let address = u64::from_str_radix(address, 16).ok()?;
    let rest = rest.trim_start().strip_suffix(')')?;
    let rest = rest.strip_suffix(" (deleted)").unwrap_or(rest);
    let place = rest.rfind('(')?;
    let symbol = rest[..place].trim();
    let symbol = if symbol.is_empty() { "[unknown]" } else { symbol };
    Some(Frame { address, symbol: symbol.to_owned(), file: rest[place + 1..].to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(text: &str) -> anyhow::Result<Vec<Item>> {
        let mut script = Script::new(text.as_bytes());
        let mut items = Vec::new();
        while let Some(item) = script.item()? {
            items.push(item);
        }
        Ok(items)
    }

    #[test]
    fn samples_frames_and_losses_are_read() {
        let text = "\
pond 12/12  60244.391827:    1003009 cpu-clock: \n\
\t         2b11005 engine::cell::workload::run (/tmp/a b/pond (deleted))\n\
\tffffffffffffffff [unknown] ([unknown])\n\
\n\
a worker 3  12/15  60244.4: PERF_RECORD_LOST lost 7\n\
a worker 3  12/15  60244.5:    1003009 cpu-clock: \n\
\tffffffff8158e3e1 next_folio ([kernel.kallsyms])\n\
\t            7f00  (/usr/lib/libc.so.6)\n";
        let read = items(text).unwrap();
        let [Item::Sample(main), Item::Lost(7), Item::Sample(worker)] = read.as_slice() else {
            panic!("{read:?}")
        };
        assert_eq!((main.thread_name.as_str(), main.process, main.thread), ("pond", 12, 12));
        assert_eq!(main.frames[0].address, 0x2b1_1005);
        assert_eq!(main.frames[0].symbol, "engine::cell::workload::run");
        assert_eq!(main.frames[0].file, "/tmp/a b/pond");
        assert!(main.frames[1].is_unknown() && !main.frames[1].is_kernel());
        assert_eq!((worker.thread_name.as_str(), worker.thread), ("a worker 3", 15));
        assert!(worker.frames[0].is_kernel());
        assert!(worker.frames[1].is_unknown());
    }

    #[test]
    fn what_is_no_script_is_refused_with_its_line() {
        let error = items("pond 1/1 2: 3 cpu-clock:\n\tno frame\n").unwrap_err().to_string();
        assert_eq!(error, "line 2 of perf script is neither a sample nor a frame: \"\\tno frame\"");
        assert!(items("hello\n").is_err());
        assert!(items("").unwrap().is_empty());
    }
}
