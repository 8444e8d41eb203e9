//! Quantities: a metric, a sum of metrics, or the share of one sum in another.
//!
//! `wall_ns`, `providers_built + schemas_read`, `cache.plan.hits / (cache.plan.hits + cache.plan.misses)`.

use std::collections::BTreeMap;
use std::fmt;

use crate::knob::CACHES;
use crate::metric::{CACHE_METRICS, Kind, METRICS, Metric, STAGES};
use crate::nearest::nearest;

/// What a claim is about, computed from the metrics of one sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// The metrics that are added up.
    pub parts: Vec<String>,
    /// The metrics whose sum they are a share of; none for a plain sum.
    pub whole: Option<Vec<String>>,
}

/// The value of a quantity: its sum and, of a share, the sum it is a part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// The sum of the parts.
    pub parts: u64,
    /// The sum of the whole.
    pub whole: Option<u64>,
}

impl Quantity {
    /// Reads a quantity.
    ///
    /// # Errors
    /// If a metric is not known, a sum in a share has no parentheses, or a share is made of times.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((parts, whole)) = text.split_once('/') else {
            return Ok(Self { parts: sum(text)?, whole: None });
        };
        let quantity = Self { parts: enclosed(parts)?, whole: Some(enclosed(whole)?) };
        if let Some(time) = quantity.metrics().find(|name| Metric::kind_of(name) == Some(Kind::Time)) {
            return Err(format!("'{time}' is a time; a share is made of counters"));
        }
        Ok(quantity)
    }

    /// Tells whether the quantity is a share of one sum in another.
    pub fn is_share(&self) -> bool {
        self.whole.is_some()
    }

    /// Tells whether every metric of it is exact, so that it must repeat.
    pub fn is_exact(&self) -> bool {
        self.metrics().all(|name| Metric::kind_of(name) == Some(Kind::Exact))
    }

    /// Returns the unit of the sum.
    pub fn unit(&self) -> &'static str {
        let units: Vec<&str> = self.parts.iter().map(|name| Metric::unit_of(name)).collect();
        if units.iter().all(|unit| *unit == units[0]) { units[0] } else { "operations" }
    }

    /// Computes the value from the metrics of a sample.
    ///
    /// # Errors
    /// Names the metric that the sample does not hold.
    pub fn value(&self, metrics: &BTreeMap<String, u64>) -> Result<Amount, String> {
        let sum = |names: &[String]| {
            names.iter().try_fold(0_u64, |sum, name| {
                let value = metrics.get(name).ok_or_else(|| format!("the engine did not report {name}"))?;
                Ok::<u64, String>(sum.saturating_add(*value))
            })
        };
        Ok(Amount { parts: sum(&self.parts)?, whole: self.whole.as_deref().map(sum).transpose()? })
    }

    fn metrics(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().chain(self.whole.iter().flatten()).map(String::as_str)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(whole) = &self.whole else { return f.write_str(&self.parts.join(" + ")) };
        let sum = |names: &[String]| match names {
            [one] => one.clone(),
            several => format!("({})", several.join(" + ")),
        };
        write!(f, "{} / {}", sum(&self.parts), sum(whole))
    }
}

/// Reads one side of a share: a metric, or a sum in parentheses.
fn enclosed(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim();
    let inner = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    if inner.is_none() && text.contains('+') {
        return Err(format!("write a sum in a share in parentheses: ({text})"));
    }
    sum(inner.unwrap_or(text))
}

fn sum(text: &str) -> Result<Vec<String>, String> {
    text.split('+').map(|name| known(name.trim())).collect()
}

fn known(name: &str) -> Result<String, String> {
    if Metric::kind_of(name).is_some() {
        return Ok(name.to_owned());
    }
    let names = metric_names();
    match nearest(name, names.iter().map(String::as_str)) {
        Some(close) => Err(format!("unknown metric '{name}'; did you mean '{close}'?")),
        None => Err(format!("unknown metric '{name}'; the metrics are in scenarios/src/metric.rs")),
    }
}

/// Lists every metric by its full name.
fn metric_names() -> Vec<String> {
    let mut names: Vec<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    for stage in STAGES {
        names.extend(["ns", "count"].map(|what| format!("stage.{}.{what}", stage.name())));
    }
    for cache in CACHES {
        names.extend(CACHE_METRICS.iter().map(|metric| format!("cache.{cache}.{}", metric.name)));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_known() {
        assert!(metric_names().iter().all(|name| Metric::kind_of(name).is_some()));
    }

    #[test]
    fn sums_and_shares_are_read_and_written() {
        let check = |text: &str, exact, share| {
            let quantity = Quantity::parse(text).unwrap();
            assert_eq!((quantity.is_exact(), quantity.is_share()), (exact, share), "{text}");
            assert_eq!(quantity.to_string(), text);
        };
        check("wall_ns", false, false);
        check("providers_built + schemas_read", true, false);
        check("alloc_bytes", false, false);
        check("providers_built / nodes_matched", true, true);
        check("cache.plan.hits / (cache.plan.hits + cache.plan.misses)", true, true);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |text: &str, expect: &str| assert_eq!(Quantity::parse(text).unwrap_err(), expect);
        check("wal_ns", "unknown metric 'wal_ns'; did you mean 'wall_ns'?");
        check("cache.paln.hits", "unknown metric 'cache.paln.hits'; did you mean 'cache.plan.hits'?");
        check("", "unknown metric ''; the metrics are in scenarios/src/metric.rs");
        check(
            "rows_read / rows_read + rows_written",
            "write a sum in a share in parentheses: (rows_read + rows_written)",
        );
        check("wall_ns / rows_read", "'wall_ns' is a time; a share is made of counters");
    }

    #[test]
    fn values_add_up_or_name_what_is_missing() {
        let metrics: BTreeMap<String, u64> = [("cache.plan.hits", 3), ("cache.plan.misses", 1)]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        let share = Quantity::parse("cache.plan.hits / (cache.plan.hits + cache.plan.misses)").unwrap();
        assert_eq!(share.value(&metrics), Ok(Amount { parts: 3, whole: Some(4) }));
        let other = Quantity::parse("wall_ns").unwrap();
        assert_eq!(other.value(&metrics), Err("the engine did not report wall_ns".to_owned()));
    }
}
