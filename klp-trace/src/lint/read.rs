//! Makes [`Facts`] of a module's file.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::num::NonZero;

use object::elf;

use super::facts::{
    Facts, Gate, Section, Signs, Span, Split, Step, Stray, Symbol, Symbols, Target, Unfinished,
};
use super::listed::Listed;
use crate::elf::built_for::BuiltFor;
use crate::elf::module::{self, Module, Relas};
use crate::elf::{Error, Rule, builders, klp, limits, names};
use crate::model::escape::escape;

impl<'a> Facts<'a> {
    /// The livepatch side of a module.
    pub fn of(module: &Module<'a>, objects: Listed) -> Result<Self, Error> {
        let mut met = Met::new(module);
        let mut sections = Vec::new();
        for found in module.klp_sections() {
            sections.extend(section(module, found.index, found.relas, &mut met));
        }
        for found in module.unmarked() {
            // Ordinary to the kernel: its entries are counted, no more.
            let relas = module.relas(found.index).unwrap_or_default();
            sections.extend(section(module, found.index, relas, &mut met));
        }
        let (strays, written) = ordinary(module)?;
        Ok(Self {
            machine: module.machine(),
            marked: module.is_livepatch(),
            built_for: built_for(module),
            symtab: module.symtab_index(),
            symbol_count: module.symbol_count(),
            sections,
            symbols: met.read(module),
            leftovers: module.arch_leftovers().map(|s| (s.index, names::display(s.name))).collect(),
            strays,
            written,
            objects,
            unfinished: unfinished(module),
        })
    }
}

/// The kernel of its vermagic.
fn built_for(module: &Module<'_>) -> BuiltFor {
    let vermagic = module.info(b"vermagic").unwrap_or_default();
    let release = vermagic.split(|b| *b == b' ').next().unwrap_or_default();
    BuiltFor::release(&names::display(release.get(..RELEASE_BYTES).unwrap_or(release)))
}

/// Bytes of a release that are looked at: `uname` has 64.
const RELEASE_BYTES: usize = 64;

/// One pass over a section's entries: which symbols they refer to, and whether any rule has something to look at.
fn section<'a>(module: &Module<'a>, index: u32, relas: Relas<'a>, met: &mut Met) -> Option<Section<'a>> {
    let header = module.section(index)?;
    let target = module.section(header.info).filter(|t| t.index != 0);
    let mut section = Section {
        index,
        name: names::display(header.name),
        gate: klp::section_object(header.name).map(|object| gate(header.name, object)),
        sh_type: header.sh_type,
        flags: header.flags,
        size: header.size,
        entsize: header.entsize,
        link: header.link,
        info: header.info,
        target: target.map(|t| Target {
            name: names::display(t.name),
            sh_type: t.sh_type,
            flags: t.flags,
            size: t.size,
        }),
        entries: relas,
        symbols: Vec::new(),
        signs: Signs::default(),
        bytes: target.map_or(&[], |t| module.bytes(t.index)),
        big_endian: module.is_big_endian(),
    };
    let (mut signs, mut furthest) = (Signs::default(), 0u64);
    let mut sizes = [None; 64];
    for (rtype, size) in (0u32..).zip(&mut sizes) {
        *size = module.reloc_type(rtype).map(|t| u64::from(t.size));
    }
    met.sections += 1;
    for entry in relas.iter() {
        // Those that are common are looked up once.
        let known = match usize::try_from(entry.rtype).ok().and_then(|rtype| sizes.get(rtype)) {
            Some(size) => *size,
            None => module.reloc_type(entry.rtype).map(|t| u64::from(t.size)),
        };
        let size = known.unwrap_or(0);
        signs.note(Signs::UNKNOWN_TYPE, known.is_none());
        if size > 0 {
            signs.note(Signs::OUTSIDE, section.is_outside(&entry, size));
            signs.note(Signs::NOT_ZERO, section.is_nonzero(&entry, size));
            signs.note(Signs::OUT_OF_ORDER, entry.offset < furthest);
            furthest = furthest.max(entry.offset.saturating_add(size));
        }
        match met.is_new(entry.symbol) {
            Some(true) => section.symbols.push(entry.symbol),
            Some(false) => {}
            None => signs.note(Signs::NO_SYMBOL, true),
        }
    }
    section.symbols.sort_unstable();
    Some(Section { signs, ..section })
}

fn gate(name: &[u8], object: &[u8]) -> Gate {
    Gate {
        object: names::display(object),
        // What follows a whole object is a dot, or nothing.
        cut: name.get(b".klp.rela.".len() + object.len()).is_some_and(|b| *b != b'.'),
    }
}

/// The symbols that were met, with the number of the section that met each last; 0: none has.
struct Met {
    by: Vec<u32>,
    sections: u32,
}

impl Met {
    fn new(module: &Module<'_>) -> Self {
        Self { by: vec![0; usize::try_from(module.symbol_count()).unwrap_or(0)], sections: 0 }
    }

    /// Whether the present section meets a symbol for the first time; `None`: the table has no such symbol.
    fn is_new(&mut self, index: u32) -> Option<bool> {
        let by = self.by.get_mut(usize::try_from(index).ok()?)?;
        Some(std::mem::replace(by, self.sections) != self.sections)
    }

