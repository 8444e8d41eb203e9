//! Appends whole lines to `samples.jsonl`, so that an interruption loses at most the last one.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{Header, Line};

/// The open file of a run.
#[derive(Debug)]
pub(crate) struct RecordWriter {
    file: File,
    folder: PathBuf,
}

impl RecordWriter {
    /// Makes a new run folder, and writes the header with the name that was free.
    pub(crate) fn create(runs: &Path, mut header: Header) -> anyhow::Result<(Self, Header)> {
        std::fs::create_dir_all(runs).with_context(|| format!("cannot make {}", runs.display()))?;
        let wanted = header.run.clone();
        let mut number = 1;
        loop {
            match std::fs::create_dir(runs.join(&header.run)) {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    number += 1;
                    header.run = format!("{wanted}-{number}");
                }
                Err(error) => return Err(error).context("cannot make the folder of the run"),
            }
        }
        let folder = runs.join(&header.run);
        let file = File::create_new(folder.join("samples.jsonl"))?;
        let mut writer = Self { file, folder };
        writer.append(&[Line::Header(Box::new(header.clone()))])?;
        std::fs::write(runs.join("latest"), format!("{}\n", header.run))?;
        Ok((writer, header))
    }

    /// Opens an interrupted run again, and cuts off a last line that has no end.
    pub(crate) fn resume(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("samples.jsonl");
        let text = std::fs::read_to_string(&path)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let file = OpenOptions::new().append(true).open(&path)?;
        file.set_len(whole as u64)?;
        Ok(Self { file, folder: folder.to_owned() })
    }

    /// Returns the run's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Appends lines in one write.
    pub(crate) fn append(&mut self, lines: &[Line]) -> anyhow::Result<()> {
        let mut text = String::new();
        for line in lines {
            text.push_str(&serde_json::to_string(line)?);
            text.push('\n');
        }
        self.file.write_all(text.as_bytes()).context("cannot write the samples")
    }
}
