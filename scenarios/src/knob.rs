//! Knobs: the closed list of switches between the plain and the tuned form of a pipeline step.
//!
//! A suite, a claim, the command line, the environment and a pond's settings file all name knobs by this
//! list, so a mistyped knob is refused where it is written.

use std::collections::BTreeMap;
use std::fmt;

use crate::nearest::nearest;

/// What a knob may be set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// One of these words.
    Words(&'static [&'static str]),
    /// A whole number from this on.
    From(u64),
}

/// A switch between the plain and the tuned form of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knob {
    /// The name.
    pub name: &'static str,
    /// What it may be set to.
    pub values: Values,
    /// The plain form.
    pub plain: &'static str,
    /// The tuned form.
    pub tuned: &'static str,
    /// What it switches, in a line.
    pub about: &'static str,
}

const SWITCH: Values = Values::Words(&["off", "on"]);

const fn cache(name: &'static str, about: &'static str) -> Knob {
    Knob { name, values: SWITCH, plain: "off", tuned: "on", about }
}

/// Every knob, in the order of the pipeline.
pub const KNOBS: [Knob; 19] = [
    cache("delta_cache", "keep the snapshot of the log between operations, and read only what is new"),
    cache("pattern_cache", "keep what a pattern matched, by snapshot"),
    Knob {
        name: "find",
        values: Values::Words(&["walk", "index"]),
        plain: "walk",
        tuned: "index",
        about: "match patterns by looking at every node, or by names in order",
    },
    cache("schema_cache", "keep the columns of a node, by its versions"),
    cache("provider_cache", "keep table providers, by node and versions"),
    cache("session_cache", "keep one query session, rather than one a query"),
    Knob {
        name: "names",
        values: Values::Words(&["unique", "stable"]),
        plain: "unique",
        tuned: "stable",
        about: "register tables under a new name each time, or under one that follows from the node",
    },
    cache("plan_cache", "keep optimised query plans, by text and providers"),
    cache("footer_cache", "keep decoded Parquet footers, by digest"),
    cache("listing_cache", "keep DataFusion's file listings of exported folders"),
    cache("statistics_cache", "keep DataFusion's statistics of exported files"),
    Knob {
        name: "cache_disk",
        values: SWITCH,
        plain: "off",
        tuned: "off",
        about: "keep footers and schemas on disk between processes",
    },
    Knob {
        name: "cache_policy",
        values: Values::Words(&["lru", "fifo", "ttl"]),
        plain: "lru",
        tuned: "lru",
        about: "what leaves a full cache first; ttl drops entries of a minute as well",
    },
    Knob {
        name: "cache_bytes",
        values: Values::From(0),
        plain: "268435456",
        tuned: "268435456",
        about: "bytes that each cache may hold",
    },
    Knob {
        name: "order",
        values: Values::Words(&["none", "sorted"]),
        plain: "none",
        tuned: "sorted",
        about: "whether exported rows are asked for in time order; split and passthrough always have it",
    },
    Knob {
        name: "copy",
        values: Values::Words(&["sql", "split", "passthrough"]),
        plain: "sql",
        tuned: "passthrough",
        about: "export by SQL COPY, by cutting sorted rows, or by copying encoded row groups",
    },
    Knob {
        name: "reduce",
        values: Values::Words(&["two-pass", "one-pass", "streaming"]),
        plain: "two-pass",
        tuned: "streaming",
        about: "aggregate in two SQL queries in one, in one, or in one pass for all resolutions",
    },
    Knob {
        name: "incremental",
        values: SWITCH,
        plain: "off",
        tuned: "on",
        about: "let a re-export write only the partitions whose rows changed",
    },
    Knob {
        name: "jobs",
        values: Values::From(0),
        plain: "1",
        tuned: "0",
        about: "units of an export at a time; 0 for as many as there are cores",
    },
];

/// The caches: each has a knob of its own, `<cache>_cache`, and metrics, `cache.<cache>.<what>`.
pub const CACHES: [&str; 9] =
    ["delta", "pattern", "schema", "provider", "session", "plan", "footer", "listing", "statistics"];

