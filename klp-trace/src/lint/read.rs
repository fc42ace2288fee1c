//! Makes [`Facts`] of a module's file.

use std::collections::{BTreeMap, BTreeSet};

use object::elf;

use super::facts::{Entry, Facts, Gate, Listed, Parts, Section, Span, Stray, Symbol, Target};
use crate::elf::module::{self, Module, Relas};
use crate::elf::{Error, Rule, klp, limits, names};

impl Facts {
    /// The livepatch side of a module.
    pub fn of(module: &Module<'_>, objects: Listed) -> Result<Self, Error> {
        let mut symbols = Symbols::new(module);
        let mut sections = Vec::new();
        for found in module.klp_sections() {
            sections.extend(section(module, found.index, found.relas, &mut symbols));
        }
        for found in module.unmarked() {
            // Ordinary to the kernel: its entries are counted, no more.
            let relas = module.relas(found.index).unwrap_or_default();
            sections.extend(section(module, found.index, relas, &mut symbols));
        }
        let (strays, written) = ordinary(module)?;
        Ok(Self {
            machine: module.machine(),
            marked: module.is_livepatch(),
            symtab: module.symtab_index(),
            symbol_count: module.symbol_count(),
            sections,
            symbols: symbols.read,
            leftovers: module.arch_leftovers().map(|s| (s.index, names::display(s.name))).collect(),
            strays,
            written,
            objects,
        })
    }
}

fn section(
    module: &Module<'_>,
    index: u32,
    relas: Relas<'_>,
    symbols: &mut Symbols<'_, '_>,
) -> Option<Section> {
    let header = module.section(index)?;
    let target = module.section(header.info).filter(|t| t.index != 0);
    let bytes = target.map_or(&[][..], |t| module.bytes(t.index));
    let mut entries = Vec::with_capacity(relas.len());
    for rela in relas.iter() {
        symbols.read(rela.symbol);
        let size = module.reloc_type(rela.rtype).map_or(0, |t| t.size);
        entries.push(Entry {
            index: rela.index,
            offset: rela.offset,
            rtype: rela.rtype,
            symbol: rela.symbol,
            nonzero: nonzero(bytes, rela.offset, size),
        });
    }
    Some(Section {
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
        entries,
    })
}

fn gate(name: &[u8], object: &[u8]) -> Gate {
    Gate {
        object: names::display(object),
        // What follows a whole object is a dot, or nothing.
        cut: name.get(b".klp.rela.".len() + object.len()).is_some_and(|b| *b != b'.'),
    }
}

/// The symbols that were met, each read once.
struct Symbols<'m, 'a> {
    module: &'m Module<'a>,
    met: Vec<bool>,
    read: BTreeMap<u32, Symbol>,
}

impl<'m, 'a> Symbols<'m, 'a> {
    fn new(module: &'m Module<'a>) -> Self {
        let count = usize::try_from(module.symbol_count()).unwrap_or(0);
        Self { module, met: vec![false; count], read: BTreeMap::new() }
    }

    /// Reads a symbol; one that the table does not have is left out.
    fn read(&mut self, index: u32) {
        let Some(met) = usize::try_from(index).ok().and_then(|at| self.met.get_mut(at)) else { return };
        if std::mem::replace(met, true) {
            return;
        }
        let Some(symbol) = self.module.symbol(index) else { return };
        // The longest that the kernel can parse fits with room to spare; of a longer one, the beginning tells which.
        let limit = usize::try_from(limits::SYMBOL_NAME_BYTES).unwrap_or(usize::MAX);
        let raw = match symbol.name {
            Some(name) if name.len() > limit => {
                format!("{}…", names::display(name.get(..limit).unwrap_or_default()))
            }
            Some(name) => names::display(name),
            None => "no name that can be read".to_owned(),
        };
        let parts = symbol.klp_name().map(|name| Parts {
            object: names::display(name.object),
            name: names::display(name.name),
            sympos: name.sympos,
        });
        self.read.insert(index, Symbol { raw, shndx: symbol.shndx, parts });
    }
}

/// What ordinary relocations of loaded sections have to do with livepatch.
fn ordinary(module: &Module<'_>) -> Result<(Vec<Stray>, Vec<Span>), Error> {
    let own: BTreeSet<u32> =
        module.klp_sections().iter().map(|s| s.index).chain(module.unmarked().map(|s| s.index)).collect();
    let targets: BTreeSet<u32> = module.klp_sections().iter().filter_map(|s| s.target).collect();
    let livepatch: BTreeSet<u32> = module.symbols().filter(module::Symbol::is_klp).map(|s| s.index).collect();
    let (mut strays, mut written) = (Vec::new(), Vec::new());
    let mut read = 0u64;
    for section in module.sections().iter().filter(|s| s.sh_type == elf::SHT_RELA.0) {
        let loaded = module.section(section.info).is_some_and(module::Section::is_alloc);
        let concerned = targets.contains(&section.info) || !livepatch.is_empty();
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
            if livepatch.contains(&rela.symbol) {
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

/// Whether one of the bytes at `offset` is not zero; there is none past the end.
fn nonzero(bytes: &[u8], offset: u64, size: u8) -> bool {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let written = bytes.get(start..).unwrap_or_default();
    written.iter().take(size.into()).any(|b| *b != 0)
}
