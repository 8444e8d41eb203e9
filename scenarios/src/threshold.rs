//! Thresholds: the closed list of limits that a settings file may set on what an operation uses.
//!
//! They are judged from metrics by name, so that the engine, which counts as it goes, and the harness, which has
//! samples, say the same. A limit may be reached; what is above it crosses the threshold.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::document::{self, DocumentError, Fault, Keys, suggestion};
use crate::knob::CACHES;

/// The settings file, in the folder of a pond and in that of the workspace.
pub const SETTINGS_FILE: &str = "pond.toml";

/// The table of a settings file that holds thresholds.
pub const THRESHOLDS_TABLE: &str = "thresholds";

/// The key beside the thresholds: look-ups that a cache must have had before its misses are judged.
pub const LOOKUPS_MIN: &str = "cache_lookups_min";

/// [`LOOKUPS_MIN`], if it is not set.
const LOOKUPS_MIN_DEFAULT: u64 = 100;

/// The name by which errors of the store are judged. It is no metric: samples do not hold it.
pub const STORE_ERRORS: &str = "store_errors";

/// The name of the threshold of waiting, which means little until much has been done.
pub const IO_WAIT: &str = "io_wait_percent";

/// A limit that may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// The name, with its unit.
    pub name: &'static str,
    /// The largest limit that makes sense.
    pub most: u64,
    /// What is limited, in a line.
    pub about: &'static str,
    /// What whoever runs an export can do about it, after `try`.
    pub advice: &'static str,
}

/// Every threshold, in the order in which crossings are told.
pub const THRESHOLDS: [Threshold; 5] = [
    Threshold {
        name: "cache_miss_percent",
        most: 100,
        about: "misses of any cache that is on, among its look-ups",
        advice: "more room (--set cache_bytes=…), or footers kept on disk (--set cache_disk=on), unless all is read \
                 for the first time",
    },
    Threshold {
        name: "planning_ms",
        most: u64::MAX,
        about: "time of planning queries, all together",
        advice: "`pond explain`, which shows the time of each rule, and kept plans (--set plan_cache=on)",
    },
    Threshold {
        name: IO_WAIT,
        most: 100,
        about: "elapsed time in which no processor worked for the process",
        advice: "more series at a time (--jobs), fewer rows (--start, --end), or a faster disk",
    },
    Threshold {
        name: "memory_mib",
        most: u64::MAX,
        about: "resident memory of the process at its peak",
        advice: "fewer series at a time (--jobs), or smaller caches (--set cache_bytes=…)",
    },
    Threshold {
        name: STORE_ERRORS,
        most: u64::MAX,
        about: "requests to the store that failed",
        advice: "a look at the storage, its room and its permissions; the system's log may name the device",
    },
];

impl Threshold {
    fn named(name: &str) -> Option<&'static Self> {
        THRESHOLDS.iter().find(|threshold| threshold.name == name)
    }
}

/// The limits that are set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, u64>", into = "BTreeMap<String, u64>")]
pub struct Thresholds {
    limits: BTreeMap<&'static str, u64>,
}

/// A threshold that was crossed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crossing {
    /// The place of the threshold in [`THRESHOLDS`].
    place: usize,
    /// The cache, if it is about one, and its look-ups.
    cache: Option<(&'static str, u64)>,
    /// What was used, in thousandths of the threshold's unit, rounded up.
    used_milli: u64,
    limit: u64,
}