/// The presets: `plain`, the stages of the plan document, and `tuned`, the default.
pub const PRESETS: [&str; 5] = ["plain", "week1", "week2", "week4", "tuned"];

/// What each stage of the plan document adds to the one before.
const WEEK1: &[(&str, &str)] = &[("names", "stable"), ("order", "sorted")];
const WEEK2: &[(&str, &str)] =
    &[("session_cache", "on"), ("provider_cache", "on"), ("schema_cache", "on"), ("plan_cache", "on")];
const WEEK4: &[(&str, &str)] = &[
    ("pattern_cache", "on"),
    ("find", "index"),
    ("delta_cache", "on"),
    ("footer_cache", "on"),
    ("listing_cache", "on"),
    ("statistics_cache", "on"),
    ("reduce", "one-pass"),
];

/// A value for every knob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<&'static str, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::preset("tuned").expect("the preset exists")
    }
}

impl Settings {
    /// Returns a preset's settings.
    ///
    /// # Errors
    /// Names the presets if there is none of the name.
    pub fn preset(name: &str) -> Result<Self, String> {
        let tuned = name == "tuned";
        let values =
            KNOBS.iter().map(|knob| (knob.name, if tuned { knob.tuned } else { knob.plain }.to_owned()));
        let mut settings = Self { values: values.collect() };
        let stages: &[&[(&str, &str)]] = match name {
            "plain" | "tuned" => &[],
            "week1" => &[WEEK1],
            "week2" => &[WEEK1, WEEK2],
            "week4" => &[WEEK1, WEEK2, WEEK4],
            _ => return Err(format!("unknown preset '{name}'{}", hint(name, &PRESETS))),
        };
        for (knob, value) in stages.iter().copied().flatten() {
            settings.set(knob, value).expect("presets name knobs and values that exist");
        }
        Ok(settings)
    }

