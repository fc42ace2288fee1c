//! KLP015, symbols: what `klp_resolve_symbols()` refuses, and what it does not notice.

use std::collections::BTreeSet;

use super::{About, Rule, Said, before, gathered, gathered_in, malformed, say};
use crate::elf::built_for::{EARLY_VMLINUX, LONG_NAMES};
use crate::elf::klp::SHN_LIVEPATCH;
use crate::lint::facts::{Facts, Section, Signs, Symbol};
use crate::lint::finding::Report;
use crate::lint::kernel::{REBUILD, refused, when};

const EINVAL: &str = "-EINVAL";

/// The symbols of which `wrong` is true: few, while relocations are many.
fn these(facts: &Facts, wrong: impl Fn(&Symbol) -> bool) -> BTreeSet<u32> {
    facts.symbols.iter().filter(|s| wrong(s)).map(|s| s.index).collect()
}

/// The relocations that refer to one of them, by section and symbol.
fn of_symbols<'f>(facts: &'f Facts<'_>, these: &BTreeSet<u32>) -> Vec<(&'f Section<'f>, u32, Vec<u32>)> {
    if these.is_empty() {
        return Vec::new();
    }
    let concerned = facts.livepatch_sections().filter(|s| s.symbols.iter().any(|i| these.contains(i)));
    gathered_in(concerned, |_, e| Some(e.symbol).filter(|symbol| these.contains(symbol)))
}

/// An index that is beyond the symbol table.
pub(super) struct Index;

impl Rule for Index {
    fn about(&self) -> About {
        malformed("symbol-index")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let beyond = gathered(facts, Signs::NO_SYMBOL, |_, e| {
            Some(e.symbol).filter(|s| u64::from(*s) >= facts.symbol_count)
        });
        for (section, symbol, relocations) in beyond {
            let said = Said {
                relocations,
                what: format!("it refers to symbol {symbol}; the symbol table has {}", facts.symbol_count),
                kernel: format!(
                    "does not check the index: {}, it takes what lies behind the symbol table for a symbol, and most \
                     likely refuses it with {EINVAL}",
                    when(section)
                ),
                remedy: format!("the file is damaged, or was made by a broken tool: {REBUILD}"),
                ..Said::of(section)
            };
            report.findings.push(say(self.about(), said));
        }
    }
}

/// A symbol that is not `SHN_LIVEPATCH`.
pub(super) struct NotLivepatch;

impl Rule for NotLivepatch {
    fn about(&self) -> About {
        malformed("symbol-not-livepatch")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let wrong = these(facts, |s| s.shndx != SHN_LIVEPATCH);
        for (section, index, relocations) in of_symbols(facts, &wrong) {
            let Some(symbol) = facts.symbols.get(index) else { continue };
            let kernel = if symbol.shndx == 0 && index != 0 {
                "takes it for an undefined symbol and looks for an exported one of that name when the patch is loaded: \
                 insmod fails with -ENOENT (\"Unknown symbol\")"
                    .to_owned()
            } else {
                format!("{} (\"symbol … is not marked as a livepatch symbol\")", refused(section, EINVAL))
            };
            let said = Said {
                relocations,
                symbol: Some(symbol.raw.to_string()),
                what: format!(
                    "symbol {index} ({}) has st_shndx {:#x}, not SHN_LIVEPATCH ({SHN_LIVEPATCH:#x})",
                    symbol.raw, symbol.shndx
                ),
                kernel,
                remedy: format!("mark the symbol, or move the relocation to an ordinary section; {REBUILD}"),
                ..Said::of(section)
            };
            report.findings.push(say(self.about(), said));
        }
    }
}

/// Bytes of a symbol's name that kernels before 6.1 read (`%127[^,]`).
const SHORT_NAME: usize = 127;

/// A name that is not `.klp.sym.<object>.<symbol>,<sympos>`.
pub(super) struct Name;

impl Rule for Name {
    fn about(&self) -> About {
        malformed("symbol-name")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let long = |s: &Symbol| s.shndx == SHN_LIVEPATCH && s.name_bytes() > SHORT_NAME;
        let is_old = match facts.symbols.iter().find(|s| long(s)) {
            Some(first) => {
                let subject = first.parts().map_or("symbols of more than 127 bytes", |parts| parts.object);
                before(self.about(), LONG_NAMES, subject, facts, report) == Some(true)
            }
            None => false,
        };
        let wrong = these(facts, |s| s.shndx == SHN_LIVEPATCH && (s.parts().is_none() || is_old && long(s)));
        for (section, index, relocations) in of_symbols(facts, &wrong) {
            let Some(symbol) = facts.symbols.get(index) else { continue };
            let said = Said {
                relocations,
                symbol: Some(symbol.raw.to_string()),
                what: format!(
                    "symbol {index} ({}) is not named .klp.sym.<object>.<symbol>,<sympos> within 55 bytes of object and \
                     {} of symbol",
                    symbol.raw,
                    if symbol.parts().is_some() { SHORT_NAME } else { 511 }
                ),
                kernel: format!(
                    "{} (\"symbol … has an incorrectly formatted name\"): it reads the name with \
                     \".klp.sym.%55[^.].%511[^,],%lu\" (%127 before 6.1)",
                    refused(section, EINVAL)
                ),
                remedy: format!("correct the name; {REBUILD}"),
                ..Said::of(section)
            };
            report.findings.push(say(self.about(), said));
        }
    }
}

/// A symbol of vmlinux in a section that is gated on a module.
pub(super) struct OfVmlinux;

impl Rule for OfVmlinux {
    fn about(&self) -> About {
        malformed("vmlinux-symbol-in-module-section")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let wrong = these(facts, |s| s.parts().is_some_and(|parts| parts.object == "vmlinux"));
        let mut found = of_symbols(facts, &wrong);
        found.retain(|(s, ..)| s.module().is_some());
        let Some(module) = found.first().and_then(|(s, ..)| s.module()) else { return };
        if before(self.about(), EARLY_VMLINUX, module, facts, report) != Some(false) {
            return;
        }
        for (section, index, relocations) in found {
            let Some(symbol) = facts.symbols.get(index) else { continue };
            let said = Said {
                relocations,
                symbol: Some(symbol.raw.to_string()),
                what: format!(
                    "{} is a symbol of vmlinux, the section is gated on {}",
                    symbol.raw,
                    section.module().unwrap_or_default()
                ),
                kernel: format!(
                    "{} (\"invalid access to vmlinux symbol\"). Kernels before 5.8 accept it",
                    refused(section, EINVAL)
                ),
                remedy: "move the relocation to .klp.rela.vmlinux.<section>, or, if the symbol is exported, to an \
                         ordinary relocation section"
                    .to_owned(),
                ..Said::of(section)
            };
            report.findings.push(say(self.about(), said));
        }
    }
}
