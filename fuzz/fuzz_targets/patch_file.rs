//! Any bytes as the file of a livepatch and as that of a module: an answer or an error, never a panic, and what is
//! answered holds together.
#![no_main]

use std::collections::BTreeSet;
use std::path::Path;

use klp_trace::elf::compressed::{self, Format};
use klp_trace::elf::matching::{self, Loaded, Rela};
use klp_trace::elf::module::Module;
use klp_trace::elf::symbols::ObjectFile;
use klp_trace::elf::{PatchFile, klp, modinfo, names, notes};
use libfuzzer_sys::fuzz_target;

/// Small enough that a bomb takes milliseconds.
const DECOMPRESSED: u64 = 4 << 20;

fuzz_target!(|data: &[u8]| {
    let path = Path::new("fuzz-input.ko.xz");
    // As long as the longest name that the kernel holds; the whole would cost more than all the rest.
    loose(data.get(..512).unwrap_or(data));
    let unpacked;
    let elf = match Format::of(data) {
        None => data,
        Some(format) => match compressed::decompress_within(format, data, DECOMPRESSED) {
            Ok(bytes) => {
                assert!(bytes.len() as u64 <= DECOMPRESSED);
                unpacked = bytes;
                &unpacked
            }
            Err(rule) => return plain(&rule.to_string()),
        },
    };
    let mut wanted = BTreeSet::from(["ordinary".to_owned(), "veth_setup".to_owned()]);
    match PatchFile::parse(elf, path) {
        Ok(patch) => {
            consistent(&patch, elf.len());
            wanted.extend(patch.symbols.values().map(|symbol| symbol.name.clone()));
        }
        Err(error) => plain(&error.to_string()),
    }
    match Module::parse(elf, path, false) {
        Ok(module) => inspected(&module, elf.len(), PatchFile::parse(elf, path).ok()),
        Err(error) => plain(&error.to_string()),
    }
    match ObjectFile::parse(elf, path, &wanted) {
        Ok(object) => {
            let found = wanted.iter().flat_map(|name| object.occurrences(name));
            found.filter_map(|o| o.section.as_deref()).for_each(plain);
        }
        Err(error) => plain(&error.to_string()),
    }
});

/// What `inspect` reads: all of it, and the same as the strict reader where that one takes the file.
fn inspected(module: &Module<'_>, len: usize, strict: Option<PatchFile>) {
    let count = usize::try_from(module.relocation_count()).expect("bounded");
    let seen = module.klp_sections().iter().flat_map(|section| section.relas.iter());
    let rows = seen.filter(|rela| module.symbol(rela.symbol).and_then(|s| s.klp_name()).is_some()).count();
    assert!(rows <= count && module.klp_sections().iter().all(|s| s.relas.len() * 24 <= len));
    module.klp_sections().iter().flat_map(|s| &s.problems).for_each(|rule| plain(&rule.to_string()));
    module.symbols().for_each(|symbol| assert!(symbol.name.is_none_or(|name| name.len() < len)));
    let built = module.built_by();
    assert!(built.sign.is_none_or(|sign| sign.len() < len));
    if let Some(objects) = module.objects() {
        assert!(objects.list.iter().all(|object| !object.name.is_empty()));
    }
    if let Some(strict) = strict {
        assert_eq!(strict.relocation_count(), count);
        assert!(module.is_livepatch() && module.klp_sections().iter().all(|s| s.problems.is_empty()));
    }
}

/// The small readers, on the raw bytes.
fn loose(data: &[u8]) {
    let text = names::display(data);
    plain(&text);
    assert_eq!(names::bytes(&text), data, "escaping loses nothing");
    let _ = notes::build_id(data);
    let _ = modinfo::get(data, b"livepatch");
    if let Some(object) = klp::section_object(data) {
        assert!((1..=55).contains(&object.len()));
    }
    if let Some(symbol) = klp::symbol(data) {
        assert!((1..=55).contains(&symbol.object.len()) && (1..=511).contains(&symbol.name.len()));
    }
}

/// What may be shown on a terminal.
fn plain(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

fn consistent(patch: &PatchFile, len: usize) {
    assert!(patch.relocation_count() * 24 <= len, "each entry has bytes of its own");
    for section in &patch.sections {
        plain(&section.name);
        assert!(!section.object.is_empty());
        for reloc in &section.relocs {
            assert!(patch.symbols.contains_key(&reloc.symbol));
        }
        // A kernel that loaded this file would hold the same.
        let rela = |r: &klp_trace::elf::KlpReloc| {
            (r.index, Rela { offset: r.offset, rtype: r.rtype, addend: r.addend, symbol: r.symbol })
        };
        let loaded = Loaded {
            index: section.index,
            name: Some(section.name.clone()),
            target_index: section.target_index,
            total: u32::try_from(section.relocs.len()).expect("bounded"),
            entries: section.relocs.iter().map(rela).collect(),
            symbols: patch.symbols.values().map(|s| (s.index, s.raw.clone())).collect(),
        };
        assert!(matching::compare(patch, &loaded).agrees());
    }
}
