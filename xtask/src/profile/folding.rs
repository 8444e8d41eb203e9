//! Folds samples into stacks, and tells those of the measured operation from others.
//!
//! A stack of an engine's main thread is measured if it passes through the function `measured` of the engine's
//! `cell`, which the compiler may have put into its caller. A stack that was cut off before that is what the samples
//! before and after it on the same thread are, if they agree; otherwise it is left out and counted. Other threads work
//! for the measured operation. Where the engine has no such function, or no line tables that tell where it lies,
//! everything counts.

use std::collections::BTreeMap;
use std::io::BufRead;

use super::inlined::Inlined;
use super::names::shortened;
use super::script::{Frame, Item, Sample, Script};

/// The function whose time is measured.
const MEASURED: &str = "measured";

/// Where the engine's side of the protocol is.
const CELL: &str = "::cell::";

/// A stack that reaches one of these is whole enough to be told.
const CALLERS: [&str; 2] = ["::cell::workload::run", "::cell::serve"];

/// What every program begins with.
const START: &str = "_start";

/// What every thread of Rust begins with.
const THREAD_START: &str = "std::sys::backtrace::__rust_begin_short_backtrace";

/// The frame below stacks whose outer part is not known.
const CUT_OFF: &str = "[cut off]";

/// What interrupts begin with: they are not the work of whom they interrupt.
const INTERRUPTS: [&str; 3] = ["asm_sysvec_", "asm_common_interrupt", "sysvec_"];

/// Stacks with the number of their samples, the outermost frame first, as tools for flame graphs read them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Folded {
    /// The stacks.
    pub(crate) stacks: BTreeMap<String, u64>,
    /// Samples of the engine that are not of the measured operation.
    pub(crate) unmeasured: u64,
    /// Samples whose stack was cut off where it cannot be told; they are left out.
    pub(crate) undecided: u64,
    /// Samples that perf could not write down.
    pub(crate) lost: u64,
    /// Whether the measured operation could be told from the rest.
    pub(crate) told: bool,
}

impl Folded {
    /// Returns the number of samples that count.
    pub(crate) fn samples(&self) -> u64 {
        self.stacks.values().sum()
    }

    /// Writes a line for each stack.
    pub(crate) fn text(&self) -> String {
        self.stacks.iter().map(|(stack, count)| format!("{stack} {count}\n")).collect()
    }

    /// Reads a script of samples; those of the harness itself do not count.
    pub(super) fn read(script: impl BufRead, harness: u32, inlined: impl Inlined) -> anyhow::Result<Self> {
        let mut folder = Folder::new(inlined);
        let mut script = Script::new(script);
        while let Some(item) = script.item()? {
            match item {
                Item::Lost(lost) => folder.lost += lost,
                Item::Sample(sample) if sample.process == harness => {}
                Item::Sample(sample) => folder.add(sample),
            }
        }
        Ok(folder.end())
    }

    /// Adds what was sampled of the same engine at another time.
    pub(crate) fn add(&mut self, other: Self) {
        let is_first = self.stacks.is_empty();
        for (stack, count) in other.stacks {
            *self.stacks.entry(stack).or_default() += count;
        }
        self.unmeasured += other.unmeasured;
        self.undecided += other.undecided;
        self.lost += other.lost;
        self.told = other.told && (is_first || self.told);
    }
}

/// To which part of a process a stack belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Measured,
    Other,
}

/// What is known of a process' main thread so far.
#[derive(Debug, Default)]
struct MainThread {
    last: Option<Part>,
    /// Stacks that were cut off since then.
    pending: Vec<String>,
}

struct Folder<I> {
    inlined: I,
    measured: BTreeMap<String, u64>,
    others: BTreeMap<String, u64>,
    undecided: BTreeMap<String, u64>,
    main_threads: BTreeMap<u32, MainThread>,
    lost: u64,
    told: bool,
}

impl<I: Inlined> Folder<I> {
    fn new(inlined: I) -> Self {
        Self {
            inlined,
            measured: BTreeMap::new(),
            others: BTreeMap::new(),
            undecided: BTreeMap::new(),
            main_threads: BTreeMap::new(),
            lost: 0,
            told: false,
        }
    }

