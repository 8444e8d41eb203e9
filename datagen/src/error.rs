//! What can go wrong while a pond is described or written.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Any failure of this crate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DatagenError {
    /// No size has this name.
    #[error("unknown size '{name}'{}; known: {known}", suggestion(.nearest))]
    UnknownSize {
        /// The name asked for.
        name: String,
        /// The known size that was probably meant.
        nearest: Option<&'static str>,
        /// All known sizes, separated by commas.
        known: String,
    },
    /// A spec contradicts itself.
    #[error("the spec '{name}' cannot be generated: {why}")]
    InvalidSpec {
        /// The spec's name.
        name: String,
        /// What to change.
        why: String,
    },
    /// The output folder holds something already.
    #[error("'{}' is not empty; choose another folder or add --force to write into it", .path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A file or folder could not be written.
    #[error("cannot write '{}': {reason}{}", .path.display(), advice(.reason))]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system or the encoder says; not a `source`, since the text has it already.
        reason: io::Error,
    },
}

impl DatagenError {
    pub(crate) fn write(path: &Path, reason: io::Error) -> Self {
        Self::Write { path: path.to_owned(), reason }
    }
}

fn suggestion(nearest: &Option<&'static str>) -> String {
    nearest.map(|size| format!("; did you mean '{size}'?")).unwrap_or_default()
}

fn advice(reason: &io::Error) -> &'static str {
    match reason.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space or choose another folder with --out"
        }
        io::ErrorKind::Other => "",
        _ => "; choose a writable folder with --out",
    }
}
