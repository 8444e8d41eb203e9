//! What the self-test tries and what came of it: is the gate silent where nothing changed, and does it find what did?

mod outcome;
pub(crate) mod probes;

pub(crate) use outcome::{Outcome, Tally, complaint_of_all, markdown, table};

/// What a run of the self-test compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Experiment {
    /// Its name.
    pub(crate) name: &'static str,
    /// The fault planted in the head, as the variable `POND_PLANT` has it; none if it is empty.
    pub(crate) plant: &'static str,
    /// What the head is built as.
    pub(crate) head: Head,
    /// Whether another process competes for the processors.
    pub(crate) loaded: bool,
    /// Whether times are left out, so that only counters are compared.
    pub(crate) exact: bool,
    /// How long processes measure.
    pub(crate) span: Span,
    /// How often the cells are compared.
    pub(crate) runs: u32,
    /// What should come of it.
    pub(crate) expected: Expected,
}

/// How long processes measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// Long enough to see false alarms of noise.
    Short,
    /// Long enough to find large effects.
    Middle,
    /// About as long as for `bench`, which finds small effects.
    Long,
}

/// What the head of an experiment is built from, which is always the working tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// The base's own binary.
    Same,
    /// The same sources with another layout.
    OtherLayout,
    /// The same sources with a comment more, which moves every line of a file.
    Commented,
}

/// What should come of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing is called, in time or counters.
    Silence,
    /// Every cell is called slower; the least share that must be.
    Slower {
        /// In percent.
        least_percent: u32,
    },
    /// How many cells are called slower is only told.
    Told,
    /// A counter that begins with one of these is named for at least one cell.
    Counter(&'static [&'static str]),
}

/// The cells whose times are compared.
pub(crate) const TIMED: [&str; 5] = [
    "smoke/open[size=tiny]",
    "smoke/query[query=aggregate size=tiny]",
    "smoke/export[temporal=year,month size=tiny]",
    "smoke/re-export[size=tiny]",
    "smoke/reduce[reduce=streaming size=tiny]",
];

/// Cells whose counters alone are compared: an export that leaves out versions by their times, and an import, which
/// can put rows aside.
pub(crate) const COUNTED: [&str; 2] = ["small/export-span[jobs=1]", "smoke/import[format=parquet size=tiny]"];

/// The full self-test.
pub(crate) const FULL: [Experiment; 14] = [
    Experiment { exact: true, ..silent("same binary, counters", Head::Same, 30) },
    silent("same binary", Head::Same, 60),
    silent("other layout", Head::OtherLayout, 5),
    silent("a comment more", Head::Commented, 5),
    Experiment { loaded: true, ..silent("same binary under load", Head::Same, 2) },
    slower("2 % slower", "slow=2", 1, Expected::Told),
    slower("5 % slower", "slow=5", 2, Expected::Slower { least_percent: 90 }),
    slower("10 % slower", "slow=10", 1, Expected::Slower { least_percent: 100 }),
    PLANTS[0],
    PLANTS[1],
    PLANTS[2],
    PLANTS[3],
    PLANTS[4],
    PLANTS[5],
];

/// The quick self-test.
pub(crate) const QUICK: [Experiment; 8] = [
    silent("same binary", Head::Same, 1),
    Experiment {
        span: Span::Middle,
        ..slower("10 % slower", "slow=10", 1, Expected::Slower { least_percent: 80 })
    },
    PLANTS[0],
    PLANTS[1],
    PLANTS[2],
    PLANTS[3],
    PLANTS[4],
    PLANTS[5],
];

/// Faults that counters must name.
const PLANTS: [Experiment; 6] = [
    counted("each footer read twice", "footers", &["footers_read"]),
    counted("a request more for each object", "requests", &["store_"]),
    counted("nothing pruned", "pruning", &["rows_read", "versions_read", "store_", "footers_read"]),
    counted("caches that always miss", "misses", &["cache."]),
    counted("rows put aside on disk", "spills", &["spill"]),
    counted("5 % more allocations", "allocations=5", &["alloc_count"]),
];

const fn silent(name: &'static str, head: Head, runs: u32) -> Experiment {
    Experiment {
        name,
        plant: "",
        head,
        loaded: false,
        exact: false,
        span: Span::Short,
        runs,
        expected: Expected::Silence,
    }
}

const fn slower(name: &'static str, plant: &'static str, runs: u32, expected: Expected) -> Experiment {
    Experiment { plant, span: Span::Long, expected, ..silent(name, Head::Same, runs) }
}

const fn counted(name: &'static str, plant: &'static str, named: &'static [&'static str]) -> Experiment {
    Experiment { plant, exact: true, expected: Expected::Counter(named), ..silent(name, Head::Same, 1) }
}