    fn add(&mut self, sample: Sample) {
        let Sample { thread_name, process, thread, mut frames } = sample;
        without_interrupts(&mut frames);
        let is_cut = without_unknown_root(&mut frames);
        if frames.is_empty() {
            return;
        }
        if thread != process {
            let stack = thread_stack(&thread_name, &frames, is_cut);
            *self.measured.entry(stack).or_default() += 1;
            return;
        }
        let main = self.main_threads.entry(process).or_default();
        let part = match measured_place(&frames, &mut self.inlined) {
            Some(place) => {
                self.told = true;
                let stack = folded(&[MEASURED], &frames[..place]);
                *self.measured.entry(stack).or_default() += 1;
                Part::Measured
            }
            None if is_whole(&frames, is_cut) => {
                *self.others.entry(folded(&[], &frames)).or_default() += 1;
                Part::Other
            }
            None => return main.pending.push(folded(&[MEASURED, CUT_OFF], &frames)),
        };
        let before = main.last.replace(part);
        let pending = std::mem::take(&mut main.pending);
        self.place(pending, before, Some(part));
    }

    /// Puts stacks that were cut off where those before and after them are.
    fn place(&mut self, pending: Vec<String>, before: Option<Part>, after: Option<Part>) {
        let parts = match (before, after) {
            (Some(Part::Measured), Some(Part::Measured)) => &mut self.measured,
            // A process begins and ends with what is not measured.
            (None | Some(Part::Other), Some(Part::Other)) | (Some(Part::Other), None) => &mut self.others,
            _ => &mut self.undecided,
        };
        for stack in pending {
            *parts.entry(stack).or_default() += 1;
        }
    }

    fn end(mut self) -> Folded {
        for main in std::mem::take(&mut self.main_threads).into_values() {
            self.place(main.pending, main.last, None);
        }
        let count = |stacks: &BTreeMap<String, u64>| stacks.values().sum::<u64>();
        let (unmeasured, undecided) = (count(&self.others), count(&self.undecided));
        let folded = Folded { lost: self.lost, told: self.told, ..Folded::default() };
        if self.told {
            return Folded { stacks: self.measured, unmeasured, undecided, ..folded };
        }
        let mut stacks = self.measured;
        for (stack, count) in self.others.into_iter().chain(self.undecided) {
            *stacks.entry(stack).or_default() += count;
        }
        Folded { stacks, ..folded }
    }
}

/// Removes the frames of an interrupt, which are the innermost ones.
fn without_interrupts(frames: &mut Vec<Frame>) {
    let is_interrupt =
        |frame: &Frame| frame.is_kernel() && INTERRUPTS.iter().any(|start| frame.symbol.starts_with(start));
    if let Some(place) = frames.iter().rposition(is_interrupt) {
        frames.drain(..=place);
    }
}

/// Removes the marks of a stack whose outer part could not be unwound; tells whether there were some.
fn without_unknown_root(frames: &mut Vec<Frame>) -> bool {
    let count = frames.len();
    while frames.last().is_some_and(Frame::is_nowhere) {
        frames.pop();
    }
    frames.len() < count
}

/// Finds the frame of the measured operation.
fn measured_place(frames: &[Frame], inlined: &mut impl Inlined) -> Option<usize> {
    frames.iter().rposition(|frame| {
        let is_cell = frame.symbol.contains(CELL);
        is_cell
            && (frame.symbol.rsplit("::").any(|part| part == MEASURED)
                || inlined.holds(frame.address, MEASURED))
    })
}

/// Tells whether a stack reaches as far as where the measured operation would be seen.
fn is_whole(frames: &[Frame], is_cut: bool) -> bool {
    let is_caller = |frame: &Frame| CALLERS.iter().any(|caller| frame.symbol.contains(caller));
    let is_start = |frame: &Frame| frame.symbol == START;
    // A process that begins or ends has frames of the kernel alone.
    frames.iter().any(|frame| is_caller(frame) || is_start(frame))
        || (!is_cut && frames.iter().all(Frame::is_kernel))
}

/// Folds a stack of a thread that is not the main one.
fn thread_stack(name: &str, frames: &[Frame], is_cut: bool) -> String {
    let root = format!("thread {}", name.replace(';', ","));
    let begin = frames.iter().rposition(|frame| frame.symbol.starts_with(THREAD_START));
    match begin {
        Some(begin) => folded(&[&root], &frames[..begin]),
        None if is_cut => folded(&[&root, CUT_OFF], frames),
        None => folded(&[&root], frames),
    }
}

/// Writes frames below a root, the outermost first.
fn folded(root: &[&str], frames: &[Frame]) -> String {
    let mut names: Vec<String> = root.iter().map(|&name| name.to_owned()).collect();
    for frame in frames.iter().rev() {
        let name = name(frame);
        if !(frame.is_unknown() && names.last() == Some(&name)) {
            names.push(name);
        }
    }
    names.join(";")
}

