//! The plain form: DataFusion's `COPY … PARTITIONED BY`, and a look at what it has written.
//!
//! DataFusion names files by chance and folders by unpadded numbers; both are renamed, so that the layout
//! of an export does not depend on how it was made.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::datasource::file_format::format_as_file_type;
use datafusion::datasource::file_format::parquet::ParquetFormatFactory;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::{ExecutionPlan, collect};
use parquet::file::metadata::ParquetMetaDataReader;
use scenarios::Stage;

use super::layout::Layout;
use super::manifest::ExportedFile;
use crate::error::{Error, Result};
use crate::query::{PlanKey, Planner, QueryOptions, ScanCount, Shown, bounds, quoted, unique_name};
use crate::series::{TimeRange, footer_span};

/// What is copied.
pub(super) struct Copied<'a> {
    pub path: &'a str,
    pub shown: &'a Shown,
    pub range: TimeRange,
}

/// Exports one target by SQL; returns its files in time order.
pub(super) fn export(
    folder: &Path,
    layout: &Layout<'_>,
    copied: &Copied<'_>,
    planner: &Planner,
) -> Result<Vec<ExportedFile>> {
    let recorder = planner.recorder();
    // Units are what runs in parallel; inside one small series parallelism only costs.
    let options = QueryOptions { target_partitions: 1, ..QueryOptions::default() };
    let context = planner.session(options)?;
    let name = {
        let _stage = recorder.stage(Stage::TableRegistration);
        register(&context, planner, copied)?
    };
    let select = {
        let _stage = recorder.stage(Stage::SqlGeneration);
        select(&name, layout, copied, planner.knobs().sorted())
    };
    let aside = folder.join(format!(".copy-{}", unique_name()));
    let physical = {
        let _stage = recorder.stage(Stage::QueryPlanning);
        let state = context.state();
        let key = PlanKey {
            text: select.clone(),
            relations: vec![(name.clone(), copied.shown.source)],
            target_partitions: options.target_partitions,
        };
        let plan = planner.plan(key, || {
            let logical = planner.runtime().block_on(state.create_logical_plan(&select))?;
            Ok(state.optimize(&logical)?)
        })?;
        let plan = copy_to(&plan, &aside, layout)?;
        planner.runtime().block_on(state.query_planner().create_physical_plan(&plan, &state))?
    };
    let executed = execute(planner, &context, physical);
    if !planner.knobs().stable_names() {
        context.deregister_table(&name)?;
    }
    executed?;
    let _stage = recorder.stage(Stage::MetadataCollection);
    let files = collected(folder, &aside, layout, copied)?;
    if aside.exists() {
        fs::remove_dir_all(&aside).map_err(Error::io("remove", &aside))?;
    }
    Ok(files)
}

/// Registers the provider, and returns the name it has now.
fn register(context: &SessionContext, planner: &Planner, copied: &Copied<'_>) -> Result<String> {
    let stable = planner.knobs().stable_names();
    let name = if stable { copied.shown.source.to_string() } else { format!("series_{}", unique_name()) };
    if !(stable && context.table_exist(&name)?) {
        context.register_table(&name, Arc::clone(&copied.shown.provider))?;
    }
    Ok(name)
}

/// Writes the query: every column, and the partitions as numbers.
fn select(name: &str, layout: &Layout<'_>, copied: &Copied<'_>, sorted: bool) -> String {
    let Some(time) = &copied.shown.time_column else { return format!("SELECT * FROM {}", quoted(name)) };
    let column = quoted(time);
    let parts: String = layout
        .units()
        .as_slice()
        .iter()
        .zip(layout.partition_columns())
        .map(|(unit, part)| format!(", date_part('{}', {column}) AS {}", unit.name(), quoted(&part)))
        .collect();
    let order = if sorted { format!(" ORDER BY {column}") } else { String::new() };
    format!("SELECT *{parts} FROM {}{}{order}", quoted(name), bounds(time, copied.range))
}

/// Puts a copy over a plan: to partition folders, or to one file.
fn copy_to(plan: &LogicalPlan, aside: &Path, layout: &Layout<'_>) -> Result<LogicalPlan> {
    let format = format_as_file_type(Arc::new(ParquetFormatFactory::new()));
    let partitions = layout.partition_columns();
    let mut options = HashMap::new();
    let target = if partitions.is_empty() {
        options.insert("single_file_output".to_owned(), "true".to_owned());
        format!("{}/all.parquet", aside.display())
    } else {
        format!("{}/", aside.display())
    };
    let plan = LogicalPlanBuilder::copy_to(plan.clone(), target, format, options, partitions)?;
    Ok(plan.build()?)
}

fn execute(planner: &Planner, context: &SessionContext, physical: Arc<dyn ExecutionPlan>) -> Result<()> {
    let _stage = planner.recorder().stage(Stage::Execution);
    let mut scans = ScanCount::begin(&physical);
    let collected = planner.runtime().block_on(collect(physical, context.task_ctx()));
    scans.count(planner.recorder());
    collected?;
    Ok(())
}

/// Finds what was written, reads its footers, and gives it its place.
fn collected(
    folder: &Path,
    aside: &Path,
    layout: &Layout<'_>,
    copied: &Copied<'_>,
) -> Result<Vec<ExportedFile>> {
    let mut found = Vec::new();
    if aside.exists() {
        list(aside, &mut found)?;
    }
    found.sort();
    let mut files: Vec<ExportedFile> = Vec::with_capacity(found.len());
    for path in found {
        let file = File::open(&path).map_err(Error::io("read", &path))?;
        let bytes = file.metadata().map_err(Error::io("read", &path))?.len();
        let footer = ParquetMetaDataReader::new().parse_and_finish(&file)?;
        let rows = footer.file_metadata().num_rows().unsigned_abs();
        if rows == 0 {
            continue;
        }
        let spans = copied.shown.time_column.as_deref().map(|time| footer_span(&footer, time));
        let span = match spans {
            None => None,
            Some(Some(span)) => Some(span),
            Some(None) => {
                let message = "DataFusion wrote no statistics of its time column".to_owned();
                return Err(Error::Export { path: copied.path.to_owned(), message });
            }
        };
        let (first_us, last_us) = (span.map(|span| span.0), span.map(|span| span.1));
        let relative = layout.file(first_us.unwrap_or_default());
        let target = folder.join(&relative);
        let dir = target.parent().expect("a file lies in a folder");
        fs::create_dir_all(dir).map_err(Error::io("create the folder", dir))?;
        fs::rename(&path, &target).map_err(Error::io("write", &target))?;
        files.push(ExportedFile {
            path: relative,
            rows,
            bytes,
            first_us,
            last_us,
            inputs: None,
            reused: false,
        });
    }
    files.sort_by_key(|file| file.first_us);
    if let Some(pair) = files.windows(2).find(|pair| pair[0].path == pair[1].path) {
        let message = "DataFusion wrote two files for one partition".to_owned();
        return Err(Error::Export { path: pair[0].path.clone(), message });
    }
    Ok(files)
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for item in fs::read_dir(folder).map_err(Error::io("list", folder))? {
        let path = item.map_err(Error::io("list", folder))?.path();
        if path.is_dir() {
            list(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}
