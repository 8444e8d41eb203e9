//! Building what a cell needs: a generated pond, or generated source files.
//!
//! Each is built once, aside, and renamed into place. Its name holds the size, the spec's digest, the pond
//! format and a digest of what this engine's writer makes of a sample, so nothing stale is ever used.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use datagen::{Format, Options, PondSpec};
use scenarios::wire::Event;
use scenarios::{Cell, Workload};

use super::nodes::{self, Node};
use crate::error::{Error, Result};
use crate::import::NewSeries;
use crate::log::POND_FORMAT;
use crate::pond::{Pond, PondOptions};
use crate::series::SortedWriter;
use crate::tree::{EntryType, PondPath};

/// Raised when the way ponds are built changes, though neither spec, format nor encoding does.
const BUILD: u32 = 3;

/// Told of steps: what, how many are done, how many there are.
pub(super) type Steps<'a> = &'a mut dyn FnMut(&str, u64, u64) -> std::io::Result<()>;

/// Where a cell's data is.
pub(super) struct Data {
    pub spec: PondSpec,
    pub path: PathBuf,
    /// The format of source files; nothing if the data is a pond.
    format: Option<Format>,
    /// The pond without derived nodes, and the nodes to add to it.
    derived: Option<(PathBuf, Vec<Node>)>,
}

/// Finds where a cell's data is, built or not.
pub(super) fn data(cell: &Cell, ponds_dir: &Path) -> Result<Data> {
    let size = cell.parameter("size").unwrap_or_default();
    let bad = |message: String| Error::Option { option: "size", message };
    let spec = PondSpec::named(size).map_err(|error| bad(error.to_string()))?;
    let digest = spec.digest();
    if cell.workload != Workload::Import {
        let encoding = encoding_digest()?;
        let name = format!("{size}-{digest}-f{POND_FORMAT}-{encoding}-b{BUILD}");
        let base = ponds_dir.join(&name);
        let Some(set) = cell.parameter("nodes") else {
            return Ok(Data { spec, path: base, format: None, derived: None });
        };
        let set = nodes::set(set, &spec)?;
        let path = ponds_dir.join(format!("{name}-n{}", nodes::digest(&set)));
        return Ok(Data { spec, path, format: None, derived: Some((base, set)) });
    }
    let format = match cell.parameter("format") {
        Some("csv") => Format::Csv,
        Some("parquet") => Format::Parquet,
        other => {
            let message = format!("'{}' is no format; write csv or parquet", other.unwrap_or_default());
            return Err(Error::Option { option: "format", message });
        }
    };
    let path = ponds_dir.join(format!("{size}-{digest}-{}-b{BUILD}", format.extension()));
    Ok(Data { spec, path, format: Some(format), derived: None })
}

/// Returns a digest of what the writer makes of a generated series: it changes with the encodings.
fn encoding_digest() -> Result<&'static str> {
    static DIGEST: OnceLock<String> = OnceLock::new();
    if let Some(digest) = DIGEST.get() {
        return Ok(digest);
    }
    let spec = PondSpec::named("tiny").expect("the size is known");
    let sample = &spec.series()[0];
    let schema = sample.schema(1);
    let time = schema.index_of("timestamp").ok();
    let mut writer = SortedWriter::new(Vec::new(), schema, time);
    for batch in sample.batches(1) {
        writer.write(&batch)?;
    }
    let (bytes, _) = writer.finish()?;
    Ok(DIGEST.get_or_init(|| blake3::hash(&bytes).to_hex()[..8].to_owned()))
}

/// Builds a cell's data if it is not there.
pub(super) fn prepare(cell: &Cell, ponds_dir: &Path, steps: Steps<'_>) -> Result<Event> {
    let data = data(cell, ponds_dir)?;
    let (files, rows) = (data.spec.files(), data.spec.planned_rows());
    if data.path.exists() {
        return Ok(Event::Prepared { built: false, files, rows });
    }
    fs::create_dir_all(ponds_dir).map_err(Error::io("create the folder", ponds_dir))?;
    match (data.format, &data.derived) {
        (Some(format), _) => build(&data.path, |new| {
            let options = Options { out: new.to_owned(), format, force: false };
            datagen::write(&data.spec, &options, &|_| ()).map(drop).map_err(|error| Error::Export {
                path: new.display().to_string(),
                message: error.to_string(),
            })
        })?,
        (None, None) => build(&data.path, |new| build_pond(&data.spec, new, steps))?,
        (None, Some((base, set))) => {
            if !base.exists() {
                build(base, |new| build_pond(&data.spec, new, steps))?;
            }
            build(&data.path, |new| build_derived(base, set, new))?;
        }
    }
    Ok(Event::Prepared { built: true, files, rows })
}

/// Builds something aside and renames it into place.
fn build(path: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    let aside = tempfile::tempdir_in(folder).map_err(Error::io("create a folder in", folder))?;
    let new = aside.path().join("new");
    make(&new)?;
    match fs::rename(&new, path) {
        // Another process was quicker.
        Err(_) if path.exists() => Ok(()),
        renamed => renamed.map_err(Error::io("create", path)),
    }
}

/// Builds a pond with derived nodes: a copy of one without, and a transaction for each node.
fn build_derived(base: &Path, set: &[Node], root: &Path) -> Result<()> {
    copy_pond(base, root, false)?;
    let pond = Pond::open(root, PondOptions::default())?;
    set.iter().try_for_each(|node| pond.mknod(node.factory, node.path, &node.config()))
}

/// Copies a pond's folder; content, which never changes, is linked where the file system can.
fn copy_pond(from: &Path, to: &Path, is_content: bool) -> Result<()> {
    fs::create_dir(to).map_err(Error::io("create the folder", to))?;
    for item in fs::read_dir(from).map_err(Error::io("list", from))? {
        let item = item.map_err(Error::io("list", from))?;
        let (source, target) = (item.path(), to.join(item.file_name()));
        if source.is_dir() {
            copy_pond(&source, &target, is_content || item.file_name() == "content")?;
        } else if !is_content || fs::hard_link(&source, &target).is_err() {
            fs::copy(&source, &target).map_err(Error::io("copy", &source))?;
        }
    }
    Ok(())
}

/// Builds a pond: one transaction for the first versions of all series, one for the second, and so on.
fn build_pond(spec: &PondSpec, root: &Path, steps: Steps<'_>) -> Result<()> {
    let pond = Pond::init(root, PondOptions::default())?;
    let series = spec.series();
    let total: u64 = series.iter().map(|one| u64::from(one.versions())).sum();
    let latest = series.iter().map(datagen::Series::versions).max().unwrap_or(0);
    let mut done = 0;
    let mut told = Ok(());
    for version in 1..=latest {
        let due = series.iter().filter(|one| one.versions() >= version);
        pond.write(due.map(|one| {
            done += 1;
            if done % 64 == 0 && told.is_ok() {
                told = steps("building the pond", done, total);
            }
            new_series(one, version)
        }))?;
    }
    told.map_err(Error::io("report progress of", root))
}

/// Makes a version of a generated series ready to be written.
pub(super) fn new_series(series: &datagen::Series, version: u32) -> NewSeries {
    let schema = series.schema(version);
    let entry_type = if series.path().ends_with(".table") { EntryType::Table } else { EntryType::Series };
    NewSeries {
        path: PondPath::parse(series.path()).expect("generated paths are valid"),
        entry_type,
        time: schema.index_of("timestamp").ok(),
        schema,
        batches: Box::new(series.batches(version)),
    }
}
