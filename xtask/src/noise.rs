//! How much builds of the same code differ on this machine, as the self-test measured it.
//!
//! A change of any file may move all code in memory, and with it times, by more than the machine's noise. So the margin
//! of a comparison is at least what builds of identical code were seen to differ by.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::fingerprint::Machine;
use crate::paths::Paths;

/// The version of the file.
const FORMAT: u32 = 2;

/// Effects up to this many millionths are no regression, whatever was measured.
pub(crate) const LEAST_MARGIN_PPM: u32 = 10_000;

/// What all versions of the file say.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// What was measured of builds of the same code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Noise {
    format: u32,
    /// Where.
    machine: Machine,
    /// When.
    measured: String,
    /// In how many comparisons of a cell.
    comparisons: usize,
    /// By how much the builds differ, beyond the noise of measuring: in millionths, a standard deviation.
    rebuilt_ppm: u32,
    /// The noise of measuring: the same of one build compared with itself.
    measuring_ppm: u32,
}

impl Noise {
    /// Sums up the changes, logarithms of ratios, between builds of the same code, and of a build with itself; nothing
    /// without any. The variance of the first is that of the builds and that of measuring, which the second have alone.
    pub(crate) fn of(rebuilt: &[f64], same: &[f64], machine: Machine, measured: String) -> Option<Self> {
        if rebuilt.is_empty() || same.is_empty() {
            return None;
        }
        let variance = |changes: &[f64]| {
            changes.iter().map(|change| change * change).sum::<f64>() / changes.len() as f64
        };
        let ppm = |variance: f64| (variance.max(0.0).sqrt() * 1e6).round() as u32;
        let measuring = variance(same);
        Some(Self {
            format: FORMAT,
            machine,
            measured,
            comparisons: rebuilt.len(),
            rebuilt_ppm: ppm(variance(rebuilt) - measuring),
            measuring_ppm: ppm(measuring),
        })
    }

    /// Reads what was measured on this machine with this compiler; nothing if nothing was.
    pub(crate) fn read(paths: &Paths, machine: &Machine) -> anyhow::Result<Option<Self>> {
        let path = file(paths);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        let damaged =
            || format!("{} is damaged; remove it, or measure it again: cargo xtask selftest", path.display());
        let Version { format } = serde_json::from_str(&text).with_context(damaged)?;
        if format != FORMAT {
            return Ok(None);
        }
        let noise: Self = serde_json::from_str(&text).with_context(damaged)?;
        Ok((noise.machine == *machine).then_some(noise))
    }

    /// Keeps it for later comparisons.
    pub(crate) fn write(&self, paths: &Paths) -> anyhow::Result<()> {
        let path = file(paths);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let text = serde_json::to_string_pretty(self).expect("it holds only strings and numbers");
        std::fs::write(&path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Returns the margin of a comparison in millionths, and where it comes from in words.
pub(crate) fn margin(asked: Option<u32>, noise: Option<&Noise>) -> (u32, String) {
    let percent = |ppm: u32| format!("{:.1} %", f64::from(ppm) / 1e4);
    match (asked, noise) {
        (Some(asked), _) => (asked, format!("margin {}, as asked", percent(asked))),
        (None, Some(noise)) => {
            let margin = noise.rebuilt_ppm.max(LEAST_MARGIN_PPM);
            let seen = percent(noise.rebuilt_ppm);
            let text = format!(
                "margin {}; builds of the same code differed by {seen} here ({} comparisons of two builds, {})",
                percent(margin),
                noise.comparisons,
                noise.measured
            );
            (margin, text)
        }
        (None, None) => {
            let text = format!(
                "margin {}; how much builds of the same code differ here is not known: cargo xtask selftest",
                percent(LEAST_MARGIN_PPM)
            );
            (LEAST_MARGIN_PPM, text)
        }
    }
}

fn file(paths: &Paths) -> PathBuf {
    paths.target.join("pondmark/noise.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(rustc: &str) -> Machine {
        let text = || "x".to_owned();
        Machine { cpu: text(), cores: 2, memory_gib: 8, kernel: text(), rustc: rustc.to_owned(), os: text() }
    }

    #[test]
    fn the_margin_is_the_larger_of_one_percent_and_the_noise() {
        let noise =
            |changes: &[f64]| Noise::of(changes, &[0.0, 0.0], machine("1"), "today".to_owned()).unwrap();
        assert_eq!(margin(None, None).0, 10_000);
        assert_eq!(margin(None, Some(&noise(&[0.001, -0.002]))).0, 10_000);
        let large = noise(&[0.03, -0.04]);
        assert_eq!(
            margin(None, Some(&large)),
            (
                35_355,
                "margin 3.5 %; builds of the same code differed by 3.5 % here (2 comparisons of two builds, today)"
                    .to_owned()
            )
        );
        assert_eq!(margin(Some(5_000), Some(&large)).0, 5_000);
        assert_eq!(Noise::of(&[], &[0.01], machine("1"), String::new()), None);
        assert_eq!(Noise::of(&[0.01], &[], machine("1"), String::new()), None);
    }

    #[test]
    fn the_noise_of_measuring_is_taken_off() {
        let ppm = |rebuilt: &[f64], same: &[f64]| {
            let noise = Noise::of(rebuilt, same, machine("1"), "today".to_owned()).unwrap();
            (noise.rebuilt_ppm, noise.measuring_ppm)
        };
        assert_eq!(ppm(&[0.05, -0.05], &[0.03, -0.03, 0.03]), (40_000, 30_000));
        assert_eq!(ppm(&[0.02], &[0.03]), (0, 30_000));
    }

    #[test]
    fn noise_of_another_compiler_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let (root, target) = (folder.path().to_owned(), folder.path().join("target"));
        let paths = Paths { root, work: target.clone(), target };
        let read = |machine| Noise::read(&paths, &machine).unwrap();
        assert_eq!(read(machine("1")), None);
        let noise = Noise::of(&[0.02], &[0.0], machine("1"), "today".to_owned()).unwrap();
        noise.write(&paths).unwrap();
        assert_eq!(read(machine("1")), Some(noise));
        assert_eq!(read(machine("2")), None);
        std::fs::write(file(&paths), r#"{"format":1}"#).unwrap();
        assert_eq!(read(machine("1")), None);
    }

    #[test]
    fn a_damaged_file_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let (root, target) = (folder.path().to_owned(), folder.path().join("target"));
        let paths = Paths { root, work: target.clone(), target };
        for text in ["{", r#"{"format":2}"#] {
            std::fs::create_dir_all(file(&paths).parent().unwrap()).unwrap();
            std::fs::write(file(&paths), text).unwrap();
            let said = format!("{:#}", Noise::read(&paths, &machine("1")).unwrap_err());
            assert!(said.contains("noise.json is damaged; remove it"), "{said}");
        }
    }
}