impl Thresholds {
    /// Reads the table `[thresholds]` of a settings file; none are set if there is no file.
    ///
    /// `others` are the tables that another reader is for.
    ///
    /// # Errors
    /// Names the file and the line of what is no threshold, or no limit.
    pub fn read(path: &Path, others: &[&str]) -> Result<Self, DocumentError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text, others),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(DocumentError::Read { path: path.to_owned(), source }),
        }
    }

    /// Reads the text of a settings file; `path` is the place in errors.
    ///
    /// # Errors
    /// As [`Thresholds::read`].
    pub fn parse(path: &Path, text: &str, others: &[&str]) -> Result<Self, DocumentError> {
        let tables = [&[THRESHOLDS_TABLE], others].concat();
        document::parse(path, text, |document| {
            let tables = Keys::new(document.get_ref(), 0, "the settings", &tables)?;
            let Some(table) = tables.get(THRESHOLDS_TABLE) else { return Ok(Self::default()) };
            let names: Vec<&str> = Self::names().collect();
            let keys = Keys::of(table, "[thresholds]", &names)?;
            let mut thresholds = Self::default();
            for name in names {
                if let Some(value) = keys.get(name) {
                    let fault = |message| -> Fault { (value.span().start, message) };
                    thresholds.set(name, keys.number(name, 0)?).map_err(fault)?;
                }
            }
            Ok(thresholds)
        })
    }

    /// Sets a limit.
    ///
    /// # Errors
    /// If there is no such threshold, or the limit makes no sense for it.
    pub fn set(&mut self, name: &str, limit: u64) -> Result<(), String> {
        let names: Vec<&'static str> = Self::names().collect();
        let Some(known) = names.iter().find(|known| **known == name) else {
            return Err(format!("unknown threshold '{name}'{}", suggestion(name, &names)));
        };
        let most = Threshold::named(name).map_or(u64::MAX, |threshold| threshold.most);
        if limit > most {
            return Err(format!("'{name}' is at most {most}, and {limit} can never be crossed"));
        }
        self.limits.insert(known, limit);
        Ok(())
    }

    /// Returns a limit, if it is set.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.limits.get(name).copied()
    }

    /// Tells whether no threshold is set.
    pub fn is_empty(&self) -> bool {
        THRESHOLDS.iter().all(|threshold| self.get(threshold.name).is_none())
    }

    /// Returns every name that [`Thresholds::set`] takes.
    pub fn names() -> impl Iterator<Item = &'static str> {
        THRESHOLDS.iter().map(|threshold| threshold.name).chain([LOOKUPS_MIN])
    }

    /// Returns the thresholds that metrics cross, in order; of misses, those of each cache that is on.
    ///
    /// What the metrics do not tell is not judged.
    pub fn crossed(&self, metrics: &BTreeMap<String, u64>, is_on: impl Fn(&str) -> bool) -> Vec<Crossing> {
        let lookups_min = self.get(LOOKUPS_MIN).unwrap_or(LOOKUPS_MIN_DEFAULT).max(1);
        let mut crossed = Vec::new();
        for (place, threshold) in THRESHOLDS.iter().enumerate() {
            let Some(limit) = self.get(threshold.name) else { continue };
            let mut add = |cache, used_milli: Option<u64>| {
                if let Some(used_milli) = used_milli.filter(|used| *used > limit.saturating_mul(1000)) {
                    crossed.push(Crossing { place, cache, used_milli, limit });
                }
            };
            let metric = |name: &str| metrics.get(name).copied();
            match threshold.name {
                "cache_miss_percent" => {
                    for cache in CACHES.into_iter().filter(|cache| is_on(cache)) {
                        let of = |what: &str| metric(&format!("cache.{cache}.{what}")).unwrap_or(0);
                        let (hits, misses) = (of("hits"), of("misses"));
                        let lookups = hits + misses;
                        if lookups >= lookups_min {
                            add(Some((cache, lookups)), Some(milli(misses, 100, lookups)));
                        }
                    }
                }
                "planning_ms" => {
                    add(None, metric("stage.query_planning.ns").map(|ns| milli(ns, 1, 1_000_000)))
                }
                "memory_mib" => add(None, metric("peak_rss_bytes").map(|bytes| milli(bytes, 1, 1 << 20))),
                IO_WAIT => add(None, waited_milli(metrics)),
                name => add(None, metric(name).map(|count| milli(count, 1, 1))),
            }
        }
        crossed
    }
}

/// Returns thousandths of `count * times / whole`, rounded up, so that what is above a limit never rounds down to it.
fn milli(count: u64, times: u64, whole: u64) -> u64 {
    let milli = (u128::from(count) * u128::from(times) * 1000).div_ceil(u128::from(whole));
    u64::try_from(milli).unwrap_or(u64::MAX)
}

/// Returns the share of elapsed time in which no processor worked, in thousandths of a percent.
///
/// Threads that work side by side make it less, never more.
fn waited_milli(metrics: &BTreeMap<String, u64>) -> Option<u64> {
    let (wall_ns, cpu_ns) = (*metrics.get("wall_ns")?, *metrics.get("cpu_ns")?);
    (wall_ns > 0).then(|| milli(wall_ns.saturating_sub(cpu_ns), 100, wall_ns))
}

