//! The reports that a run left: files of strangers, few and small, and never what a link leads to.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

/// Bytes of a report; one of the harness has less than half of it.
const MOST_BYTES: u64 = 64 << 10;

/// Reports that a comment is made of.
const MOST_REPORTS: usize = 8;

/// Reads the reports in a folder, by name: files that end in `.md`, and those in folders there, as artifacts are
/// downloaded. A report is named by its folder. No folder is no reports.
pub(crate) fn reports(folder: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut files = Vec::new();
    for (path, name) in entries(folder)? {
        if path.is_dir() {
            let inner = entries(&path)?;
            files.extend(
                inner.into_iter().filter(|(path, _)| is_report(path)).map(|(path, _)| (path, name.clone())),
            );
        } else if is_report(&path) {
            files.push((path, name));
        }
    }
    files.sort();
    ensure!(
        files.len() <= MOST_REPORTS,
        "{} reports are too many; {MOST_REPORTS} make a comment",
        files.len()
    );
    files.into_iter().map(|(path, name)| Ok((name, read(&path)?))).collect()
}

/// Lists a folder. A link is refused: it may lead to what nobody wants to publish.
fn entries(folder: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let path = entry.path();
        ensure!(kind.is_file() || kind.is_dir(), "{} is neither a file nor a folder", path.display());
        found.push((path, entry.file_name().to_string_lossy().into_owned()));
    }
    Ok(found)
}

fn is_report(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|extension| extension == "md")
}

fn read(path: &Path) -> anyhow::Result<String> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let shown = path.display();
    ensure!(bytes.len() as u64 <= MOST_BYTES, "{shown} is longer than {MOST_BYTES} bytes; no report is");
    String::from_utf8(bytes).with_context(|| format!("{shown} is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &[u8]| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("comment-time/comment.md", b"time");
        write("comment-exact/comment.md", b"exact");
        write("comment-exact/other.txt", b"no report");
        let found = reports(folder.path()).unwrap();
        let found: Vec<(&str, &str)> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(found, [("comment-exact", "exact"), ("comment-time", "time")]);
        assert!(reports(&folder.path().join("nothing")).unwrap().is_empty());
        write("comment-exact/comment.md", &[b'x'; (MOST_BYTES + 1) as usize]);
        assert!(reports(folder.path()).unwrap_err().to_string().contains("is longer than 65536 bytes"));
        write("comment-exact/comment.md", b"\xff");
        assert!(reports(folder.path()).unwrap_err().to_string().contains("is no text"));
    }

    #[test]
    fn links_and_crowds_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..=MOST_REPORTS {
            std::fs::write(folder.path().join(format!("{number}.md")), "text").unwrap();
        }
        assert!(reports(folder.path()).unwrap_err().to_string().contains("9 reports are too many"));
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/proc/self/environ", folder.path().join("comment.md")).unwrap();
        assert!(reports(folder.path()).unwrap_err().to_string().contains("is neither a file nor a folder"));
    }
}
