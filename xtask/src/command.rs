//! The commands, one file each.

pub(crate) mod baseline;
pub(crate) mod bench;
mod beside;
pub(crate) mod bisect;
pub(crate) mod ci;
pub(crate) mod claims;
pub(crate) mod compare;
pub(crate) mod datagen;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod github;
pub(crate) mod guard;
pub(crate) mod history;
pub(crate) mod overhead;
pub(crate) mod peers;
pub(crate) mod profile;
pub(crate) mod report;
pub(crate) mod selftest;

use std::io::Write;

/// Prints to standard output; a reader that went away is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
