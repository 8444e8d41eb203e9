//! The knobs of one pond handle: which form of each step runs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use scenarios::{SETTINGS_FILE, Settings, THRESHOLDS_TABLE};
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Result};

/// The table of a pond's settings file that sets its knobs.
pub(crate) const TABLE: &str = "knobs";

/// What variables that set knobs begin with.
const VARIABLES: &str = "POND_";

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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knobs {
    settings: Settings,
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
        let settings =
            Settings::preset(name).map_err(|message| Error::Option { option: "preset", message })?;
        Ok(Self { settings })
    }

    /// Reads the settings of a pond: its `pond.toml`, then the environment (`POND_COPY=split`).
    ///
    /// In the file's table `[knobs]`, `preset` counts first, then `caches`, then the rest; its table `[thresholds]` is
    /// another reader's.
    ///
    /// # Errors
    /// Names the file and the line, or the variable, of what is no knob or has no such value.
    pub fn of_pond(root: &Path) -> Result<Self> {
        let mut knobs = Self::default();
        let path = root.join(SETTINGS_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => knobs.read(&path, &text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("read", &path)(error)),
        }
        let variables: BTreeMap<String, String> = std::env::vars()
            .filter_map(|(name, value)| Some((name.strip_prefix(VARIABLES)?.to_lowercase(), value)))
            .collect();
        let bad = |message: String| Error::Option { option: "POND_… in the environment", message };
        if let Some(unknown) = variables.keys().find(|name| !Settings::names().any(|known| known == *name)) {
            return Err(bad(Settings::default().set(unknown, "").expect_err("the name is unknown")));
        }
        knobs.settings.apply(&variables).map_err(bad)?;
        Ok(knobs)
    }

    fn read(&mut self, path: &Path, text: &str) -> Result<()> {
        let line =
            |at: usize| text.as_bytes()[..at.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1;
        let bad = |at: usize, message: String| Error::line(path, line(at) as u64, message);
        let document = DeTable::parse(text)
            .map_err(|error| bad(error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
        let mut values = BTreeMap::new();
        for (key, value) in document.get_ref() {
            let write = "write [knobs] or [thresholds]";
            let DeValue::Table(table) = value.get_ref() else {
                return Err(bad(key.span().start, format!("'{}' is no table; {write}", key.get_ref())));
            };
            match key.get_ref().as_ref() {
                TABLE => {}
                THRESHOLDS_TABLE => continue,
                other => return Err(bad(key.span().start, format!("unknown table '{other}'; {write}"))),
            }
            for (name, value) in table {
                let text = match value.get_ref() {
                    DeValue::String(text) => text.to_string(),
                    DeValue::Integer(number) => number.as_str().to_owned(),
                    _ => return Err(bad(value.span().start, "expected a text or a whole number".to_owned())),
                };
                let known = self.settings.clone().set(name.get_ref(), &text);
                known.map_err(|message| bad(name.span().start, message))?;
                values.insert(name.get_ref().to_string(), text);
            }
        }
        self.settings.apply(&values).map_err(|message| bad(0, message))
    }

    /// Reads `knob=value` and sets it.
    ///
    /// # Errors
    /// If there is no such knob, or it has no such value.
    pub fn assign(&mut self, text: &str) -> Result<()> {
        self.settings.assign(text).map_err(|message| Error::Option { option: "--set", message })
    }

    /// Returns a knob's setting.
    ///
    /// # Panics
    /// If there is no such knob; see `scenarios::KNOBS`.
    pub fn get(&self, name: &str) -> &str {
        self.settings.get(name)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Knobs> {
        let mut knobs = Knobs::default();
        knobs.read(Path::new("p/pond.toml"), text).map(|()| knobs)
    }

    #[test]
    fn a_settings_file_applies_from_the_general_to_the_particular() {
        let text =
            "[thresholds]\nmemory_mib = 1\n[knobs]\nplan_cache = \"on\"\njobs = 3\npreset = \"plain\"\n";
        let knobs = read(text).unwrap();
        assert!(knobs.cache("plan") && !knobs.cache("footer"));
        assert_eq!((knobs.copy(), knobs.jobs()), (Copy::Sql, 3));
    }

    #[test]
    fn errors_of_a_settings_file_name_the_line() {
        let check = |text: &str, expect: &str| assert_eq!(read(text).unwrap_err().to_string(), expect);
        check("[knobs]\n\ncoppy = \"sql\"", "p/pond.toml:3: unknown knob 'coppy'; did you mean 'copy'?");
        check("[knobs]\ncopy = \"quick\"", "p/pond.toml:2: copy: 'quick' is none of sql, split, passthrough");
        check("[knob]\n", "p/pond.toml:1: unknown table 'knob'; write [knobs] or [thresholds]");
        check("[knobs]\njobs = 1.5", "p/pond.toml:2: expected a text or a whole number");
    }
}
