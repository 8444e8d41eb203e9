//! Exporting a derived series: its plan's rows, sorted and cut, or copied by SQL.

use std::path::Path;

use scenarios::Stage;

use super::layout::Layout;
use super::manifest::ExportedFile;
use super::previous::{Inputs, InputsOf, PreviousTarget};
use super::split::SplitWriter;
use super::sql::{self, Copied};
use crate::error::Result;
use crate::knobs::Copy;
use crate::query::{Planner, QueryOptions, Relations, SOURCE, Shown, bounds, query, quoted};
use crate::series::TimeRange;

/// One derived series on its way out.
pub(super) struct DerivedExport<'a> {
    pub folder: &'a Path,
    pub layout: &'a Layout<'a>,
    pub path: &'a str,
    pub shown: &'a Shown,
    pub range: TimeRange,
    pub previous: Option<&'a PreviousTarget>,
    pub planner: &'a Planner,
}

impl DerivedExport<'_> {
    /// Writes all files, unless the last export has them; returns them in time order, and their inputs.
    pub(super) fn run(&self) -> Result<(Vec<ExportedFile>, Inputs)> {
        let schema = self.shown.provider.schema();
        let inputs =
            InputsOf::new(&schema, self.layout).of(self.range, std::iter::once(self.shown.source.digest()));
        if let Some(files) = self.previous.and_then(|previous| previous.all(&inputs)) {
            return Ok((files, inputs));
        }
        let planner = self.planner;
        let files = if planner.knobs().copy() == Copy::Sql {
            let copied = Copied { path: self.path, shown: self.shown, range: self.range };
            sql::export(self.folder, self.layout, &copied, planner)?
        } else {
            self.split()?
        };
        Ok((files, inputs))
    }

    fn split(&self) -> Result<Vec<ExportedFile>> {
        let planner = self.planner;
        let schema = self.shown.provider.schema();
        let time = self.shown.time_column.as_deref().and_then(|time| schema.index_of(time).ok());
        let mut text = format!("SELECT * FROM {SOURCE}");
        if let Some(time) = &self.shown.time_column {
            text.push_str(&bounds(time, self.range));
            text.push_str(&format!(" ORDER BY {}", quoted(time)));
        }
        let relations = Relations::from([(SOURCE.to_owned(), self.shown.clone())]);
        let options = QueryOptions { target_partitions: 1, ..QueryOptions::default() };
        let mut writer = SplitWriter::new(self.folder, self.layout, &schema, time);
        for batch in query(planner, &relations, &text, options)? {
            let batch = batch?;
            let _stage = planner.recorder().stage(Stage::PartitionWrite);
            writer.write(&batch)?;
        }
        let _stage = planner.recorder().stage(Stage::PartitionWrite);
        writer.finish()
    }
}
