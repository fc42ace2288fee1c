//! Any bytes as the file of a livepatch and as that of a module: an answer or an error, never a panic, and what is
//! answered holds together.
#![no_main]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use klp_trace::elf::compressed;
use klp_trace::elf::matching::{self, Loaded, Rela};
use klp_trace::elf::module::{Module, Objects};
use klp_trace::elf::symbols::ObjectFile;
use klp_trace::elf::{PatchFile, klp, modinfo, names, notes};
use klp_trace::lint::{self, Facts, Listed, Report, sympos};
use klp_trace::output::inspect::{Detail, Format, Printer};
use klp_trace::output::sink::LineSink;
use klp_trace::output::style::Style;
use libfuzzer_sys::fuzz_target;

/// Small enough that a bomb takes milliseconds.
const DECOMPRESSED: u64 = 4 << 20;

fuzz_target!(|data: &[u8]| {
    let path = Path::new("fuzz-input.ko.xz");
    // As long as the longest name that the kernel holds; the whole would cost more than all the rest.
    loose(data.get(..512).unwrap_or(data));
    let unpacked;
    let elf = match compressed::Format::of(data) {
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
    INPUT.with_borrow_mut(|input| {
        input.clear();
        input.extend_from_slice(elf);
    });
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
    let objects = module.objects();
    for object in objects.iter().flat_map(|objects| &objects.list) {
        assert!(!object.name.is_empty());
    }
    let report = linted(module, objects.as_ref());
    shown(module, report.as_ref());
    if let Some(strict) = strict {
        assert_eq!(strict.relocation_count(), count);
        assert!(module.is_livepatch() && module.klp_sections().iter().all(|s| s.problems.is_empty()));
    }
}

/// What lint says: of relocations and sections that are there, in harmless words.
fn linted(module: &Module<'_>, objects: Option<&Objects<'_>>) -> Option<Report> {
    let listed = Listed::of(objects);
    let functions = listed.functions();
    let facts = match Facts::of(module, listed) {
        Ok(facts) => facts,
        Err(error) => {
            plain(&error.to_string());
            return None;
        }
    };
    let mut report = lint::check(&facts);
    // The file stands for that of each object: it has some of the names, and lacks others.
    let mut find = |_: &str, wanted: &dyn Fn() -> BTreeSet<String>| {
        let sections = module.sections().len();
        if sections % 2 == 0 { Err("none".to_owned()) } else { object(module, &wanted()) }
    };
    sympos::check(&facts, &functions, &mut find, &mut report);
    for finding in &report.findings {
        [&finding.what, &finding.kernel, &finding.remedy].into_iter().for_each(|text| plain(text));
        assert!(finding.relocations.is_sorted(), "{finding:?}");
        if let Some(place) = &finding.section {
            let section = module.section(place.index).expect("a section that is there");
            let last = finding.relocations.last().map_or(0, |last| u64::from(*last) + 1);
            assert!(last <= section.size / 24, "{finding:?}");
        }
    }
    Some(report)
}

/// A module read as one that a livepatch patches.
fn object(module: &Module<'_>, wanted: &BTreeSet<String>) -> Result<ObjectFile, String> {
    INPUT.with_borrow(|data| ObjectFile::parse(data, module.path(), wanted)).map_err(|error| error.to_string())
}

thread_local! {
    /// The module that is looked at.
    static INPUT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// Where inspect writes to: in memory, where that can be had.
    static OUT: PathBuf = {
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() { memory } else { std::env::temp_dir() };
        folder.join(format!("klp-trace-fuzz-{}", std::process::id()))
    };
}

/// What inspect writes, in each form: whole lines that a terminal may see; JSON that can be read.
fn shown(module: &Module<'_>, report: Option<&Report>) {
    for (format, detail) in [
        (Format::Text, Detail::Relocations),
        (Format::Text, Detail::Sections),
        (Format::Text, Detail::Wrong),
        (Format::Text, Detail::Summary),
        (Format::Json, Detail::Relocations),
        (Format::Csv, Detail::Relocations),
        (Format::Csv, Detail::Summary),
        (Format::Sarif, Detail::Relocations),
        (Format::Junit, Detail::Relocations),
    ] {
        let text = OUT.with(|path| {
            let sink = LineSink::create(path).expect("a file");
            let mut printer = Printer::new(sink, format, detail, Style::PLAIN).expect("written");
            printer.module(module, report).expect("written");
            printer.finish((0, "clean")).expect("written");
            fs::read_to_string(path).expect("UTF-8")
        });
        text.lines().for_each(plain);
        if format == Format::Json {
            let record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let sections = record["sections"].as_array().into_iter().flatten();
            let relocations: usize = sections.filter_map(|s| s["relocs"].as_array()).map(Vec::len).sum();
            let count = if module.is_livepatch() { module.relocation_count() } else { 0 };
            assert_eq!(relocations as u64, count);
        }
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