/// Names a frame; what has no symbol is named by its file.
fn name(frame: &Frame) -> String {
    if frame.is_unknown() {
        let file = frame.file.rsplit('/').next().unwrap_or_default().trim_matches(['[', ']']);
        return format!("[{}]", file.replace(';', ","));
    }
    let name = shortened(&frame.symbol);
    if frame.is_kernel() { format!("{name}_[k]") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The compiler has put `measured` into `run` at these addresses.
    struct At(&'static [u64]);

    impl Inlined for At {
        fn holds(&mut self, address: u64, name: &str) -> bool {
            name == MEASURED && self.0.contains(&address)
        }
    }

    /// A script with a stack for each line, the outermost frame first: `THREAD frame frame …`; all of process 7, and
    /// of thread 7 if that is named `pond`.
    fn script(lines: &[&str]) -> String {
        let mut text = String::new();
        for line in lines {
            let mut words = line.split(' ');
            let name = words.next().unwrap();
            let thread = if name == "pond" { 7 } else { 8 };
            text.push_str(&format!("{name} 7/{thread} 1.0: 1 cpu-clock: \n"));
            for word in words.collect::<Vec<_>>().iter().rev() {
                let (symbol, address) = word.split_once('@').unwrap_or((word, "1"));
                let file = match symbol {
                    "?" => "[unknown]",
                    symbol if symbol.starts_with("k_") || symbol.starts_with("asm_") => "[kernel.kallsyms]",
                    _ => "/bin/pond",
                };
                let symbol = if symbol == "?" { "[unknown]" } else { symbol };
                text.push_str(&format!("\t{address} {symbol} ({file})\n"));
            }
            text.push('\n');
        }
        text
    }

    fn fold(lines: &[&str]) -> Folded {
        Folded::read(script(lines).as_bytes(), 99, At(&[0xa])).unwrap()
    }

    #[test]
    fn only_what_is_below_the_measured_operation_counts() {
        let folded = fold(&[
            "pond _start main e::cell::workload::run@a export write k_copy",
            "pond _start main e::cell::workload::run@a export write k_copy",
            "pond _start main e::cell::workload::run@b read_back",
            "pond _start main e::cell::workload::run@b e::cell::workload::Task::measured query",
            "pond _start ld_start",
            "pond k_exit",
        ]);
        assert_eq!(folded.text(), "measured;export;write;k_copy_[k] 2\nmeasured;query 1\n");
        assert_eq!((folded.samples(), folded.unmeasured, folded.undecided, folded.told), (3, 3, 0, true));
    }

    #[test]
    fn stacks_that_were_cut_off_are_what_their_neighbours_are() {
        let folded = fold(&[
            "pond ? k_exec",
            "pond _start e::cell::serve",
            "pond ? digest",
            "pond _start e::cell::workload::run@b read_back",
            "pond ? lost_at_a_border",
            "pond _start e::cell::workload::run@a export",
            "pond ? compress",
            "pond ? e::cell::workload::run@a export",
        ]);
        assert_eq!(folded.text(), "measured;[cut off];compress 1\nmeasured;export 2\n");
        assert_eq!((folded.unmeasured, folded.undecided), (4, 1));
    }

    #[test]
    fn threads_count_and_interrupts_do_not() {
        let folded = fold(&[
            "worker clone std::sys::backtrace::__rust_begin_short_backtrace::h0123456789abcdef scan decode",
            "worker ? decode asm_sysvec_apic_timer_interrupt k_schedule",
            "pond e::cell::workload::run@a asm_sysvec_apic_timer_interrupt k_schedule",
        ]);
        let text = "measured 1\nthread worker;[cut off];decode 1\nthread worker;scan;decode 1\n";
        assert_eq!(folded.text(), text);
    }

    #[test]
    fn everything_counts_where_nothing_can_be_told() {
        let folded = fold(&["pond _start main work", "pond ? work"]);
        assert_eq!(folded.text(), "_start;main;work 1\nmeasured;[cut off];work 1\n");
        assert!(!folded.told);
        // The harness itself never counts.
        let text = script(&["pond _start main work"]);
        assert_eq!(Folded::read(text.as_bytes(), 7, At(&[])).unwrap().samples(), 0);
    }

    #[test]
    fn profiles_are_added() {
        let mut sum = Folded::default();
        let one = fold(&["pond e::cell::workload::run@a export"]);
        sum.add(one.clone());
        assert_eq!(sum, one);
        sum.add(fold(&["pond _start work"]));
        assert!(!sum.told);
        assert_eq!(sum.samples(), 2);
    }
}
