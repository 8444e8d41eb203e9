//! One measured execution of a cell.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cell::Answer;
use crate::metric::{Kind, Metric};

/// Whether a process had already run the operation when it was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The first execution in a fresh process.
    Cold,
    /// A later execution in the same process.
    Warm,
}

impl Phase {
    /// Returns the name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
        }
    }
}

/// One measured execution of a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Cold or warm.
    pub phase: Phase,
    /// The number of this execution within its process, from 0.
    pub iteration: u32,
    /// Metric name → value; the name decides unit and kind ([`Metric::kind_of`]).
    pub metrics: BTreeMap<String, u64>,
    /// What the operation answered.
    pub answer: Answer,
}

impl Sample {
    /// Returns the metrics of one kind, in name order.
    pub fn metrics_of(&self, kind: Kind) -> impl Iterator<Item = (&str, u64)> {
        self.metrics
            .iter()
            .filter(move |(name, _)| Metric::kind_of(name) == Some(kind))
            .map(|(name, value)| (name.as_str(), *value))
    }

    /// Names the metrics that this version does not know; a sample with any is not trusted.
    pub fn unknown_metrics(&self) -> Vec<&str> {
        self.metrics.keys().map(String::as_str).filter(|name| Metric::kind_of(name).is_none()).collect()
    }
}
