//! An exported folder as a table: the files of all its series, with their partitions as columns.
//!
//! Columns come from the manifest, so that no footer is read to know them. Each file's order is declared by its
//! own footer, which DataFusion reads with its statistics. A row does not say which series it is of.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::common::TableReference;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::execution::context::SessionContext;
use serde::Deserialize;
use url::Url;

use crate::error::{Error, Result};
use crate::series::unite;

/// The newest format of manifests that is read.
const FORMAT_MAX: u32 = 2;

const MANIFEST_NAME: &str = "manifest.json";

/// The part of a manifest that a table needs; whatever else it holds is passed over.
#[derive(Deserialize)]
struct Manifest {
    schemas: Vec<Vec<Column>>,
    targets: Vec<Target>,
}

/// What even a newer manifest has.
#[derive(Deserialize)]
struct Versioned {
    format: u32,
}

#[derive(Deserialize)]
struct Column {
    column: String,
    #[serde(rename = "type")]
    data_type: String,
}

#[derive(Deserialize)]
struct Target {
    path: String,
    folder: String,
    partition_columns: Vec<String>,
    schema: usize,
    files: Vec<serde::de::IgnoredAny>,
}

/// Makes a table of all files of an exported folder, with the folders' partitions as columns of text.
///
/// It uses the caches of the context's runtime; what they keep of an export is not used for the next one. A
/// table is of the export that is there when it is made.
///
/// # Errors
/// If the folder is no export, a newer program wrote it, or its series have columns or partitions that do not meet.
pub fn exported_table(context: &SessionContext, folder: &Path) -> Result<Arc<dyn TableProvider>> {
    let folder = folder.canonicalize().map_err(Error::io("open", folder))?;
    let (manifest, identity) = read_manifest(&folder)?;
    let filled: Vec<&Target> = manifest.targets.iter().filter(|target| !target.files.is_empty()).collect();
    let schema = united(&folder, &manifest, &filled)?;
    let partitions = partition_columns(&folder, &filled)?;
    let identity = TableReference::bare(identity);
    let mut urls = filled
        .iter()
        .map(|target| Ok(folder_url(&folder.join(&target.folder))?.with_table_ref(identity.clone())))
        .collect::<Result<Vec<_>>>()?;
    if urls.is_empty() {
        // An export without rows has no files, and its table has no rows.
        urls.push(folder_url(&folder)?.with_table_ref(identity));
    }
    let format = ParquetFormat::default().with_options(context.copied_table_options().parquet);
    let options = ListingOptions::new(Arc::new(format)).with_table_partition_cols(partitions);
    let config = ListingTableConfig::new_with_multi_paths(urls)
        .with_listing_options(options)
        .with_schema(Arc::new(schema));
    let statistics = context.runtime_env().cache_manager.get_file_statistic_cache();
    Ok(Arc::new(ListingTable::try_new(config)?.with_cache(statistics)))
}

/// Reads the manifest; with a name that is the export's own, so that another one in its place has another.
fn read_manifest(folder: &Path) -> Result<(Manifest, String)> {
    let path = folder.join(MANIFEST_NAME);
    let mut file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(refused(folder, format!("it has no {MANIFEST_NAME}; name the folder of an export")));
        }
        opened => opened.map_err(Error::io("open", &path))?,
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(Error::io("read", &path))?;
    let damaged = |error: serde_json::Error| refused(folder, format!("its manifest cannot be read: {error}"));
    let Versioned { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if format > FORMAT_MAX {
        let message = format!(
            "its manifest has format {format}, and this program reads format {FORMAT_MAX} at most; use a newer `pond`"
        );
        return Err(refused(folder, message));
    }
    let manifest = serde_json::from_slice(&bytes).map_err(damaged)?;
    // Other values can have the same manifest, but hardly at the same moment.
    let modified = file.metadata().and_then(|data| data.modified()).map_err(Error::io("read", &path))?;
    let since = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&since.as_nanos().to_le_bytes()).update(&bytes);
    Ok((manifest, hasher.finalize().to_hex().to_string()))
}

/// Unites the columns of all series that have files.
fn united(folder: &Path, manifest: &Manifest, filled: &[&Target]) -> Result<Schema> {
    let mut used: Vec<usize> = filled.iter().map(|target| target.schema).collect();
    if used.is_empty() {
        used.extend(0..manifest.schemas.len());
    }
    used.sort_unstable();
    used.dedup();
    let mut all: Option<Schema> = None;
    for index in used {
        let columns = manifest.schemas.get(index);
        let columns =
            columns.ok_or_else(|| refused(folder, format!("its manifest has no schema {index}")))?;
        let fields = columns.iter().map(|column| {
            let data_type: DataType = column.data_type.parse().map_err(|error| {
                refused(folder, format!("the type of its column '{}' is not known: {error}", column.column))
            })?;
            Ok(Field::new(&column.column, data_type, true))
        });
        let one = Schema::new(fields.collect::<Result<Vec<_>>>()?);
        all = Some(match all {
            None => one,
            Some(all) => unite(&all, &one).map_err(|(column, a, b)| {
                refused(
                    folder,
                    format!("column '{column}' is {a} in one series and {b} in another; export them apart"),
                )
            })?,
        });
    }
    Ok(all.unwrap_or_else(Schema::empty))
}

/// Returns the columns that the partitions' folders name, which must be the same for all series.
fn partition_columns(folder: &Path, filled: &[&Target]) -> Result<Vec<(String, DataType)>> {
    let Some((first, rest)) = filled.split_first() else { return Ok(Vec::new()) };
    if let Some(other) = rest.iter().find(|target| target.partition_columns != first.partition_columns) {
        let message = format!(
            "{} is partitioned by {} and {} by {}; export them apart",
            first.path,
            first.partition_columns.join(","),
            other.path,
            other.partition_columns.join(",")
        );
        return Err(refused(folder, message));
    }
    Ok(first.partition_columns.iter().map(|name| (name.clone(), DataType::Utf8)).collect())
}

/// Returns the address of a folder; made from the path, because a text would be read as a pattern.
fn folder_url(folder: &Path) -> Result<ListingTableUrl> {
    let url = Url::from_directory_path(folder)
        .map_err(|()| refused(folder, "its path is no address of a file".to_owned()))?;
    Ok(ListingTableUrl::try_new(url, None)?)
}

fn refused(folder: &Path, message: String) -> Error {
    Error::Export { path: folder.display().to_string(), message }
}