impl Crossing {
    /// Returns the threshold.
    pub fn threshold(&self) -> &'static Threshold {
        &THRESHOLDS[self.place]
    }

    /// Returns the cache, if the crossing is about one.
    pub fn cache(&self) -> Option<&'static str> {
        self.cache.map(|(cache, _)| cache)
    }

    /// Returns what was used, in thousandths of the threshold's unit.
    pub fn used_milli(&self) -> u64 {
        self.used_milli
    }
}

impl fmt::Display for Crossing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = self.used_milli as f64 / 1000.0;
        match (self.threshold().name, self.cache) {
            (_, Some((cache, lookups))) => {
                write!(f, "cache {cache} missed {used:.1} % of {lookups} look-ups")?
            }
            ("planning_ms", None) => write!(f, "planning took {used:.1} ms")?,
            (IO_WAIT, None) => write!(f, "no processor worked for {used:.1} % of the time")?,
            ("memory_mib", None) => write!(f, "resident memory reached {used:.1} MiB")?,
            (STORE_ERRORS, None) => write!(f, "{used:.0} requests to the store failed")?,
            (name, None) => write!(f, "{name} was {used:.1}")?,
        }
        write!(f, ", and {} allows {}", self.threshold().name, self.limit)
    }
}

impl From<Thresholds> for BTreeMap<String, u64> {
    fn from(thresholds: Thresholds) -> Self {
        thresholds.limits.into_iter().map(|(name, limit)| (name.to_owned(), limit)).collect()
    }
}

impl TryFrom<BTreeMap<String, u64>> for Thresholds {
    type Error = String;

