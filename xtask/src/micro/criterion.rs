//! Times, taken by criterion: the median of an iteration.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::{Found, Refusal};
use crate::cargo;
use crate::paths::Paths;

/// The package whose benchmarks these are.
const PACKAGE: &str = "datagen";

/// Runs the benchmarks of a file, whose groups are those of its functions.
pub(super) fn run(paths: &Paths, bench: &str) -> Result<Found, Refusal> {
    measured(paths, bench).map_err(|error| Refusal::Failed(format!("{error:#}")))
}

fn measured(paths: &Paths, bench: &str) -> anyhow::Result<Found> {
    let home = paths.target.join("criterion").join(bench);
    if home.is_dir() {
        // What an older binary left would be taken for what this one measures.
        std::fs::remove_dir_all(&home).with_context(|| format!("cannot empty {}", home.display()))?;
    }
    let status = cargo::run(
        cargo::guarded()?
            .current_dir(&paths.root)
            .args(["bench", "--package", PACKAGE, "--bench", bench, "--", "--noplot"])
            .env("CRITERION_HOME", &home),
    )?;
    ensure!(status.success(), "cargo bench --package {PACKAGE} --bench {bench} ended with {status}");
    let mut found = Found::new();
    for group in folders(&home)? {
        for case in folders(&group)? {
            let path = case.join("new/estimates.json");
            if !path.is_file() {
                continue;
            }
            let text =
                std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let wall_ns = median_ns(&text).with_context(|| format!("{} holds no median", path.display()))?;
            let name = |folder: &Path| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.insert((name(&group), Some(name(&case))), [("wall_ns".to_owned(), wall_ns)].into());
        }
    }
    ensure!(!found.is_empty(), "there are no estimates below {}", home.display());
    Ok(found)
}

fn folders(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = item?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Reads the median of an iteration from criterion's estimates, in ns.
fn median_ns(text: &str) -> anyhow::Result<u64> {
    let estimates: Value = serde_json::from_str(text)?;
    let median = estimates["median"]["point_estimate"].as_f64().context("there is no median")?;
    ensure!(median.is_finite() && median > 0.0, "the median is {median}");
    Ok(median.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_read_in_ns() {
        let text =
            r#"{"mean":{"point_estimate":9.0},"median":{"point_estimate":1234.5678,"standard_error":2.0}}"#;
        assert_eq!(median_ns(text).unwrap(), 1235);
        assert!(median_ns(r#"{"median":{"point_estimate":0.0}}"#).is_err());
        assert!(median_ns("{}").is_err());
    }
}
