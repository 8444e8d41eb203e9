//! Whether two engines differ in nothing but line numbers: a comment more changes those, and no instruction.
//!
//! Everything that is loaded must be equal, byte by byte, apart from the number of the build and from line and column
//! of places in the source, which panics and expectations name. Such a place is known by its form: a relocated pointer
//! to the name of a Rust file, the length of the name, line and column (`core::panic::Location`).

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context as _;
use object::Endianness;
use object::elf::{FileHeader64, PT_LOAD, R_AARCH64_RELATIVE, R_X86_64_RELATIVE, SHF_ALLOC, SHT_NOBITS};
use object::read::elf::{FileHeader as _, ProgramHeader as _, Rela as _, SectionHeader as _};

/// The section that holds the number of the build.
const BUILD_ID: &[u8] = b".note.gnu.build-id";

/// Bytes of a place in the source: pointer, length, line, column.
const PLACE_BYTES: u64 = 24;

/// Where line and column are in it.
const NUMBERS: std::ops::Range<u64> = 16..PLACE_BYTES;

/// Tells whether two binaries differ only in line numbers; what is no ELF file of 64 bits is never said to.
pub(crate) fn is_same(a: &Path, b: &Path) -> anyhow::Result<bool> {
    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let (a, b) = (read(a)?, read(b)?);
    match (Code::of(&a), Code::of(&b)) {
        (Some(a), Some(b)) => Ok(a.is_same(&b)),
        _ => Ok(false),
    }
}

/// Returns how many bytes of a binary are loaded, from its first one on, by its headers; nothing if it is no ELF file of 64
/// bits.
pub(crate) fn loaded_bytes(headers: &[u8]) -> Option<u64> {
    let header = FileHeader64::<Endianness>::parse(headers).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, headers).ok()?.iter();
    let loaded = segments.filter(|segment| segment.p_type(endian) == PT_LOAD);
    loaded.map(|segment| segment.p_offset(endian).saturating_add(segment.p_filesz(endian))).max()
}

/// A section that is loaded.
#[derive(Clone, Copy, PartialEq)]
struct Section<'a> {
    name: &'a [u8],
    address: u64,
    bytes: &'a [u8],
    /// Those that are zero when it is loaded have no bytes.
    size: u64,
}

/// What is loaded of a binary.
struct Code<'a> {
    sections: Vec<Section<'a>>,
    /// Pointers that the loader sets: where they are, and what they point to.
    pointers: HashMap<u64, u64>,
}

impl<'a> Code<'a> {
    fn of(binary: &'a [u8]) -> Option<Self> {
        let header = FileHeader64::<Endianness>::parse(binary).ok()?;
        let endian = header.endian().ok()?;
        let table = header.sections(endian, binary).ok()?;
        let mut sections = Vec::new();
        let mut pointers = HashMap::new();
        for section in table.iter() {
            let (address, size) = (section.sh_addr(endian), section.sh_size(endian));
            if !section.sh_flags(endian).contains(SHF_ALLOC) {
                continue;
            }
            let name = table.section_name(endian, section).ok()?;
            let bytes = if section.sh_type(endian) == SHT_NOBITS {
                &[]
            } else {
                section.data(endian, binary).ok()?
            };
            sections.push(Section { name, address, bytes, size });
            if let Some((relocations, _)) = section.rela(endian, binary).ok()? {
                let relative = relocations.iter().filter(|relocation| {
                    [R_X86_64_RELATIVE, R_AARCH64_RELATIVE].contains(&relocation.r_type(endian, false))
                });
                pointers.extend(
                    relative
                        .map(|relocation| (relocation.r_offset(endian), relocation.r_addend(endian) as u64)),
                );
            }
        }
        Some(Self { sections, pointers })
    }

    fn is_same(&self, other: &Self) -> bool {
        self.sections.len() == other.sections.len()
            && self.pointers == other.pointers
            && self.sections.iter().zip(&other.sections).all(|(a, b)| {
                let alike =
                    (a.name, a.address, a.size, a.bytes.len()) == (b.name, b.address, b.size, b.bytes.len());
                alike && (a.bytes == b.bytes || a.name == BUILD_ID || self.differ_in_numbers(a, b))
            })
    }

