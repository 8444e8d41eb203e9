//! What the last export to a folder wrote, and whether it is what this one would write.
//!
//! A file carries the digest of everything that its rows follow from: the versions whose times touch it,
//! the columns, the partition. Equal digests mean equal rows, so freshness is decided by what was covered,
//! not by who wrote it when. A file that is gone or has another size is written again.

use std::collections::HashMap;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::Path;

use arrow::datatypes::SchemaRef;

use super::layout::Layout;
use super::manifest::{ExportedFile, MANIFEST_FORMAT, MANIFEST_NAME, ReadManifest};
use crate::series::{Series, TimeRange};

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
    files: Vec<String>,
}

/// What the last export wrote of one series.
#[derive(Debug)]
pub(super) struct PreviousTarget {
    /// The files that are still there, by path.
    files: HashMap<String, ExportedFile>,
    /// Whether all files that were written are still there.
    whole: bool,
    /// The digest of what the rows of all files follow from.
    inputs: Option<Inputs>,
}

impl Previous {
    /// Reads the manifest of a folder; nothing if there is none that can be used.
    pub(super) fn read(dir: &Path) -> Self {
        let Ok(text) = fs::read(dir.join(MANIFEST_NAME)) else { return Self::default() };
        let Ok(manifest) = serde_json::from_slice::<ReadManifest>(&text) else { return Self::default() };
        if manifest.format != MANIFEST_FORMAT {
            return Self::default();
        }
        let (mut targets, mut all) = (HashMap::new(), Vec::new());
        for target in manifest.targets {
            let there = |file: &ExportedFile| {
                fs::metadata(dir.join(&file.path))
                    .is_ok_and(|found| found.is_file() && found.len() == file.bytes)
            };
            let mut listed: Vec<ExportedFile> = target.files.into_iter().map(ExportedFile::from).collect();
            all.extend(listed.iter().map(|file| file.path.clone()));
            let count = listed.len();
            listed.retain(there);
            let whole = listed.len() == count;
            let files = listed.into_iter().map(|file| (file.path.clone(), file)).collect();
            targets.insert(target.path, PreviousTarget { files, whole, inputs: target.inputs.map(Inputs) });
        }
        Self { targets, files: all }
    }

    /// Returns what was written of a series.
    pub(super) fn target(&self, path: &str) -> Option<&PreviousTarget> {
        self.targets.get(path)
    }

    /// Returns the paths of all files that were written, whether they are still there or not.
    pub(super) fn files(&self) -> &[String] {
        &self.files
    }
}

impl PreviousTarget {
    /// Returns a file if it was made from the same inputs.
    pub(super) fn file(&self, path: &str, inputs: &Inputs) -> Option<ExportedFile> {
        let file = self.files.get(path)?;
        (file.inputs.as_ref() == Some(inputs)).then(|| file.clone())
    }

    /// Returns all files, in time order, if they were made from the same inputs.
    pub(super) fn all(&self, inputs: &Inputs) -> Option<Vec<ExportedFile>> {
        if !self.whole || self.inputs.as_ref() != Some(inputs) {
            return None;
        }
        let mut files: Vec<ExportedFile> = self.files.values().cloned().collect();
        files.sort_by(|a, b| (a.first_us, &a.path).cmp(&(b.first_us, &b.path)));
        Some(files)
    }
}
