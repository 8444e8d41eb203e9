//! Accesses to stored files, by path: which were read, how often, and what was read twice.
//!
//! Off unless asked for, because it remembers every range; then one look at an empty option is all it costs.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

/// What was asked of one stored file, for one purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The path, relative to the pond's folder.
    pub path: String,
    /// What it was asked for: `commit`, `checkpoint`, `footer`, `data`, `content`, `list` or `other`.
    pub class: String,
    /// Requests that reached the file system.
    pub requests: u64,
    /// Bytes that they moved.
    pub bytes: u64,
    /// Parquet footers decoded.
    pub footers: u64,
    /// Requests for a range that had been asked for before, and footers decoded before.
    pub repeats: u64,
}

/// Every access, while it is being recorded.
#[derive(Debug, Default)]
pub(super) struct Accesses {
    by_path: Mutex<BTreeMap<(PathBuf, &'static str), Touched>>,
}

#[derive(Debug, Default)]
struct Touched {
    requests: u64,
    bytes: u64,
    footers: u64,
    repeats: u64,
    ranges: HashSet<(u64, u64)>,
}

impl Accesses {
    pub(super) fn request(&self, class: &'static str, path: PathBuf, range: Range<u64>) {
        let mut by_path = self.by_path.lock().expect("no thread panics while it holds the accesses");
        let touched = by_path.entry((path, class)).or_default();
        touched.requests += 1;
        touched.bytes += range.end - range.start;
        touched.repeats += u64::from(!touched.ranges.insert((range.start, range.end)));
    }

    pub(super) fn footer(&self, class: &'static str, path: PathBuf) {
        let mut by_path = self.by_path.lock().expect("no thread panics while it holds the accesses");
        let touched = by_path.entry((path, class)).or_default();
        touched.repeats += u64::from(touched.footers > 0);
        touched.footers += 1;
    }

    /// Lists the accesses in path order; paths below `root` are shown relative to it.
    pub(super) fn list(&self, root: &Path) -> Vec<Access> {
        let by_path = self.by_path.lock().expect("no thread panics while it holds the accesses");
        let one = |((path, class), touched): (&(PathBuf, &'static str), &Touched)| Access {
            path: path.strip_prefix(root).unwrap_or(path).display().to_string(),
            class: (*class).to_owned(),
            requests: touched.requests,
            bytes: touched.bytes,
            footers: touched.footers,
            repeats: touched.repeats,
        };
        by_path.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_are_ranges_asked_for_again() {
        let accesses = Accesses::default();
        let file = || PathBuf::from("/pond/content/ab/abc");
        accesses.request("content", file(), 0..10);
        accesses.request("content", file(), 10..20);
        accesses.request("content", file(), 0..10);
        accesses.request("data", PathBuf::from("/elsewhere"), 0..0);
        accesses.footer("content", file());
        accesses.footer("content", file());
        let found = accesses.list(Path::new("/pond"));
        let check = |at: usize, path: &str, counts: [u64; 4]| {
            let one: &Access = &found[at];
            assert_eq!(one.path, path);
            assert_eq!([one.requests, one.bytes, one.footers, one.repeats], counts);
        };
        check(0, "/elsewhere", [1, 0, 0, 0]);
        check(1, "content/ab/abc", [3, 30, 2, 2]);
    }
}
