//! Histories in a folder. A file is locked while it is read or appended to, so that harnesses wait for each other.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

use anyhow::Context as _;

use super::{Added, ENDING, file_name};
use crate::history::line::{self, RunLine};

/// Lists the suites of a folder; none if there is no folder.
pub(super) fn suites(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    if !folder.is_dir() {
        return Ok(names);
    }
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(ENDING).map(str::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

/// Reads the runs of a suite in the order in which they were added.
pub(super) fn read(folder: &Path, suite: &str) -> anyhow::Result<Vec<RunLine>> {
    let path = folder.join(file_name(suite));
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    // Who appends has a lock, and would seem to have been cut off.
    file.lock_shared()?;
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(|| format!("cannot read {}", path.display()))?;
    line::parse(&path, &text)
}

/// Appends a run in one write, after what a kill has left of a line is removed.
pub(super) fn add(folder: &Path, run: &RunLine) -> anyhow::Result<Added> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(file_name(&run.suite));
    let open = OpenOptions::new().read(true).append(true).create(true).open(&path);
    let mut file = open.with_context(|| format!("cannot open {}", path.display()))?;
    file.lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(|| format!("cannot read {}", path.display()))?;
    let whole = line::whole(&text);
    if line::parse(&path, whole)?.iter().any(|there| there.is_same_run(run)) {
        return Ok(Added::Before);
    }
    file.set_len(whole.len() as u64)?;
    file.write_all(run.to_text().as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Added::Now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::line::tests::run;

    #[test]
    fn runs_are_appended_once() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("new");
        assert!(suites(&folder).unwrap().is_empty() && read(&folder, "s").unwrap().is_empty());
        let (one, two) = (run(1, 5, vec![3]), run(2, 6, vec![3]));
        assert_eq!(add(&folder, &one).unwrap(), Added::Now);
        assert_eq!(add(&folder, &two).unwrap(), Added::Now);
        assert_eq!(add(&folder, &one).unwrap(), Added::Before);
        // Another machine may have named its run alike.
        let other = RunLine { engine_digest: "f".into(), ..one.clone() };
        assert_eq!(add(&folder, &other).unwrap(), Added::Now);
        assert_eq!(read(&folder, "s").unwrap(), [one, two, other]);
        assert_eq!(suites(&folder).unwrap(), ["s"]);
    }

    #[test]
    fn a_line_that_was_cut_off_is_refused_until_the_next_is_added() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (run(1, 5, vec![3]), run(2, 6, vec![3]));
        add(folder.path(), &one).unwrap();
        let path = folder.path().join("s.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}{}", &text[..40])).unwrap();
        let said = format!("{:#}", read(folder.path(), "s").unwrap_err());
        assert!(said.contains("s.jsonl:2: the line is cut off"), "{said}");
        add(folder.path(), &two).unwrap();
        assert_eq!(read(folder.path(), "s").unwrap(), [one, two]);
    }

    #[test]
    fn nothing_is_appended_to_what_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.jsonl");
        std::fs::write(&path, "{}\n").unwrap();
        let said = format!("{:#}", add(folder.path(), &run(1, 5, vec![3])).unwrap_err());
        assert!(said.contains("s.jsonl:1: it is no JSON object"), "{said}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n");
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for number in 0..16 {
                let folder = folder.path();
                scope.spawn(move || add(folder, &run(number, 5, vec![3])).unwrap());
            }
        });
        assert_eq!(read(folder.path(), "s").unwrap().len(), 16);
    }
}
