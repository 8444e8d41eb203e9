//! The ledger of claims: promises of speed that a document made, and the settings of knobs that test them.
//!
//! A claim compares two sides, `plain` and `tuned`: the same workload with other knobs. It promises how much
//! less of a quantity the tuned side needs, in percent; of a share, such as a hit ratio, how large it is.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::cell::{Cell, Workload};
use crate::document::{self, DocumentError, Fault, Keys, Value, string, suggestion};
use crate::knob::Settings;
use crate::quantity::Quantity;
use crate::sample::Phase;

/// The name of the ledger, and of the suite that its cells belong to.
pub const LEDGER: &str = "claims";

/// One of the two settings that a claim compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// Before the change that the document promises something of.
    Plain,
    /// After it.
    Tuned,
}

impl Setting {
    /// Both, plain first.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Tuned];

    /// Returns the name used in the ledger and in names of cells.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tuned => "tuned",
        }
    }
}

/// A range of percent; without an upper end it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The least that is promised.
    pub from: u32,
    /// The most that is promised.
    pub to: Option<u32>,
}

impl Promise {
    /// Reads `30..50` or `50..`.
    ///
    /// # Errors
    /// If the text is no range, or its ends are the wrong way round.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no range of percent; write \"30..50\" or \"50..\"");
        let (from, to) = text.split_once("..").ok_or_else(wrong)?;
        let from = from.parse().map_err(|_| wrong())?;
        let to = if to.is_empty() { None } else { Some(to.parse().map_err(|_| wrong())?) };
        match to {
            Some(to) if to < from => Err(wrong()),
            _ => Ok(Self { from, to }),
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.to) {
            (0, None) => f.write_str("less, no number"),
            (from, None) => write!(f, "≥ {from} %"),
            (from, Some(to)) if from == to => write!(f, "{from} %"),
            (from, Some(to)) => write!(f, "{from}–{to} %"),
        }
    }
}

/// A promise of the document, and how it is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The name, unique in the ledger.
    pub name: String,
    /// What is promised, in short.
    pub words: String,
    /// Where the document promises it: the section, then after a comma the place in it.
    pub source: String,
    /// What the engine does.
    pub workload: Workload,
    /// Executions after the cold one, in the same process.
    pub warm: u32,
    /// Seconds after which a process counts as hanging.
    pub timeout_s: u64,
    /// Parameters that both sides share.
    pub with: BTreeMap<String, String>,
    /// The knobs of the plain side.
    pub plain: BTreeMap<String, String>,
    /// The knobs of the tuned side.
    pub tuned: BTreeMap<String, String>,
    /// What is measured.
    pub quantity: Quantity,
    /// Of a share: the side that it is measured on.
    pub of: Setting,
    /// Which executions count.
    pub phase: Phase,
    /// What is promised.
    pub promise: Promise,
    /// What explains the result.
    pub why: String,
}

/// A promise that no pair of settings can test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untested {
    /// What is promised, in short.
    pub words: String,
    /// Where the document promises it.
    pub source: String,
    /// Why it is not measured, and what stands for it.
    pub why: String,
}

/// Every promise of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Which document, and what the ledger is for.
    pub about: String,
    /// The claims, in file order.
    pub claims: Vec<Claim>,
    /// What cannot be tested, in file order.
    pub untested: Vec<Untested>,
}

impl Ledger {
    /// Reads a ledger from a file.
    ///
    /// # Errors
    /// If the file cannot be read, is no TOML, or states something unknown or contradictory.
    pub fn read(path: &Path) -> Result<Self, DocumentError> {
        Self::parse(path, &document::read(path)?)
    }

    /// Reads a ledger from text; `path` is the place in errors.
    ///
    /// # Errors
    /// As [`Ledger::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, DocumentError> {
        document::parse(path, text, ledger)
    }
}

impl Claim {
    /// Returns the section of the document that makes the claim.
    pub fn section(&self) -> &str {
        self.source.split(',').next().unwrap_or_default()
    }

    /// Returns all parameters of one side.
    pub fn parameters(&self, setting: Setting) -> BTreeMap<String, String> {
        let mut parameters = self.with.clone();
        parameters.extend(self.knobs(setting).clone());
        parameters
    }

    /// Returns the value of every knob on one side.
    pub fn settings(&self, setting: Setting) -> Settings {
        let mut settings = Settings::default();
        settings.apply(&self.parameters(setting)).expect("a ledger's knobs were checked when it was read");
        settings
    }

    /// Returns the cell of one side.
    pub fn cell(&self, setting: Setting) -> Cell {
        Cell {
            suite: LEDGER.to_owned(),
            scenario: self.name.clone(),
            workload: self.workload,
            point: vec![("side".to_owned(), setting.name().to_owned())],
            parameters: self.parameters(setting),
            expected: None,
        }
    }

    fn knobs(&self, setting: Setting) -> &BTreeMap<String, String> {
        match setting {
            Setting::Plain => &self.plain,
            Setting::Tuned => &self.tuned,
        }
    }
}

