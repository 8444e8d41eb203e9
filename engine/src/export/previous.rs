//! What the last export to a folder wrote, and whether it is what this one would write.
//!
//! A file carries the digest of everything that its rows follow from: the versions whose times touch it,
//! the columns, the partition. Equal digests mean equal rows, so freshness is decided by what was covered,
//! not by who wrote it when. A file that is gone or has another size is written again.

use std::collections::HashMap;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;

use super::layout::Layout;
use super::manifest::{ExportedFile, MANIFEST_FORMAT, MANIFEST_NAME, ReadHead, ReadManifest, ReadTarget};
use crate::error::{Error, Result};
use crate::series::{Series, TimeRange};
use crate::tree::Pattern;

/// Raised when the same inputs give other files: another layout, another meaning of a digest.
const INPUTS_FORMAT: u32 = 1;

/// Hexadecimal digits of a digest of inputs.
const DIGITS: usize = 32;

/// The digest of everything that some exported rows follow from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inputs(pub String);

/// Makes the digests of one target's files.
#[derive(Debug)]
pub(super) struct InputsOf {
    /// What all files of the target have in common.
    common: blake3::Hasher,
}

impl InputsOf {
    /// Begins with what all files of a target have in common.
    pub(super) fn new(schema: &SchemaRef, layout: &Layout<'_>) -> Self {
        let mut common = blake3::Hasher::new();
        common.update(&INPUTS_FORMAT.to_le_bytes());
        common.update(layout.folder().as_bytes());
        common.update(layout.partition_columns().join(",").as_bytes());
        schema.hash(&mut Feed(&mut common));
        Self { common }
    }

    /// Returns the digest for the rows of a stored series in a range.
    pub(super) fn of_series(&self, series: &Series, range: TimeRange) -> Inputs {
        self.of(range, series.digests_in(range).map(|digest| digest.0))
    }

    /// Returns the digest for the rows in a range of something that follows from the parts given.
    pub(super) fn of(&self, range: TimeRange, parts: impl Iterator<Item = [u8; 32]>) -> Inputs {
        let mut hasher = self.common.clone();
        for bound in [range.start_us, range.end_us] {
            hasher.update(&[u8::from(bound.is_some())]);
            hasher.update(&bound.unwrap_or_default().to_le_bytes());
        }
        for part in parts {
            hasher.update(&part);
        }
        Inputs(hasher.finalize().to_hex()[..DIGITS].to_owned())
    }
}

/// Lets what can be hashed be hashed by BLAKE3.
struct Feed<'a>(&'a mut blake3::Hasher);

impl Hasher for Feed<'_> {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// The last export to a folder.
#[derive(Debug, Default)]
pub(super) struct Previous {
    targets: HashMap<String, PreviousTarget>,
}

/// What the last export wrote of one series.
#[derive(Debug)]
pub(super) struct PreviousTarget {
    /// The folder of the export.
    dir: Arc<Path>,
    /// What was written, in time order.
    files: Vec<ExportedFile>,
    /// The place of each path in `files`, filled when one is asked for.
    places: OnceLock<HashMap<String, usize>>,
    /// The digest of what the rows of all files follow from.
    inputs: Option<Inputs>,
}

impl Previous {
    /// Reads the export that a folder holds, if it can be built on. Fails if the folder must not be replaced:
    /// it holds something that is no export, or, unless `replace` is set, an export of other patterns.
    pub(super) fn find(dir: &Path, patterns: &[Pattern], replace: bool) -> Result<Self> {
        let bad = |message: String| Err(Error::Export { path: dir.display().to_string(), message });
        let text = match fs::read(dir.join(MANIFEST_NAME)) {
            Ok(text) => text,
            Err(_) if is_vacant(dir)? => return Ok(Self::default()),
            Err(_) => return bad("it is neither empty nor an export; choose another folder".to_owned()),
        };
        let (before, previous) = match serde_json::from_slice::<ReadManifest>(&text) {
            Ok(read) if read.format == MANIFEST_FORMAT => (read.patterns, Self::of(dir, read.targets)),
            _ => match serde_json::from_slice::<ReadHead>(&text) {
                Ok(head) if head.format <= MANIFEST_FORMAT => (head.patterns, Self::default()),
                _ => return bad("its manifest is of no known format; choose another folder".to_owned()),
            },
        };
        let now = patterns.iter().map(Pattern::as_str);
        if !replace && !before.iter().map(String::as_str).eq(now) {
            let before = before.join(" ");
            return bad(format!(
                "it holds an export of {before}; choose another folder, or replace it with --replace"
            ));
        }
        Ok(previous)
    }

    fn of(dir: &Path, targets: Vec<ReadTarget>) -> Self {
        let dir: Arc<Path> = dir.into();
        let targets = targets.into_iter().map(|target| {
            let files = target.files.into_iter().map(ExportedFile::from).collect();
            let inputs = target.inputs.map(Inputs);
            (target.path, PreviousTarget { dir: Arc::clone(&dir), files, places: OnceLock::new(), inputs })
        });
        Self { targets: targets.collect() }
    }

    /// Returns what was written of a series.
    pub(super) fn target(&self, path: &str) -> Option<&PreviousTarget> {
        self.targets.get(path)
    }

    /// Returns the paths of all files that were written, whether they are still there or not.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.targets.values().flat_map(|target| &target.files).map(|file| file.path.as_str())
    }
}

impl PreviousTarget {
    /// Returns a file if it was made from the same inputs.
    pub(super) fn file(&self, path: &str, inputs: &Inputs) -> Option<ExportedFile> {
        let places = self.places.get_or_init(|| {
            self.files.iter().enumerate().map(|(place, file)| (file.path.clone(), place)).collect()
        });
        let file = &self.files[*places.get(path)?];
        (file.inputs.as_ref() == Some(inputs) && self.is_there(file)).then(|| file.clone())
    }

    /// Returns all files, in time order, if they were made from the same inputs.
    pub(super) fn all(&self, inputs: &Inputs) -> Option<Vec<ExportedFile>> {
        let whole = self.inputs.as_ref() == Some(inputs) && self.files.iter().all(|file| self.is_there(file));
        whole.then(|| self.files.clone())
    }

    fn is_there(&self, file: &ExportedFile) -> bool {
        let found = fs::metadata(self.dir.join(&file.path));
        found.is_ok_and(|found| found.is_file() && found.len() == file.bytes)
    }
}

/// Tells whether a folder is empty or missing.
fn is_vacant(dir: &Path) -> Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut listing) => Ok(listing.next().is_none()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            let message = "it is a file, and a folder is needed; choose another name".to_owned();
            Err(Error::Export { path: dir.display().to_string(), message })
        }
        Err(error) => Err(Error::io("list", dir)(error)),
    }
}
