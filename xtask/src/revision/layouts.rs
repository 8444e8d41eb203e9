//! Two engines of one revision, each linked several times with its functions in random orders.
//!
//! In every layout the functions that both engines have alike come first, in an order that both share. So they lie at the
//! same places, and what differs between the two engines is what was meant to differ, and where that lies.

use std::collections::BTreeMap;
use std::os::unix::fs::{DirEntryExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

use super::git::Worktree;
use super::{Layout, Revision};
use crate::engine_store::{BuildLock, OwnBinary};
use crate::exit::{Exit, Stop};
use crate::paths::Paths;
use crate::{engine_build, interrupt, random};

/// Two engines in several layouts.
#[derive(Debug)]
pub(crate) struct Layouts {
    /// The binaries of both, by layout.
    pub(crate) engines: Vec<[PathBuf; 2]>,
    /// The share of the second engine's code that lies where it does in the first, in the first layout; of functions with
    /// a name of their own.
    pub(crate) alike: f64,
}

impl Revision {
    /// Builds two engines in some layouts, into a folder; they are of no use but together, so none is kept. Only the first
    /// build of each takes long: after it they are linked anew.
    pub(crate) fn build_layouts(
        &self,
        paths: &Paths,
        sides: [(&str, Layout); 2],
        count: u32,
        folder: &Path,
    ) -> anyhow::Result<Layouts> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let _lock = BuildLock::take(paths)?;
        let worktree = Worktree::check_out(paths, &self.tree)?;
        let own = OwnBinary::put_aside(paths)?;
        let link = |(name, layout): (&str, Layout), seed, first: &[&[u8]]| {
            let options = folder.join(format!("options-{seed}"));
            write_options(&options, seed, first)
                .with_context(|| format!("cannot write {}", options.display()))?;
            let options = format!("-Clink-arg=@{}", options.display());
            let for_binary = [options.as_str(), "-Cstrip=debuginfo"];
            let built = engine_build::build_at(paths, worktree.path(), &layout.arguments(), &for_binary);
            interrupt::check()?;
            let built =
                built.map_err(|error| Stop::error(Exit::Failed, format!("{}: {error:#}", self.name)))?;
            let engine = folder.join(format!("{name}-{seed}"));
            std::fs::copy(&built, &engine)
                .and_then(|_| remove_linked(&built))
                .with_context(|| format!("cannot move the engine to {}", engine.display()))?;
            Ok::<_, anyhow::Error>(engine)
        };
        let link_both = |seed, first: &[&[u8]]| {
            Ok::<_, anyhow::Error>([link(sides[0], seed, first)?, link(sides[1], seed, first)?])
        };
        eprintln!("building the engine of {} {} and {} counters", self.name, sides[0].0, sides[1].0);
        // Which functions an engine has is known when it is linked.
        let probes = link_both(0, &[])?;
        let binaries = read(&probes)?;
        let shared = Functions::of(&binaries[1])?.as_long_in(&Functions::of(&binaries[0])?);
        let mut engines = Vec::new();
        for seed in 1..=count {
            eprintln!("linking both engines, layout {seed} of {count}");
            engines.push(link_both(seed, &random::shuffled(shared.clone(), u64::from(seed), 0))?);
        }
        own.restore()?;
        for probe in &probes {
            std::fs::remove_file(probe)?;
        }
        let binaries = read(&engines[0])?;
        let alike = Functions::of(&binaries[1])?.share_placed_as_in(&Functions::of(&binaries[0])?);
        Ok(Layouts { engines, alike })
    }
}

fn read(engines: &[PathBuf; 2]) -> anyhow::Result<[Vec<u8>; 2]> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    Ok([read(&engines[0])?, read(&engines[1])?])
}

/// Writes what the linker is to do: some functions first, the others shuffled, all of them from the start of a page.
fn write_options(path: &Path, seed: u32, first: &[&[u8]]) -> std::io::Result<()> {
    let order = path.with_extension("order");
    std::fs::write(&order, first.join(&b'\n'))?;
    let options = format!(
        "-Wl,--shuffle-sections=.text*={seed}\n-Wl,--symbol-ordering-file={}\n-Wl,--no-warn-symbol-ordering\n-Wl,-z,separate-code\n",
        order.display()
    );
    std::fs::write(path, options)
}

