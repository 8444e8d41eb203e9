//! What the Delta log cost: commit files, checkpoints, entry files.
//!
//! Requests and bytes are those of the handle since it was opened. The rest describes the version that it
//! stands at; finding that out reads the log's folder and its tombstones, which is not counted in.

use futures::TryStreamExt;
use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::table::Log;
use crate::error::{Error, Result};

/// What the Delta log of a pond holds, and what reading it cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogAnalysis {
    /// The version of the Delta table.
    pub delta_version: u64,
    /// The last transaction.
    pub txn: u64,
    /// The newest checkpoint up to that version, from which the log is replayed; none before the first.
    pub checkpoint_version: Option<u64>,
    /// Bytes of that checkpoint's files.
    pub checkpoint_size: u64,
    /// Commits after the checkpoint, which are replayed.
    pub commits_replayed: u64,
    /// Requests for commit files.
    pub commit_requests: u64,
    /// Bytes of commit files moved.
    pub commit_bytes: u64,
    /// Requests for checkpoints, and for the pointer to the last one.
    pub checkpoint_requests: u64,
    /// Bytes of checkpoints moved.
    pub checkpoint_bytes: u64,
    /// Listings of the log's folder.
    pub list_requests: u64,
    /// Entry files that belong to the version.
    pub entry_files: u64,
    /// Those of them that were decoded.
    pub entry_files_loaded: u64,
    /// Those of them that were not needed.
    pub entry_files_skipped: u64,
    /// Entry files that were folded away, and that the log still remembers.
    pub tombstones: u64,
}

impl Log {
    /// Describes the log, and what this handle has read of it.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn analyze(&self) -> Result<LogAnalysis> {
        // Counters are read first: what follows reads the log again.
        let totals = self.recorder.totals();
        let state = self.state();
        let delta_version = state.table.version().unwrap_or(0);
        let tombstones = self.runtime.block_on(async {
            let store = state.table.log_store();
            let found = state.table.snapshot()?.all_tombstones(store.as_ref());
            found.try_fold(0, |count, _| async move { Ok(count + 1) }).await
        })?;
        let entry_files = state.loaded.len() as u64;
        let loaded = state.loaded.values().filter(|one| one.file.is_decoded()).count() as u64;
        let checkpoint = last_checkpoint(&self.layout, delta_version)?;
        let (checkpoint_version, checkpoint_size) = checkpoint.unzip();
        Ok(LogAnalysis {
            delta_version,
            txn: state.snapshot.txn(),
            checkpoint_version,
            checkpoint_size: checkpoint_size.unwrap_or(0),
            commits_replayed: checkpoint_version.map_or(delta_version + 1, |at| delta_version - at),
            commit_requests: totals.get("store_log_json_requests"),
            commit_bytes: totals.get("store_log_json_bytes"),
            checkpoint_requests: totals.get("store_checkpoint_requests"),
            checkpoint_bytes: totals.get("store_checkpoint_bytes"),
            list_requests: totals.get("store_list_requests"),
            entry_files,
            entry_files_loaded: loaded,
            entry_files_skipped: entry_files - loaded,
            tombstones,
        })
    }
}

/// Finds the newest checkpoint up to a version, with the bytes of its files.
fn last_checkpoint(layout: &Layout, version: u64) -> Result<Option<(u64, u64)>> {
    let folder = layout.log_dir().join("_delta_log");
    let mut newest: Option<(u64, u64)> = None;
    for item in std::fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
        let item = item.map_err(Error::io("list", &folder))?;
        let name = item.file_name();
        let Some(at) = name.to_str().and_then(checkpoint_of).filter(|at| *at <= version) else { continue };
        let size = item.metadata().map_err(Error::io("read", &item.path()))?.len();
        newest = match newest {
            Some((best, _)) if best > at => newest,
            Some((best, bytes)) if best == at => Some((best, bytes + size)),
            _ => Some((at, size)),
        };
    }
    Ok(newest)
}

/// Returns the version of a checkpoint file by its name.
fn checkpoint_of(name: &str) -> Option<u64> {
    let (version, rest) = name.split_once('.')?;
    (rest.starts_with("checkpoint.") && rest.ends_with("parquet")).then(|| version.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_told_by_their_names() {
        let check = |name: &str, expect| assert_eq!(checkpoint_of(name), expect, "{name}");
        check("00000000000000000031.checkpoint.parquet", Some(31));
        check("00000000000000000031.checkpoint.0000000001.0000000002.parquet", Some(31));
        check("00000000000000000031.json", None);
        check("_last_checkpoint", None);
    }
}
