//! Folding: merging small entry files, so that opening reads few files however many commits there were.
//!
//! Files are put into size classes, each eight times the one before. When a class holds
//! [`FOLD_FILES`] files, they become one file, which lands in the next class or so. An entry is thus
//! rewritten once per class, and there are never more than a few dozen files below the largest class.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use deltalake::kernel::Action;
use deltalake::protocol::DeltaOperation;

use super::commit::{commit_actions, write_entry_file};
use super::files;
use super::table::{Log, State};
use crate::error::{Error, Result};

/// Files of one class that are folded together.
const FOLD_FILES: usize = 16;

/// The size at which the second class begins; each further one is eight times as large.
const CLASS_BYTES: u64 = 32 * 1024;

/// Files of this class and above, 2 MiB and more, are left alone: few commits make them, and folding them
/// would hold them all in memory.
const CLASS_MAX: u32 = 3;

/// How long replaced files are kept for readers that still have an older snapshot open.
const RETIRED_KEPT: Duration = Duration::from_secs(3600);

impl Log {
    /// Folds the entry files of the smallest class that is full, if any; the caller holds the lock.
    pub(super) fn fold(&self, state: &mut State) -> Result<()> {
        let sizes: BTreeMap<&str, u64> =
            state.loaded.iter().map(|(name, loaded)| (name.as_str(), loaded.file.size())).collect();
        let Some(mut names) = due(&sizes) else { return Ok(()) };
        // In the order of transactions, so that what opens the folded file finds it in order.
        names.sort_by_key(|name| state.loaded[name].first_txn());
        let mut batches = Vec::new();
        for name in &names {
            let loaded = Arc::clone(&state.loaded[name]);
            batches.extend(loaded.file.read_batches(&self.recorder)?);
        }
        let rows = batches.iter().map(arrow::array::RecordBatch::num_rows).sum();
        let bytes = files::encode_batches(&batches)?;
        let target_size = bytes.len() as i64;
        let name = format!("folded-{:010}", state.snapshot.txn());
        let mut add = write_entry_file(&self.layout, &self.store, &self.runtime, &name, bytes, rows)?;
        add.data_change = false;
        let mut actions: Vec<Action> = vec![Action::Add(add)];
        for view in state.table.snapshot()?.log_data().iter() {
            if names.iter().any(|name| *name == view.path()) {
                actions.push(Action::Remove(view.remove_action(false)));
            }
        }
        let operation = DeltaOperation::Optimize { predicate: None, target_size };
        commit_actions(self, state, actions, operation)?;
        self.reload(state)?;
        self.remove_retired(state)
    }

    /// Removes entry files that no version needs any more: folded ones, and those of dead writers.
    fn remove_retired(&self, state: &State) -> Result<()> {
        let folder = self.layout.log_dir();
        let now = SystemTime::now();
        for item in fs::read_dir(&folder).map_err(Error::io("list", &folder))? {
            let item = item.map_err(Error::io("list", &folder))?;
            let name = item.file_name().to_string_lossy().into_owned();
            if !name.ends_with(".parquet") || state.loaded.contains_key(&name) {
                continue;
            }
            let path = item.path();
            let modified =
                item.metadata().and_then(|metadata| metadata.modified()).map_err(Error::io("read", &path))?;
            if now.duration_since(modified).is_ok_and(|age| age > RETIRED_KEPT) {
                fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            }
        }
        Ok(())
    }
}

/// Returns the files of the smallest full class.
fn due(sizes: &BTreeMap<&str, u64>) -> Option<Vec<String>> {
    let mut classes: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for (name, size) in sizes {
        classes.entry(class(*size)).or_default().push((*name).to_owned());
    }
    classes.into_iter().find(|(class, names)| *class < CLASS_MAX && names.len() >= FOLD_FILES).map(|(_, n)| n)
}

fn class(size: u64) -> u32 {
    let mut class = 0;
    let mut limit = CLASS_BYTES;
    while size >= limit && class < CLASS_MAX {
        limit *= 8;
        class += 1;
    }
    class
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_grow_by_eight() {
        let check = |size, expect| assert_eq!(class(size), expect, "{size}");
        check(0, 0);
        check(CLASS_BYTES - 1, 0);
        check(CLASS_BYTES, 1);
        check(8 * CLASS_BYTES, 2);
        check(u64::MAX, CLASS_MAX);
    }

    #[test]
    fn only_a_full_class_is_folded() {
        let names: Vec<String> = (0..40).map(|n| format!("{n:02}")).collect();
        let sizes = |small: usize, large: usize| -> BTreeMap<&str, u64> {
            let sizes = (0..small).map(|_| 10).chain((0..large).map(|_| 60 * CLASS_BYTES));
            names.iter().map(String::as_str).zip(sizes).collect()
        };
        assert_eq!(due(&sizes(FOLD_FILES - 1, FOLD_FILES - 1)), None);
        assert_eq!(due(&sizes(FOLD_FILES, 1)).unwrap().len(), FOLD_FILES);
        assert_eq!(due(&sizes(3, FOLD_FILES)).unwrap().len(), FOLD_FILES);
    }
}
