//! The names a shared library exports: what `dlsym` finds. Read from the
//! section headers of a 64-bit little-endian file, which is what both supported
//! architectures have; a library for this alone would be larger than the rest.

/// The exported, defined names; `None` if this is no such file.
pub(super) fn exports(file: &[u8]) -> Option<Vec<String>> {
    // e_ident: magic, ELFCLASS64, ELFDATA2LSB.
    if file.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let sections = usize::try_from(number(file, 0x28, 8)?).ok()?;
    let size = usize::try_from(number(file, 0x3a, 2)?).ok()?;
    let count = usize::try_from(number(file, 0x3c, 2)?).ok()?;
    let section = |index: usize| {
        let start = sections.checked_add(index.checked_mul(size)?)?;
        file.get(start..start.checked_add(SECTION_HEADER)?)
    };
    let dynamic = (0..count)
        .filter_map(section)
        .find(|header| number(header, 4, 4) == Some(SHT_DYNSYM))?;
    let names = section(usize::try_from(number(dynamic, 0x28, 4)?).ok()?)?;
    let (symbols, names) = (content(file, dynamic)?, content(file, names)?);
    Some(
        symbols
            .chunks_exact(SYMBOL)
            .filter_map(|symbol| defined_name(symbol, names))
            .collect(),
    )
}

const SECTION_HEADER: usize = 64;
const SYMBOL: usize = 24;
const SHT_DYNSYM: u64 = 11;

fn content<'a>(file: &'a [u8], header: &[u8]) -> Option<&'a [u8]> {
    let start = usize::try_from(number(header, 0x18, 8)?).ok()?;
    let length = usize::try_from(number(header, 0x20, 8)?).ok()?;
    file.get(start..start.checked_add(length)?)
}

fn defined_name(symbol: &[u8], names: &[u8]) -> Option<String> {
    let is_defined = number(symbol, 6, 2)? != 0;
    let is_global = matches!(symbol.get(4)? >> 4, 1 | 2);
    let name = names.get(usize::try_from(number(symbol, 0, 4)?).ok()?..)?;
    let end = name.iter().position(|byte| *byte == 0)?;
    let name = String::from_utf8_lossy(name.get(..end)?).into_owned();
    (is_defined && is_global && !name.is_empty()).then_some(name)
}

fn number(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |sum: u64, byte| (sum << 8) | u64::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_c_library_exports_what_it_should_and_takes_what_it_does_not() {
        let library = std::fs::read_dir("/lib")
            .unwrap()
            .flatten()
            .map(|entry| entry.path().join("libpam.so.0"))
            .find(|library| library.exists())
            .expect("libpam is needed to build");
        let exported = exports(&std::fs::read(library).unwrap()).unwrap();
        assert!(exported.iter().any(|name| name == "pam_start"));
        assert!(!exported.iter().any(|name| name == "malloc"));
    }

    #[test]
    fn what_is_cut_or_changed_is_read_without_harm() {
        let program = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(exports(b""), None);
        assert_eq!(exports(b"#!/bin/sh\n"), None);
        for end in 0..200 {
            let _ = exports(&program[..end]);
        }
        let mut head = program[..4096].to_vec();
        for at in 0..64 {
            head[at] = !head[at];
            let _ = exports(&head);
            head[at] = !head[at];
        }
    }
}
