//! Which functions the compiler has put into others, by the line tables of a binary.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use addr2line::Loader;

/// The names of the functions at a place in a binary, each looked up once.
pub(super) trait Inlined {
    /// Tells whether a function of this name lies at a place, inlined into another or not.
    fn holds(&mut self, place: u64, name: &str) -> bool;
}

/// The line tables of a binary.
pub(super) struct LineTables {
    loader: Option<Loader>,
    segments: Vec<Segment>,
    known: BTreeMap<u64, Vec<String>>,
}

impl LineTables {
    /// Opens a binary; one without line tables holds nothing.
    pub(super) fn open(binary: &Path) -> Self {
        Self { loader: Loader::new(binary).ok(), segments: segments(binary), known: BTreeMap::new() }
    }

    fn look_up(&self, place: u64) -> Vec<String> {
        let mut names = Vec::new();
        let Some(address) = address(&self.segments, place) else { return names };
        let frames = self.loader.as_ref().and_then(|loader| loader.find_frames(address).ok());
        let Some(mut frames) = frames else { return names };
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref().and_then(|function| function.raw_name().ok());
            names.extend(name.map(|name| name.into_owned()));
        }
        names
    }
}

impl Inlined for LineTables {
    fn holds(&mut self, place: u64, name: &str) -> bool {
        if !self.known.contains_key(&place) {
            let names = self.look_up(place);
            self.known.insert(place, names);
        }
        self.known[&place].iter().any(|other| other == name)
    }
}

/// A part of a binary that is loaded as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    offset: u64,
    address: u64,
    bytes: u64,
}

/// Returns the address of a place: perf names places by where they are in the file, line tables by where they are
/// loaded.
fn address(segments: &[Segment], place: u64) -> Option<u64> {
    let holds = |segment: &&Segment| (segment.offset..segment.offset + segment.bytes).contains(&place);
    segments.iter().find(holds).map(|segment| place - segment.offset + segment.address)
}

fn segments(binary: &Path) -> Vec<Segment> {
    let mut bytes = Vec::new();
    // Program headers follow the header of the file.
    match File::open(binary).and_then(|file| file.take(1 << 16).read_to_end(&mut bytes)) {
        Ok(_) => parse_segments(&bytes).unwrap_or_default(),
        Err(_) => Vec::new(),
    }
}

/// Reads the program headers of a 64-bit ELF file in little-endian order, which is what Linux runs here.
fn parse_segments(bytes: &[u8]) -> Option<Vec<Segment>> {
    const LOADED: u64 = 1;
    let number = |place: usize, width: usize| -> Option<u64> {
        let field = bytes.get(place..place.checked_add(width)?)?;
        Some(field.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    if bytes.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let mut segments = Vec::new();
    for index in 0..count {
        let at = usize::try_from(table.checked_add(size * index)?).ok()?;
        if number(at, 4)? == LOADED {
            segments.push(Segment {
                offset: number(at + 8, 8)?,
                address: number(at + 16, 8)?,
                bytes: number(at + 32, 8)?,
            });
        }
    }
    Some(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_become_addresses() {
        let segments = [
            Segment { offset: 0, address: 0, bytes: 0x100 },
            Segment { offset: 0x100, address: 0x1100, bytes: 8 },
        ];
        let check = |place, expect| assert_eq!(address(&segments, place), expect, "{place:x}");
        check(0x10, Some(0x10));
        check(0x104, Some(0x1104));
        check(0x108, None);
    }

    #[test]
    fn what_is_no_binary_holds_nothing() {
        assert_eq!(parse_segments(b"#!/bin/sh"), None);
        assert_eq!(parse_segments(b"\x7fELF\x02\x01"), None);
        let folder = tempfile::tempdir().unwrap();
        let mut tables = LineTables::open(&folder.path().join("absent"));
        assert!(!tables.holds(1, "measured"));
    }

    #[test]
    fn a_binary_knows_its_own_functions() {
        let binary = std::env::current_exe().unwrap();
        let tables = LineTables::open(&binary);
        assert!(tables.segments.iter().any(|segment| segment.bytes > 0));
        assert!(tables.loader.is_some());
    }
}
