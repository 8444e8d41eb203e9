//! One series: its path, its versions and their batches.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;

use crate::batches::{self, Batches};
use crate::plan::{Plan, Pond};

/// One time series of a pond: a file in one version or more.
#[derive(Clone, Debug)]
pub struct Series {
    pond: Arc<Pond>,
    plan: Plan,
    path: String,
}

impl Series {
    pub(crate) fn new(pond: &Arc<Pond>, number: u32, path: String) -> Self {
        Self { pond: Arc::clone(pond), plan: Plan::new(pond, number), path }
    }

    /// Returns the absolute path in the pond: `/north/station-017-port-ada/sonde.series`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the number of versions, 1 or more; they are numbered from 1.
    pub fn versions(&self) -> u32 {
        self.plan.versions()
    }

    /// Returns the columns of a version: `timestamp` in microseconds UTC, then the value columns.
    ///
    /// # Panics
    /// If the series has no such version.
    pub fn schema(&self, version: u32) -> SchemaRef {
        self.assert_version(version);
        batches::schema(&self.plan.columns(&self.pond, version))
    }

    /// Makes the rows of a version, at most 8,192 to a batch, one batch at a time.
    ///
    /// Where the series has late rows, a version starts with those that the version before lacks.
    ///
    /// # Panics
    /// If the series has no such version.
    pub fn batches(&self, version: u32) -> impl Iterator<Item = RecordBatch> + Send + use<> {
        self.assert_version(version);
        Batches::new(&self.pond, &self.plan, version)
    }

    fn assert_version(&self, version: u32) {
        let last = self.versions();
        assert!((1..=last).contains(&version), "{} has versions 1 to {last}, not {version}", self.path);
    }
}
