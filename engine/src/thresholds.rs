//! The thresholds of a pond: limits that its settings file sets on what an export uses.
//!
//! Only what is read is here; what crosses a threshold follows from metrics, the same way for the harness
//! (`scenarios::Thresholds::crossed`).

use std::path::Path;

use scenarios::{DocumentError, SETTINGS_FILE, Thresholds};

use crate::error::{Error, Result};
use crate::knobs;

/// Reads the thresholds of a pond: the table `[thresholds]` of its `pond.toml`; none are set without one.
///
/// # Errors
/// Names the file and the line of what is no threshold, or no limit.
pub fn thresholds_of_pond(root: &Path) -> Result<Thresholds> {
    let path = root.join(SETTINGS_FILE);
    Thresholds::read(&path, &[knobs::TABLE]).map_err(|error| match error {
        DocumentError::Invalid { line, message, .. } => Error::line(&path, line as u64, message),
        DocumentError::Read { source, .. } => Error::io("read", &path)(source),
        other => Error::input(&path, other.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settings_file_holds_thresholds_beside_knobs() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert!(thresholds_of_pond(root).unwrap().is_empty());
        let write = |text: &str| std::fs::write(root.join("pond.toml"), text).unwrap();
        write("[knobs]\njobs = 2\n\n[thresholds]\nmemory_mib = 64\n");
        assert_eq!(thresholds_of_pond(root).unwrap().get("memory_mib"), Some(64));
        write("[thresholds]\nmemory_mb = 64\n");
        let error = thresholds_of_pond(root).unwrap_err().to_string();
        let place = root.join("pond.toml").display().to_string();
        let expect = "unknown key 'memory_mb' in [thresholds]; did you mean 'memory_mib'?";
        assert_eq!(error, format!("{place}:2: {expect}"));
    }
}