    fn try_from(limits: BTreeMap<String, u64>) -> Result<Self, String> {
        let mut thresholds = Self::default();
        limits.iter().try_for_each(|(name, limit)| thresholds.set(name, *limit))?;
        Ok(thresholds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Thresholds, String> {
        Thresholds::parse(Path::new("p/pond.toml"), text, &["knobs"]).map_err(|error| error.to_string())
    }

    fn metrics(values: &[(&str, u64)]) -> BTreeMap<String, u64> {
        values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    fn crossed(limits: &[(&str, u64)], values: &[(&str, u64)]) -> Vec<String> {
        let mut thresholds = Thresholds::default();
        limits.iter().for_each(|(name, limit)| thresholds.set(name, *limit).unwrap());
        let on = |cache: &str| cache != "plan";
        thresholds.crossed(&metrics(values), on).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_table_of_limits_is_read() {
        let text = "[knobs]\njobs = 2\n[thresholds]\nmemory_mib = 1_024\ncache_miss_percent = 20\nstore_errors = 0\n";
        let thresholds = parse(text).unwrap();
        let get = |name| thresholds.get(name);
        assert_eq!((get("memory_mib"), get("cache_miss_percent")), (Some(1024), Some(20)));
        assert_eq!((get("store_errors"), get("planning_ms")), (Some(0), None));
        assert!(!thresholds.is_empty());
        assert!(parse("[knobs]\njobs = 2\n").unwrap().is_empty());
        assert!(parse("").unwrap().is_empty());
        // A number of look-ups alone limits nothing.
        assert!(parse("[thresholds]\ncache_lookups_min = 10\n").unwrap().is_empty());
        let missing = Thresholds::read(Path::new("/no/such/pond.toml"), &[]).unwrap();
        assert!(missing.is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let check = |text: &str, expect: &str| assert_eq!(parse(text).unwrap_err(), expect);
        check(
            "[thresholds]\n\nmemory_mb = 1\n",
            "p/pond.toml:3: unknown key 'memory_mb' in [thresholds]; did you mean 'memory_mib'?",
        );
        check(
            "[treshold]\nmemory_mib = 1\n",
            "p/pond.toml:1: unknown key 'treshold' in the settings; did you mean 'thresholds'?",
        );
        check("[thresholds]\nmemory_mib = 1.5\n", "p/pond.toml:2: 'memory_mib' must be a whole number");
        check("[thresholds]\nmemory_mib = -1\n", "p/pond.toml:2: 'memory_mib' must be a whole number from 0");
        check(
            "[thresholds]\nio_wait_percent = 101\n",
            "p/pond.toml:2: 'io_wait_percent' is at most 100, and 101 can never be crossed",
        );
        check("thresholds = 3\n", "p/pond.toml:1: '[thresholds]' must be a table");
        let knobs = Thresholds::parse(Path::new("pond.toml"), "[knobs]\njobs = 2\n", &[]).unwrap_err();
        assert_eq!(knobs.to_string(), "pond.toml:1: unknown key 'knobs' in the settings; known: thresholds");
    }

    #[test]
    fn a_limit_may_be_reached_and_not_exceeded() {
        let check = |limit: (&str, u64), value: (&str, u64), expect: &[&str]| {
            assert_eq!(crossed(&[limit], &[value]), expect, "{limit:?} {value:?}");
        };
        check(("memory_mib", 100), ("peak_rss_bytes", 100 << 20), &[]);
        let one_more = (100 << 20) + 1;
        check(
            ("memory_mib", 100),
            ("peak_rss_bytes", one_more),
            &["resident memory reached 100.0 MiB, and memory_mib allows 100"],
        );
        check(("planning_ms", 10), ("stage.query_planning.ns", 10_000_000), &[]);
        check(
            ("planning_ms", 10),
            ("stage.query_planning.ns", 12_345_678),
            &["planning took 12.3 ms, and planning_ms allows 10"],
        );
        check(("store_errors", 0), ("store_errors", 0), &[]);
        check(
            ("store_errors", 0),
            ("store_errors", 3),
            &["3 requests to the store failed, and store_errors allows 0"],
        );
        // What is not told is not judged.
        check(("store_errors", 0), ("peak_rss_bytes", 1), &[]);
        check(("memory_mib", u64::MAX), ("peak_rss_bytes", u64::MAX), &[]);
    }

    #[test]
    fn each_cache_that_is_on_is_judged_once_it_was_asked_often_enough() {
        let values = [
            ("cache.footer.hits", 60),
            ("cache.footer.misses", 40),
            ("cache.schema.hits", 0),
            ("cache.schema.misses", 99),
            // It is off.
            ("cache.plan.hits", 0),
            ("cache.plan.misses", 1_000),
        ];
        assert_eq!(
            crossed(&[("cache_miss_percent", 39)], &values),
            ["cache footer missed 40.0 % of 100 look-ups, and cache_miss_percent allows 39"]
        );
        assert!(crossed(&[("cache_miss_percent", 40)], &values).is_empty());
        assert_eq!(
            crossed(&[("cache_miss_percent", 40), ("cache_lookups_min", 99)], &values),
            ["cache schema missed 100.0 % of 99 look-ups, and cache_miss_percent allows 40"]
        );
        // No look-up is no ratio.
        assert!(crossed(&[("cache_miss_percent", 0), ("cache_lookups_min", 0)], &[]).is_empty());
    }

    #[test]
    fn waiting_is_time_without_a_processor() {
        let check = |cpu_ns, expect: &[&str]| {
            let values = [("wall_ns", 1_000), ("cpu_ns", cpu_ns), ("stage.parquet_read.ns", 700)];
            assert_eq!(crossed(&[("io_wait_percent", 30)], &values), expect, "{cpu_ns}");
        };
        check(700, &[]);
        check(575, &["no processor worked for 42.5 % of the time, and io_wait_percent allows 30"]);
        // Several threads.
        check(1_900, &[]);
        assert!(crossed(&[("io_wait_percent", 0)], &[("cpu_ns", 5)]).is_empty());
        assert!(crossed(&[("io_wait_percent", 0)], &[("wall_ns", 5)]).is_empty());
        assert!(crossed(&[("io_wait_percent", 0)], &[("wall_ns", 0), ("cpu_ns", 0)]).is_empty());
    }

    #[test]
    fn crossings_come_in_the_order_of_the_list() {
        let values = [("peak_rss_bytes", 5 << 20), ("stage.query_planning.ns", 5_000_000)];
        let limits = [("memory_mib", 1), ("planning_ms", 1)];
        let told = crossed(&limits, &values);
        assert!(told[0].starts_with("planning took") && told[1].starts_with("resident memory"), "{told:?}");
    }

    #[test]
    fn limits_survive_a_record() {
        let mut thresholds = Thresholds::default();
        thresholds.set("memory_mib", 64).unwrap();
        thresholds.set("cache_lookups_min", 7).unwrap();
        let text = serde_json::to_string(&thresholds).unwrap();
        assert_eq!(text, r#"{"cache_lookups_min":7,"memory_mib":64}"#);
        assert_eq!(serde_json::from_str::<Thresholds>(&text).unwrap(), thresholds);
        let error = serde_json::from_str::<Thresholds>(r#"{"memory_mb":64}"#).unwrap_err().to_string();
        assert!(error.contains("unknown threshold 'memory_mb'; did you mean 'memory_mib'?"), "{error}");
    }
}
