//! The knobs of one pond handle: which form of each step runs.

use std::fmt;

use scenarios::Settings;

use crate::error::{Error, Result};

/// How matched rows become files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// DataFusion's `COPY … PARTITIONED BY`.
    Sql,
    /// Sorted rows cut at partition boundaries, with one open file.
    Split,
    /// Encoded row groups copied as they are, where they lie in one partition.
    Passthrough,
}

/// How rows are aggregated over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// SQL that aggregates what an inner query has aggregated.
    TwoPass,
    /// SQL that aggregates once.
    OnePass,
    /// One pass over sorted rows for all resolutions.
    Streaming,
}

/// A setting for every knob of the vocabulary; see `scenarios::KNOBS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knobs {
    settings: Settings,
}

impl Default for Knobs {
    fn default() -> Self {
        Self { settings: Settings::default() }
    }
}

impl From<Settings> for Knobs {
    fn from(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Knobs {
    /// Returns a preset: plain, week1, week2, week4 or tuned.
    ///
    /// # Errors
    /// If there is none of the name.
    pub fn preset(name: &str) -> Result<Self> {
        let settings = Settings::preset(name).map_err(|message| Error::Option { option: "preset", message })?;
        Ok(Self { settings })
    }

    /// Reads `knob=value` and sets it.
    ///
    /// # Errors
    /// If there is no such knob, or it has no such value.
    pub fn assign(&mut self, text: &str) -> Result<()> {
        self.settings.assign(text).map_err(|message| Error::Option { option: "--set", message })
    }

    /// Tells whether a cache of `scenarios::CACHES` is on.
    pub fn cache(&self, name: &str) -> bool {
        self.settings.get(&format!("{name}_cache")) == "on"
    }

    /// Returns the bytes that each cache may hold.
    pub fn cache_bytes(&self) -> usize {
        self.number("cache_bytes")
    }

    /// Returns the policy of the caches: `lru`, `fifo` or `ttl`.
    pub fn cache_policy(&self) -> &str {
        self.settings.get("cache_policy")
    }

    /// Tells whether footers and schemas are kept on disk between processes.
    pub fn cache_disk(&self) -> bool {
        self.settings.get("cache_disk") == "on"
    }

    /// Tells whether tables keep their names from use to use.
    pub fn stable_names(&self) -> bool {
        self.settings.get("names") == "stable"
    }

    /// Tells whether patterns are matched by names in order, rather than by looking at every node.
    pub fn indexed_find(&self) -> bool {
        self.settings.get("find") == "index"
    }

    /// Tells whether exported rows are asked for in time order.
    pub fn sorted(&self) -> bool {
        self.settings.get("order") == "sorted"
    }

    /// Returns how matched rows become files.
    pub fn copy(&self) -> Copy {
        match self.settings.get("copy") {
            "sql" => Copy::Sql,
            "split" => Copy::Split,
            _ => Copy::Passthrough,
        }
    }

    /// Returns how rows are aggregated over time.
    pub fn reduce(&self) -> Reduce {
        match self.settings.get("reduce") {
            "two-pass" => Reduce::TwoPass,
            "one-pass" => Reduce::OnePass,
            _ => Reduce::Streaming,
        }
    }

    /// Tells whether a re-export writes only what changed.
    pub fn incremental(&self) -> bool {
        self.settings.get("incremental") == "on"
    }

    /// Returns the units of an export that are worked on at a time.
    pub fn jobs(&self) -> usize {
        match self.number("jobs") {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            jobs => jobs,
        }
    }

    fn number(&self, name: &str) -> usize {
        // Settings hold whole numbers only; one too large for this machine means as much as there is.
        self.settings.get(name).parse().unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Knobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}
