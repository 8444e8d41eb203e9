//! The manifest of an export: targets, files, true row counts, time bounds, and what columns mean.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

use super::ExportOptions;
use super::previous::Inputs;
use crate::error::{Error, Result};

/// The version of the manifest's format.
pub const MANIFEST_FORMAT: u32 = 2;

/// The manifest's name in the export's folder.
pub const MANIFEST_NAME: &str = "manifest.json";

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedFile {
    /// Path below the export's folder, with slashes.
    pub path: String,
    /// Rows, as the footer counts them.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// First event time in microseconds.
    pub first_us: Option<i64>,
    /// Last event time in microseconds, inclusive.
    pub last_us: Option<i64>,
    /// The digest of what the rows follow from; nothing if it is not known.
    pub(super) inputs: Option<Inputs>,
    /// Whether the last export to the folder had it already.
    pub reused: bool,
}

/// A series of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedTarget {
    /// The path in the pond.
    pub path: String,
    /// What each star of the pattern stood for.
    pub captures: Vec<String>,
    /// The folder below the export's.
    pub folder: String,
    /// Rows of all files.
    pub rows: u64,
    /// First event time in microseconds.
    pub first_us: Option<i64>,
    /// Last event time in microseconds, inclusive.
    pub last_us: Option<i64>,
    /// The names that stand in partition folders.
    pub partition_columns: Vec<String>,
    /// The columns of the files.
    pub schema: SchemaRef,
    /// The index of the time column.
    pub time: Option<usize>,
    /// The files in time order.
    pub files: Vec<ExportedFile>,
    /// The digest of what the rows of all files follow from; nothing if it is not known.
    pub(super) inputs: Option<Inputs>,
}

/// Everything that an export wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    patterns: Vec<String>,
    temporal: String,
    start_us: Option<i64>,
    end_us: Option<i64>,
    /// The series, in the order of the patterns and then of the paths.
    pub targets: Vec<ExportedTarget>,
}

impl Manifest {
    pub(super) fn new(options: &ExportOptions, targets: Vec<ExportedTarget>) -> Self {
        Self {
            patterns: options.patterns.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
            temporal: options.temporal.to_string(),
            start_us: options.range.start_us,
            end_us: options.range.end_us,
            targets,
        }
    }

    /// Returns the rows of all series.
    pub fn rows(&self) -> u64 {
        self.targets.iter().map(|target| target.rows).sum()
    }

    /// Returns all files, in the order of their series.
    pub fn files(&self) -> impl Iterator<Item = &ExportedFile> {
        self.targets.iter().flat_map(|target| &target.files)
    }

    /// Writes the manifest into a folder.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(MANIFEST_NAME);
        let mut text = serde_json::to_string(&self.wire()).expect("the manifest is plain data");
        text.push('\n');
        std::fs::write(&path, text).map_err(Error::io("write", &path))
    }

    fn wire(&self) -> WireManifest<'_> {
        // Most series share their columns, so schemas are listed once and named by number.
        let mut schemas: Vec<(&SchemaRef, Option<usize>)> = Vec::new();
        let mut targets = Vec::with_capacity(self.targets.len());
        for target in &self.targets {
            let known = schemas.iter().position(|(schema, time)| {
                (Arc::ptr_eq(schema, &target.schema) || *schema == &target.schema) && *time == target.time
            });
            let schema = known.unwrap_or_else(|| {
                schemas.push((&target.schema, target.time));
                schemas.len() - 1
            });
            targets.push(WireTarget {
                path: &target.path,
                captures: &target.captures,
                folder: &target.folder,
                rows: target.rows,
                first: time_text(target.first_us),
                last: time_text(target.last_us),
                partition_columns: &target.partition_columns,
                schema,
                inputs: target.inputs.as_ref().map(|inputs| inputs.0.as_str()),
                files: target.files.iter().map(wire_file).collect(),
            });
        }
        WireManifest {
            format: MANIFEST_FORMAT,
            patterns: &self.patterns,
            temporal: &self.temporal,
            start: time_text(self.start_us),
            end: time_text(self.end_us),
            rows: self.rows(),
            schemas: schemas.into_iter().map(|(schema, time)| wire_schema(schema, time)).collect(),
            targets,
        }
    }
}