    /// Tells whether two sections differ only where the numbers of places in the source are.
    fn differ_in_numbers(&self, a: &Section<'_>, b: &Section<'_>) -> bool {
        let words = a.bytes.chunks(4).zip(b.bytes.chunks(4)).enumerate();
        let mut differing = words.filter(|(_, (a, b))| a != b);
        differing.all(|(word, _)| {
            let at = a.address + 4 * word as u64;
            NUMBERS.step_by(4).any(|number| at.checked_sub(number).is_some_and(|place| self.is_place(place)))
        })
    }

    /// Tells whether there is a place in the source at an address.
    fn is_place(&self, address: u64) -> bool {
        let name = || {
            let pointer = *self.pointers.get(&address)?;
            let length = u64::from_le_bytes(self.bytes(address + 8, 8)?.try_into().ok()?);
            self.bytes(pointer, length)
        };
        name().is_some_and(|name| name.ends_with(b".rs") && name.is_ascii())
    }

    fn bytes(&self, address: u64, length: u64) -> Option<&'a [u8]> {
        let end = address.checked_add(length)?;
        let holds = |section: &&Section<'_>| {
            section.address <= address && end <= section.address + section.bytes.len() as u64
        };
        let section = self.sections.iter().find(holds)?;
        let begin = (address - section.address) as usize;
        section.bytes.get(begin..begin + length as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"src/lib.rs";

    /// The name, address and bytes of a section.
    type Loaded = (&'static [u8], u64, Vec<u8>);

    /// Code with one instruction, one place in the source, and the name of its file.
    fn code(instruction: u8, line: u32, limit: u32) -> Vec<Loaded> {
        let mut places = vec![0; 8];
        places.extend((FILE.len() as u64).to_le_bytes());
        places.extend([line, 7].map(u32::to_le_bytes).concat());
        places.extend(limit.to_le_bytes());
        vec![
            (b".text", 0x1000, vec![instruction]),
            (b".rodata", 0x2000, FILE.to_vec()),
            (b".data.rel.ro", 0x3000, places),
            (BUILD_ID, 0x4000, vec![instruction, line as u8]),
        ]
    }

    fn is_same(a: &[Loaded], b: &[Loaded]) -> bool {
        fn of<'a>(sections: &'a [Loaded]) -> Code<'a> {
            let section = |(name, address, bytes): &'a Loaded| Section {
                name,
                address: *address,
                bytes,
                size: bytes.len() as u64,
            };
            Code { sections: sections.iter().map(section).collect(), pointers: [(0x3000, 0x2000)].into() }
        }
        of(a).is_same(&of(b))
    }

    #[test]
    fn line_numbers_are_no_difference() {
        assert!(is_same(&code(1, 10, 5), &code(1, 10, 5)));
        assert!(is_same(&code(1, 10, 5), &code(1, 11, 5)));
    }

    #[test]
    fn anything_else_is_one() {
        let whole = code(1, 10, 5);
        assert!(!is_same(&whole, &code(2, 10, 5)), "an instruction");
        assert!(!is_same(&whole, &code(1, 10, 6)), "a constant behind a place");
        let check = |change: &dyn Fn(&mut Vec<Loaded>), what: &str| {
            let mut other = code(1, 10, 5);
            change(&mut other);
            assert!(!is_same(&whole, &other), "{what}");
        };
        check(&|code| code[1].2[0] = b't', "the name of a file");
        check(&|code| code[2].2[8] = 9, "the length of a name");
        check(&|code| code[2].2.push(0), "a byte more");
        check(&|code| code[0].1 = 0x1010, "another address");
        check(&|code| drop(code.pop()), "a section less");
    }

    #[test]
    fn a_program_is_its_own_code() {
        let own = std::env::current_exe().unwrap();
        assert!(super::is_same(&own, &own).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let text = folder.path().join("text");
        std::fs::write(&text, "no program").unwrap();
        assert!(!super::is_same(&own, &text).unwrap());
    }
}