    /// Reads each of them once.
    fn read<'a>(&self, module: &Module<'a>) -> Symbols<'a> {
        let met = || (0u32..).zip(&self.by).filter(|(_, by)| **by != 0);
        let mut all = Vec::with_capacity(met().count());
        all.extend(met().filter_map(|(index, _)| module.symbol(index)).map(symbol));
        Symbols(all)
    }
}

fn symbol(found: module::Symbol<'_>) -> Symbol<'_> {
    // The longest that the kernel can parse fits with room to spare; of a longer one, the beginning tells which.
    let limit = usize::try_from(limits::SYMBOL_NAME_BYTES).unwrap_or(usize::MAX);
    let raw = match found.name {
        Some(name) if name.len() > limit => {
            format!("{}…", names::display(name.get(..limit).unwrap_or_default())).into()
        }
        Some(name) => escape(name),
        None => "no name that can be read".into(),
    };
    let split = found.klp_name().and_then(|name| split(&name, matches!(raw, Cow::Borrowed(_))));
    Symbol { index: found.index, raw, shndx: found.shndx, split }
}

/// Where the parts of a name that the kernel can read stand in the escaped name, which may be the name as it is.
fn split(name: &klp::SymbolName<'_>, as_it_is: bool) -> Option<Split> {
    let (object, own) = if as_it_is {
        (name.object.len(), name.name.len())
    } else {
        (escape(name.object).len(), escape(name.name).len())
    };
    let bytes = |count: usize| NonZero::new(u16::try_from(count).ok()?);
    Some(Split { object: bytes(object)?, name: bytes(own)?, sympos: name.sympos })
}

/// The steps of the build that were not run.
fn unfinished(module: &Module<'_>) -> Vec<Unfinished> {
    let mut found = Vec::new();
    let mut note = |step, left: &[u8]| {
        let at = found.iter().position(|u: &Unfinished| u.step == step).unwrap_or_else(|| {
            found.push(Unfinished { step, left: Vec::new(), count: 0 });
            found.len() - 1
        });
        let Some(unfinished) = found.get_mut(at) else { return };
        unfinished.count += 1;
        if unfinished.left.len() < NAMED {
            let limit = usize::try_from(limits::SYMBOL_NAME_BYTES).unwrap_or(usize::MAX);
            unfinished.left.push(names::display(left.get(..limit).unwrap_or(left)));
        }
    };
    for symbol in module.symbols().filter(|s| s.shndx == elf::SHN_UNDEF.0) {
        let Some(name) = symbol.name else { continue };
        if name.starts_with(b".klp.sym.rela.") {
            note(Step::KlpConvert, name);
        } else if name.starts_with(klp::SYMBOL_PREFIX.as_bytes()) {
            note(Step::Conversion, name);
        }
    }
    for section in module.sections().iter().filter(|s| s.size > 0 && s.sh_type != elf::SHT_RELA.0) {
        if builders::is_input_of_kpatch(section.name) {
            note(Step::CreateKlpModule, section.name);
        } else if builders::is_input_of_klp_convert(section.name) {
            note(Step::KlpConvert, section.name);
        }
    }
    found
}

/// Leftovers that are named; the others are counted.
const NAMED: usize = 4;

/// What ordinary relocations of loaded sections have to do with livepatch.
fn ordinary(module: &Module<'_>) -> Result<(Vec<Stray>, Vec<Span>), Error> {
    let own: BTreeSet<u32> =
        module.klp_sections().iter().map(|s| s.index).chain(module.unmarked().map(|s| s.index)).collect();
    let targets: BTreeSet<u32> = module.klp_sections().iter().filter_map(|s| s.target).collect();
    let is_klp = |index| module.symbol_shndx(index) == Some(klp::SHN_LIVEPATCH);
    let any_klp = (1..u32::try_from(module.symbol_count()).unwrap_or(u32::MAX)).any(is_klp);
    let (mut strays, mut written) = (Vec::new(), Vec::new());
    let mut read = 0u64;
    for section in module.sections().iter().filter(|s| s.sh_type == elf::SHT_RELA.0) {
        let target = module.section(section.info);
        // What builders leave behind refers to livepatch symbols by its nature, and nobody reads it.
        let loaded = target.is_some_and(|t| t.is_alloc() && !builders::is_left_over(t.name));
        let concerned = targets.contains(&section.info) || any_klp;
        if !loaded || !concerned || own.contains(&section.index) {
            continue;
        }
        // Sections may share their bytes: what is read is bounded, not only the file.
        read = read.saturating_add(section.size / 24);
        if read > limits::KLP_RELOCATIONS {
            let rule =
                Rule::TooMany { what: "relocations of loaded sections", limit: limits::KLP_RELOCATIONS };
            return Err(Error::at(module.path(), section.offset, rule));
        }
        for rela in module.relas(section.index)?.iter() {
            let size = module.reloc_type(rela.rtype).map_or(0, |t| t.size);
            if size == 0 {
                continue;
            }
            if is_klp(rela.symbol) {
                let raw = module.symbol(rela.symbol).and_then(|s| s.name).map(names::display);
                strays.push(Stray {
                    section: section.index,
                    name: names::display(section.name),
                    index: rela.index,
                    symbol: (rela.symbol, raw.unwrap_or_default()),
                });
            }
            if targets.contains(&section.info) {
                written.push(Span {
                    target: section.info,
                    offset: rela.offset,
                    size: size.into(),
                    section: section.index,
                    index: rela.index,
                });
            }
        }
    }
    Ok((strays, written))
}
