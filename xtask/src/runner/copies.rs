//! Copies of the engines, made anew for every round of pairs.
//!
//! Of two copies of one binary one may be faster by a percent for as long as both exist, presumably for the pages of memory
//! that they lie in. Copied anew, in random order, that is noise between pairs, which their test knows; it is no longer a
//! difference between the sides, which the test would call.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::Surroundings;
use crate::{engine_code, random};

/// Bytes that hold the headers of a binary.
const HEADERS: u64 = 64 << 10;

/// Copies the engine of each side in the random order of a round, and returns the sides with the copies as their engines.
/// The copies of the round before are replaced.
pub(super) fn anew<const SIDES: usize>(
    sides: [&Surroundings; SIDES],
    seed: u64,
    round: u32,
) -> anyhow::Result<[Surroundings; SIDES]> {
    let mut copied = sides.map(Surroundings::clone);
    for side in &copied {
        let _ = fs::remove_dir_all(side.copies());
    }
    // Other numbers than those that order the turns of the round.
    for place in random::shuffled((0..SIDES).collect(), seed.swap_bytes(), round) {
        let side = &mut copied[place];
        let folder = side.copies();
        let name = side.engine.file_name().context("an engine has a name")?;
        let copy = folder.join(name);
        fs::create_dir_all(&folder)
            .and_then(|()| copy_loaded(&side.engine, &copy))
            .with_context(|| format!("cannot copy {} to {}", side.engine.display(), copy.display()))?;
        side.engine = copy;
    }
    Ok(copied)
}

impl Surroundings {
    /// Returns the folder of the copy of its engine.
    fn copies(&self) -> PathBuf {
        self.work.join("engines").join(self.side.name())
    }
}

/// Copies a program as far as it is loaded: what debuggers need is as large again.
fn copy_loaded(from: &Path, to: &Path) -> io::Result<()> {
    let mut program = File::open(from)?;
    let mut headers = Vec::new();
    program.by_ref().take(HEADERS).read_to_end(&mut headers)?;
    program.rewind()?;
    let length = engine_code::loaded_bytes(&headers).unwrap_or(u64::MAX);
    io::copy(&mut program.take(length), &mut File::create(to)?)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::record::Side;

    fn side(side: Side, engine: &Path, work: &Path) -> Surroundings {
        let (engine, ponds, work) = (engine.to_owned(), work.join("ponds"), work.to_owned());
        Surroundings { side, engine, ponds, work, fault: "" }
    }

    #[test]
    fn copies_run_as_the_program_does() {
        let folder = tempfile::tempdir().unwrap();
        // The program with what a debugger reads appended, as a linker would.
        let own = fs::read("/proc/self/exe").unwrap();
        let engine = folder.path().join("pond");
        fs::copy("/proc/self/exe", &engine).unwrap();
        let list = |program: &Path| Command::new(program).arg("--list").output().unwrap().stdout;
        let said = list(&engine);
        assert!(!said.is_empty());
        let sides = [side(Side::Base, &engine, folder.path()), side(Side::Head, &engine, folder.path())];
        for round in 0..2 {
            let copied = anew(sides.each_ref(), 7, round).unwrap();
            assert_ne!(copied[0].engine, copied[1].engine);
            for copy in &copied {
                assert_eq!(copy.engine.file_name(), engine.file_name());
                assert!(fs::metadata(&copy.engine).unwrap().len() < own.len() as u64);
                assert_eq!(list(&copy.engine), said);
            }
        }
    }

    #[test]
    fn what_is_no_binary_is_copied_whole() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("engine");
        fs::write(&script, "#!/bin/sh\nexit 0\n").unwrap();
        let [copied] = anew([&side(Side::Head, &script, folder.path())], 7, 0).unwrap();
        assert_eq!(fs::read(&copied.engine).unwrap(), fs::read(&script).unwrap());
        let missing = side(Side::Head, &folder.path().join("gone"), folder.path());
        let said = format!("{:#}", anew([&missing], 7, 0).unwrap_err());
        assert!(said.contains("gone to"), "{said}");
    }
}