/// Removes a binary of cargo's, and the same file where cargo keeps what it compiles.
fn remove_linked(binary: &Path) -> std::io::Result<()> {
    let number = std::fs::metadata(binary)?.ino();
    for entry in std::fs::read_dir(binary.with_file_name("deps"))? {
        let entry = entry?;
        if entry.ino() == number {
            std::fs::remove_file(entry.path())?;
        }
    }
    std::fs::remove_file(binary)
}

/// Where a function lies, from the start of the code, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    offset: u64,
    bytes: u64,
}

/// The functions of a binary by name; no place where several have one name.
struct Functions<'a>(BTreeMap<&'a [u8], Option<Place>>);

impl<'a> Functions<'a> {
    fn of(binary: &'a [u8]) -> anyhow::Result<Self> {
        let file: ElfFile64<'_> = ElfFile64::parse(binary).context("the engine is no ELF file of 64 bits")?;
        let code = file.section_by_name(".text").context("the engine has no code")?.address();
        let mut functions = Self(BTreeMap::new());
        for symbol in file.symbols().filter(|symbol| symbol.is_definition() && symbol.size() > 0) {
            if symbol.kind() == SymbolKind::Text {
                let place = Place { offset: symbol.address().wrapping_sub(code), bytes: symbol.size() };
                functions.add(symbol.name_bytes()?, place);
            }
        }
        Ok(functions)
    }

    fn add(&mut self, name: &'a [u8], place: Place) {
        self.0.entry(name).and_modify(|known| *known = None).or_insert(Some(place));
    }

    /// Lists the functions that are as long in another binary.
    fn as_long_in(&self, other: &Self) -> Vec<&'a [u8]> {
        let alike = self.both(other).filter(|(_, [own, others])| own.bytes == others.bytes);
        alike.map(|(name, _)| name).collect()
    }

    /// Returns which share of the code of functions with a name of their own lies where it does in another binary.
    fn share_placed_as_in(&self, other: &Self) -> f64 {
        let alike: u64 =
            self.both(other).filter(|(_, [own, others])| own == others).map(|(_, [own, _])| own.bytes).sum();
        let all: u64 = self.0.values().flatten().map(|place| place.bytes).sum();
        alike as f64 / all.max(1) as f64
    }

    fn both(&self, other: &Self) -> impl Iterator<Item = (&'a [u8], [Place; 2])> {
        self.0.iter().filter_map(|(name, own)| Some((*name, [(*own)?, (*other.0.get(name)?)?])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions(list: &[(&'static str, u64, u64)]) -> Functions<'static> {
        let mut functions = Functions(BTreeMap::new());
        for &(name, offset, bytes) in list {
            functions.add(name.as_bytes(), Place { offset, bytes });
        }
        functions
    }

    #[test]
    fn functions_are_alike_by_name_and_length() {
        let one = functions(&[
            ("same", 0, 60),
            ("moved", 64, 20),
            ("longer", 96, 20),
            ("twice", 128, 5),
            ("twice", 144, 5),
        ]);
        let other = functions(&[
            ("same", 0, 60),
            ("moved", 80, 20),
            ("longer", 96, 24),
            ("twice", 128, 5),
            ("only there", 160, 9),
        ]);
        assert_eq!(one.as_long_in(&other), [b"moved".as_slice(), b"same"]);
        // 60 of 60 + 20 + 20 bytes.
        assert!((one.share_placed_as_in(&other) - 0.6).abs() < 1e-12);
        assert!(one.as_long_in(&functions(&[])).is_empty());
        assert!(functions(&[]).share_placed_as_in(&one).abs() < 1e-12);
    }

    #[test]
    fn the_functions_of_a_binary() {
        let binary = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let functions = Functions::of(&binary).unwrap();
        let main = functions.0[b"main".as_slice()].unwrap();
        assert!(main.bytes > 0 && main.offset < binary.len() as u64, "{main:?}");
        assert_eq!(functions.as_long_in(&functions).len(), functions.0.values().flatten().count());
        assert!((functions.share_placed_as_in(&functions) - 1.0).abs() < 1e-12);
        assert!(Functions::of(b"#!/bin/sh").is_err());
    }
}