    /// Sets a knob; `preset` sets all of them, and `caches` every cache: `on`, `off`, `only-plan` for one
    /// alone, `all-but-plan` for all without one.
    ///
    /// # Errors
    /// Names what is known if the knob or the value is not.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        if name == "preset" {
            *self = Self::preset(value)?;
            return Ok(());
        }
        if name == "caches" {
            return self.set_caches(value);
        }
        let knob = KNOBS.iter().find(|knob| knob.name == name).ok_or_else(|| {
            let names: Vec<&str> = Self::names().collect();
            format!("unknown knob '{name}'{}", hint(name, &names))
        })?;
        match knob.values {
            Values::Words(words) if !words.contains(&value) => {
                return Err(format!("{name}: '{value}' is none of {}", words.join(", ")));
            }
            Values::From(least) if !value.parse().is_ok_and(|number: u64| number >= least) => {
                return Err(format!("{name}: '{value}' is no whole number from {least}"));
            }
            _ => {}
        }
        self.values.insert(knob.name, value.to_owned());
        Ok(())
    }

    fn set_caches(&mut self, value: &str) -> Result<(), String> {
        let (one, its, others) = match value.split_once("only-").or_else(|| value.split_once("all-but-")) {
            Some(("", one)) if CACHES.contains(&one) => match value.starts_with("only-") {
                true => (one, "on", "off"),
                false => (one, "off", "on"),
            },
            _ if value == "on" || value == "off" => ("", value, value),
            _ => {
                let known = CACHES.join(", ");
                return Err(format!(
                    "caches: '{value}' is none of on, off, only-CACHE, all-but-CACHE, where CACHE is {known}"
                ));
            }
        };
        CACHES.iter().try_for_each(|cache| {
            self.set(&format!("{cache}_cache"), if *cache == one { its } else { others })
        })
    }

    /// Reads `knob=value` and sets it.
    ///
    /// # Errors
    /// As [`Settings::set`], or if there is no equals sign.
    pub fn assign(&mut self, text: &str) -> Result<(), String> {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("'{text}': write knob=value"))?;
        self.set(name.trim(), value.trim())
    }

    /// Returns a knob's value.
    ///
    /// # Panics
    /// If there is no such knob.
    pub fn get(&self, name: &str) -> &str {
        &self.values[name]
    }

    /// Returns every name that [`Settings::set`] takes.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ["preset", "caches"].into_iter().chain(KNOBS.iter().map(|knob| knob.name))
    }

    /// Applies those of a cell's parameters that are knobs: `preset` first, then `caches`, then the rest.
    ///
    /// # Errors
    /// As [`Settings::set`].
    pub fn apply(&mut self, parameters: &BTreeMap<String, String>) -> Result<(), String> {
        for name in Self::names() {
            if let Some(value) = parameters.get(name) {
                self.set(name, value)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> =
            KNOBS.iter().map(|knob| format!("{}={}", knob.name, self.values[knob.name])).collect();
        f.write_str(&texts.join(" "))
    }
}

fn hint(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(close) => format!("; did you mean '{close}'?"),
        None => format!("; known: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_go_from_plain_to_tuned() {
        let get = |preset: &str, knob: &str| Settings::preset(preset).unwrap().get(knob).to_owned();
        assert_eq!(get("plain", "names"), "unique");
        assert_eq!(get("week1", "names"), "stable");
        assert_eq!(get("week1", "provider_cache"), "off");
        assert_eq!(get("week2", "provider_cache"), "on");
        assert_eq!(get("week4", "reduce"), "one-pass");
        assert_eq!(get("week4", "copy"), "sql");
        assert_eq!(get("tuned", "copy"), "passthrough");
        for cache in CACHES.map(|cache| format!("{cache}_cache")) {
            assert_eq!((get("plain", &cache), get("tuned", &cache)), ("off".to_owned(), "on".to_owned()));
        }
    }

    #[test]
    fn what_is_mistyped_is_named() {
        let mut settings = Settings::default();
        let check = |error: Result<(), String>, expect: &str| assert_eq!(error.unwrap_err(), expect);
        check(
            settings.assign("provder_cache=off"),
            "unknown knob 'provder_cache'; did you mean 'provider_cache'?",
        );
        check(settings.assign("copy=fast"), "copy: 'fast' is none of sql, split, passthrough");
        check(settings.assign("jobs=-1"), "jobs: '-1' is no whole number from 0");
        check(settings.assign("jobs"), "'jobs': write knob=value");
        check(settings.assign("preset=week3"), "unknown preset 'week3'; did you mean 'week1'?");
    }

    #[test]
    fn one_switch_turns_all_caches() {
        let mut settings = Settings::default();
        settings.assign("caches=off").unwrap();
        assert!(CACHES.iter().all(|cache| settings.get(&format!("{cache}_cache")) == "off"));
        assert_eq!(settings.get("copy"), "passthrough");
        let on = |settings: &Settings| {
            CACHES
                .into_iter()
                .filter(|cache| settings.get(&format!("{cache}_cache")) == "on")
                .collect::<Vec<_>>()
        };
        settings.assign("caches=only-plan").unwrap();
        assert_eq!(on(&settings), ["plan"]);
        settings.assign("caches=all-but-plan").unwrap();
        assert_eq!(
            on(&settings),
            ["delta", "pattern", "schema", "provider", "session", "footer", "listing", "statistics"]
        );
        let error = settings.assign("caches=only-plans").unwrap_err();
        assert!(error.starts_with("caches: 'only-plans' is none of on, off, only-CACHE"), "{error}");
    }

    #[test]
    fn a_cells_parameters_apply_from_the_general_to_the_particular() {
        let mut settings = Settings::default();
        let given = [("caches", "on"), ("preset", "plain"), ("plan_cache", "off"), ("size", "tiny")];
        let given = given.map(|(key, value)| (key.to_owned(), value.to_owned()));
        settings.apply(&given.into()).unwrap();
        let get = |knob| settings.get(knob);
        assert_eq!((get("plan_cache"), get("footer_cache"), get("copy")), ("off", "on", "sql"));
    }
}