fn ledger(document: &Spanned<DeTable<'_>>) -> Result<Ledger, Fault> {
    let known = ["about", "claim", "untested"];
    let table = Keys::new(document.get_ref(), document.span().start, "ledger", &known)?;
    let about = table.text("about")?;
    let mut claims: Vec<Claim> = Vec::new();
    for item in items(table.require("claim")?, "claim")? {
        let one = claim(item)?;
        if claims.iter().any(|other| other.name == one.name) {
            return Err((item.span().start, format!("claim '{}' is made twice", one.name)));
        }
        claims.push(one);
    }
    let mut untested = Vec::new();
    if let Some(list) = table.get("untested") {
        for item in items(list, "untested")? {
            let table = Keys::of(item, "untested", &["words", "source", "why"])?;
            let (words, source, why) = (table.text("words")?, table.text("source")?, table.text("why")?);
            untested.push(Untested { words, source, why });
        }
    }
    Ok(Ledger { about, claims, untested })
}

fn items<'t, 'a>(list: &'t Value<'a>, name: &str) -> Result<&'t [Value<'a>], Fault> {
    match list.get_ref() {
        DeValue::Array(items) if !items.is_empty() => Ok(items),
        _ => Err((list.span().start, format!("write one or more as [[{name}]]"))),
    }
}

const CLAIM_KEYS: [&str; 14] = [
    "name",
    "words",
    "source",
    "workload",
    "warm",
    "timeout_s",
    "with",
    "plain",
    "tuned",
    "metric",
    "of",
    "phase",
    "promise",
    "why",
];

fn claim(item: &Value<'_>) -> Result<Claim, Fault> {
    let table = Keys::of(item, "claim", &CLAIM_KEYS)?;
    let at = item.span().start;
    let workload = table.workload()?;
    let with = match table.get("with") {
        Some(with) => document::parameters(workload, with, "with")?,
        None => BTreeMap::new(),
    };
    if let Some((key, about)) = document::missing(workload, |key| with.contains_key(key)) {
        return Err((at, format!("{workload} needs '{key}' ({about}); give it in 'with'")));
    }
    let quantity = at_value(&table, "metric", Quantity::parse)?;
    let one = Claim {
        name: at_value(&table, "name", name)?,
        words: table.text("words")?,
        source: table.text("source")?,
        workload,
        warm: table.number("warm", 2)? as u32,
        timeout_s: table.number("timeout_s", 120)?,
        plain: knobs(&table, "plain", &with)?,
        tuned: knobs(&table, "tuned", &with)?,
        with,
        of: of(&table, &quantity)?,
        quantity,
        phase: at_value(&table, "phase", |text| word(text, &[("cold", Phase::Cold), ("warm", Phase::Warm)]))?,
        promise: at_value(&table, "promise", Promise::parse)?,
        why: table.text("why")?,
    };
    if one.settings(Setting::Plain) == one.settings(Setting::Tuned) {
        return Err((at, format!("claim '{}': plain and tuned set every knob alike", one.name)));
    }
    if one.phase == Phase::Warm && one.warm == 0 {
        return Err((at, format!("claim '{}' is about warm executions, but has none", one.name)));
    }
    if !one.quantity.is_share() && one.promise.to.unwrap_or(one.promise.from) > 100 {
        return Err((at, format!("claim '{}': nothing can shrink by more than 100 %", one.name)));
    }
    Ok(one)
}

/// Reads a text and interprets it; what is wrong with it is said at its place.
fn at_value<T>(
    table: &Keys<'_, '_>,
    key: &str,
    interpret: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, Fault> {
    let text = table.text(key)?;
    interpret(&text).map_err(|message| (table.require(key).map_or(0, |value| value.span().start), message))
}

fn name(text: &str) -> Result<String, String> {
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(format!("'{text}' is no name of a claim; use small letters, digits and hyphens"))
}

fn word<T: Copy>(text: &str, known: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, value)) = known.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    Err(format!("'{text}' is none of {}", names.join(", ")))
}

/// Reads the side that a share is measured on; a reduction is always of both.
fn of(table: &Keys<'_, '_>, quantity: &Quantity) -> Result<Setting, Fault> {
    let Some(value) = table.get("of") else { return Ok(Setting::Tuned) };
    let at = value.span().start;
    if !quantity.is_share() {
        return Err((at, "'of' says which side a share is of, but the metric is no share".to_owned()));
    }
    word(&string(value)?, &Setting::ALL.map(|setting| (setting.name(), setting)))
        .map_err(|message| (at, message))
}

/// Reads the knobs of one side, which must not be among the shared parameters.
fn knobs(
    table: &Keys<'_, '_>,
    side: &'static str,
    with: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Fault> {
    let value = table.require(side)?;
    let names: Vec<&str> = Settings::names().collect();
    for key in document::table_of(value, side)?.keys() {
        let (name, at): (&str, usize) = (key.get_ref(), key.span().start);
        if !names.contains(&name) {
            return Err((at, format!("unknown knob '{name}' in {side}{}", suggestion(name, &names))));
        }
        if with.contains_key(name) {
            return Err((at, format!("'{name}' is given twice; keep it in 'with' or in the sides")));
        }
    }
    let mut found = BTreeMap::new();
    for (key, value) in document::table_of(value, side)?.iter() {
        let text = document::scalar(value)?;
        document::known_value(key.get_ref(), &text, value.span().start)?;
        found.insert(key.get_ref().to_string(), text);
    }
    Ok(found)
}