#[derive(Serialize)]
struct WireManifest<'a> {
    format: u32,
    patterns: &'a [String],
    temporal: &'a str,
    start: Option<String>,
    end: Option<String>,
    rows: u64,
    schemas: Vec<Vec<WireColumn<'a>>>,
    targets: Vec<WireTarget<'a>>,
}

#[derive(Serialize)]
struct WireTarget<'a> {
    path: &'a str,
    captures: &'a [String],
    folder: &'a str,
    rows: u64,
    first: Option<String>,
    last: Option<String>,
    partition_columns: &'a [String],
    schema: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<&'a str>,
    files: Vec<WireFile<'a>>,
}

#[derive(Serialize)]
struct WireFile<'a> {
    path: &'a str,
    rows: u64,
    bytes: u64,
    first: Option<String>,
    last: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<&'a str>,
}

/// What a later export reads of a manifest.
#[derive(Deserialize)]
pub(super) struct ReadManifest {
    pub format: u32,
    pub patterns: Vec<String>,
    pub targets: Vec<ReadTarget>,
}

#[derive(Deserialize)]
pub(super) struct ReadTarget {
    pub path: String,
    pub inputs: Option<String>,
    pub files: Vec<ReadFile>,
}

#[derive(Deserialize)]
pub(super) struct ReadFile {
    path: String,
    rows: u64,
    bytes: u64,
    first: Option<String>,
    last: Option<String>,
    inputs: Option<String>,
}

/// What manifests of all formats have in common.
#[derive(Deserialize)]
pub(super) struct ReadHead {
    pub format: u32,
    #[serde(default)]
    pub patterns: Vec<String>,
}

impl From<ReadFile> for ExportedFile {
    fn from(file: ReadFile) -> Self {
        let time = |text: Option<String>| {
            DateTime::parse_from_rfc3339(&text?).ok().map(|time| time.timestamp_micros())
        };
        Self {
            path: file.path,
            rows: file.rows,
            bytes: file.bytes,
            first_us: time(file.first),
            last_us: time(file.last),
            inputs: file.inputs.map(Inputs),
            reused: true,
        }
    }
}

/// A column, and what its name says: `instrument.name.unit.aggregate`, the last three if they are there.
#[derive(Serialize)]
struct WireColumn<'a> {
    column: &'a str,
    #[serde(rename = "type")]
    data_type: String,
    time: bool,
    instrument: Option<&'a str>,
    name: &'a str,
    unit: Option<&'a str>,
    aggregate: Option<&'a str>,
}

fn wire_file(file: &ExportedFile) -> WireFile<'_> {
    WireFile {
        path: &file.path,
        rows: file.rows,
        bytes: file.bytes,
        first: time_text(file.first_us),
        last: time_text(file.last_us),
        inputs: file.inputs.as_ref().map(|inputs| inputs.0.as_str()),
    }
}

fn wire_schema(schema: &SchemaRef, time: Option<usize>) -> Vec<WireColumn<'_>> {
    let columns = schema.fields().iter().enumerate();
    columns
        .map(|(index, field)| {
            let column = field.name().as_str();
            let parts: Vec<&str> = column.split('.').collect();
            let (instrument, name, unit, aggregate) = match parts[..] {
                [instrument, name, unit, aggregate] => (Some(instrument), name, Some(unit), Some(aggregate)),
                [instrument, name, unit] => (Some(instrument), name, Some(unit), None),
                [name, aggregate] => (None, name, None, Some(aggregate)),
                _ => (None, column, None, None),
            };
            let data_type = field.data_type().to_string();
            WireColumn { column, data_type, time: Some(index) == time, instrument, name, unit, aggregate }
        })
        .collect()
}

fn time_text(us: Option<i64>) -> Option<String> {
    let time = DateTime::from_timestamp_micros(us?)?;
    Some(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}
