//! The workload `commit`: one more version of the first series, in a copy of the pond.
//!
//! The copy's files are links to those of the pond, which are never changed in place; only the lock is the
//! copy's own. So a history of any length is copied in a moment, outside what is measured.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use datagen::PondSpec;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use scenarios::Answer;

use super::digest::Canon;
use super::prepare::new_series;
use crate::error::{Error, Result};
use crate::pond::Pond;
use crate::tree::PondPath;

/// Rows of each new version: the first ones of the series, again.
const ROWS: usize = 10;

/// Commits one more version; returns how many the series has now.
pub(super) fn commit(pond: &Pond, spec: &PondSpec) -> Result<u64> {
    let mut version = new_series(&spec.series()[0], 1);
    version.batches =
        Box::new(version.batches.take(1).map(|batch| batch.slice(0, ROWS.min(batch.num_rows()))));
    let path = version.path.clone();
    pond.write(std::iter::once(version))?;
    let snapshot = pond.snapshot();
    let node = snapshot.tree().lookup(&path)?;
    Ok(snapshot.summary(node).versions)
}

/// Reads the newest version back, which must be the one of that number.
pub(super) fn answer(pond: &Pond, spec: &PondSpec, number: u64) -> Result<Answer> {
    let path = PondPath::parse(spec.series()[0].path())?;
    let snapshot = pond.snapshot();
    let contents = snapshot.contents(snapshot.tree().lookup(&path)?)?;
    let newest = contents.last().filter(|(version, _)| version.number == number);
    let (_, content) = newest.ok_or_else(|| Error::Damaged {
        place: path.to_string(),
        detail: format!("version {number} was committed and is not the newest"),
    })?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(content.clone())?;
    let schema = reader.schema().clone();
    let mut canon = Canon::new(false);
    canon.text(path.as_str());
    canon.table(&schema, reader.build()?.map(|batch| batch.map_err(Error::from)))?;
    Ok(canon.answer())
}

/// Copies a pond by linking its files, or byte by byte where the target is on another file system.
pub(super) fn link_pond(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(Error::io("create the folder", to))?;
    for item in fs::read_dir(from).map_err(Error::io("list", from))? {
        let item = item.map_err(Error::io("list", from))?;
        let (path, target) = (item.path(), to.join(item.file_name()));
        if path.is_dir() {
            link_pond(&path, &target)?;
        } else if item.file_name() != "lock" {
            let linked = fs::hard_link(&path, &target).or_else(|error| match error.kind() {
                ErrorKind::CrossesDevices => fs::copy(&path, &target).map(drop),
                _ => Err(error),
            });
            linked.map_err(Error::io("copy to", &target))?;
        }
    }
    Ok(())
}
