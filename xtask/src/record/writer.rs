//! Appends whole processes to `samples.jsonl`, so that an interruption loses at most what goes on.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{Header, Line, whole};
use crate::exit::{Exit, Stop};
use crate::interrupt;

/// The open file of a run, locked as long as its harness lives.
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
        let begun = folder.join("samples.begun");
        let file = File::create_new(&begun)?;
        file.lock()?;
        let mut writer = Self { file, folder };
        writer.append(&[Line::Header(Box::new(header.clone()))])?;
        // A record has a whole header from its beginning.
        std::fs::rename(&begun, writer.folder.join("samples.jsonl"))?;
        let latest = writer.folder.join("latest");
        std::fs::write(&latest, format!("{}\n", header.run))?;
        std::fs::rename(&latest, runs.join("latest"))?;
        Ok((writer, header))
    }

    /// Opens an interrupted run again, and cuts off what is not whole at its end.
    pub(crate) fn resume(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("samples.jsonl");
        let file = OpenOptions::new().append(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!("the run in {} still goes on in another harness", folder.display());
                return Err(Stop::error(Exit::Usage, message));
            }
            Err(TryLockError::Error(error)) => return Err(error).context("cannot lock the record"),
        }
        let text = std::fs::read_to_string(&path)?;
        file.set_len(whole::part_of(&text).len() as u64)?;
        Ok(Self { file, folder: folder.to_owned() })
    }

    /// Returns the run's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Appends lines in one write. Fails once the harness is interrupted: what ended then, ended because of that.
    pub(crate) fn append(&mut self, lines: &[Line]) -> anyhow::Result<()> {
        interrupt::check()?;
        let mut text = String::new();
        for line in lines {
            text.push_str(&serde_json::to_string(line)?);
            text.push('\n');
        }
        self.file.write_all(text.as_bytes()).context("cannot write the samples")
    }
}
