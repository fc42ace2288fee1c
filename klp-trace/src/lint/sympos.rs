//! KLP008 and KLP014: what the patch's symbols mean in the files of their objects.
//!
//! `klp_find_object_symbol()` counts what kallsyms lists. While a module is COMING that is its whole symbol table, .init
//! included; once it is live, what stays after init (seen on 6.12 and 7.3). A patch that is there first meets the one
//! set, a patch that comes later the other.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, Parts, Section};
use super::finding::{Finding, Place, Report, Unchecked};
use super::rules::About;
use crate::elf::symbols::{ObjectFile, Occurrence};
use crate::kernel::resolve::{self, FileOccurrence, ResolveError, SymbolSet};
use crate::model::{FindingId, Severity};

/// The rule of KLP008.
pub const ORDER: About =
    About { id: FindingId::Klp008, rule: "symbol-depends-on-load-order", severity: Severity::Error };

/// The rule of KLP014.
pub const NOT_FOUND: About =
    About { id: FindingId::Klp014, rule: "symbol-not-in-object", severity: Severity::Error };

/// A function that the patch replaces: looked up by the same rules. Names escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The object that has it.
    pub object: String,
    /// Its name.
    pub name: String,
    /// Which of that name; 0: the only one.
    pub sympos: u64,
}

/// The file of an object with the symbols of the names given, or why there is none.
pub type Find<'a> = dyn FnMut(&str, &BTreeSet<String>) -> Result<ObjectFile, String> + 'a;

/// Something to be looked up.
struct Asked<'f> {
    parts: Parts,
    /// Where it is asked for; none for a function.
    section: Option<&'f Section>,
    relocations: Vec<u32>,
}

/// Looks every symbol and function of a module up in the module's file, in both orders of loading.
pub fn check(facts: &Facts, functions: &[Function], find: &mut Find<'_>, report: &mut Report) {
    let mut by_object: BTreeMap<String, Vec<Asked<'_>>> = BTreeMap::new();
    for asked in asked(facts, functions).into_iter().filter(|a| a.parts.object != "vmlinux") {
        by_object.entry(asked.parts.object.clone()).or_default().push(asked);
    }
    for (object, asked) in by_object {
        let wanted: BTreeSet<String> = asked.iter().map(|a| a.parts.name.clone()).collect();
        match find(&object, &wanted) {
            Ok(file) => {
                let found = asked.iter().filter_map(|a| judge(a, file.occurrences(&a.parts.name)));
                report.findings.extend(found);
            }
            Err(why) => {
                report.unchecked.push(Unchecked {
                    id: FindingId::Klp008,
                    subject: object.clone(),
                    why: why.clone(),
                });
                report.unchecked.push(Unchecked { id: FindingId::Klp014, subject: object, why });
            }
        }
    }
}

/// Every symbol and function of the patch, one for each section that asks.
fn asked<'f>(facts: &'f Facts, functions: &[Function]) -> Vec<Asked<'f>> {
    let mut all = Vec::new();
    for section in facts.livepatch_sections() {
        let mut by_symbol: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for entry in &section.entries {
            by_symbol.entry(entry.symbol).or_default().push(entry.index);
        }
        for (symbol, relocations) in by_symbol {
            let parts = facts.symbols.get(&symbol).and_then(|s| s.parts.clone());
            all.extend(parts.map(|parts| Asked { parts, section: Some(section), relocations }));
        }
    }
    all.extend(functions.iter().map(|f| Asked {
        parts: Parts { object: f.object.clone(), name: f.name.clone(), sympos: f.sympos },
        section: None,
        relocations: Vec::new(),
    }));
    all
}

fn judge(asked: &Asked<'_>, file: &[Occurrence]) -> Option<Finding> {
    let occurrences: Vec<FileOccurrence> =
        file.iter().map(|o| FileOccurrence { core: o.core, address: None }).collect();
    let place = |set| resolve::place(asked.parts.sympos, set, &occurrences);
    let live = place(SymbolSet::Core);
    // A symbol of a third module, or in a section gated on vmlinux: that module is live when it is asked for.
    let own = asked.section.is_none_or(|s| s.module() == Some(asked.parts.object.as_str()));
    let coming = if own { place(SymbolSet::Full) } else { live };
    match (coming, live) {
        (Ok(a), Ok(b)) if a == b => None,
        (Err(_), Err(error)) => Some(not_found(asked, error)),
        _ => Some(order(asked, file, coming, live)),
    }
}

type Answer = Result<usize, ResolveError>;

fn order(asked: &Asked<'_>, file: &[Occurrence], coming: Answer, live: Answer) -> Finding {
    let Parts { object, name, sympos } = &asked.parts;
    let tell = |answer: Answer| match answer {
        Ok(at) => {
            let section = file.get(at).and_then(|o| o.section.as_deref()).unwrap_or("no section");
            format!("it is the one in {section}")
        }
        Err(error) => format!("it is refused: {error}"),
    };
    let init = file.iter().filter(|o| !o.core).count();
    let (remedy, severity) = match (coming, live) {
        (Ok(_), Ok(_)) => {
            ("Until then, load the patch after the module, and not before".to_owned(), ORDER.severity)
        }
        (Ok(_), Err(_)) => (format!("Until then, load {object} after the patch"), Severity::Warning),
        _ => (format!("Until then, load {object} before the patch"), Severity::Warning),
    };
    let count = file.len();
    Finding {
        what: format!(
            "{name}, position {sympos}, of {object} depends on the order of loading: the module's file has {count} \
             symbols of that name, {init} of which go after its init"
        ),
        kernel: format!(
            "counts all {count} while {object} is loading: with the patch there first, {}. It counts the {} that stay \
             once {object} is live: with the patch loaded later, {}",
            tell(coming),
            count - init,
            tell(live)
        ),
        remedy: format!(
            "no position satisfies both orders unless the symbols that stay come first: reach the symbol another way (a \
             neighbour with a unique name, an exported one), or rename it in the module. {remedy}"
        ),
        severity,
        ..finding(ORDER, asked)
    }
}

fn not_found(asked: &Asked<'_>, error: ResolveError) -> Finding {
    let Parts { object, name, sympos } = &asked.parts;
    Finding {
        what: format!("{name}, position {sympos}, is not to be found in {object}'s file: {error}"),
        kernel: format!(
            "refuses it with -EINVAL: with the patch loaded, {object} cannot be loaded; with {object} loaded, the patch \
             cannot"
        ),
        remedy: format!(
            "build the patch against the {object} that runs (the compiler may have renamed or inlined the symbol: \
             .isra, .constprop, .cold)"
        ),
        ..finding(NOT_FOUND, asked)
    }
}

fn finding(about: About, asked: &Asked<'_>) -> Finding {
    Finding {
        id: about.id,
        name: about.id.name(),
        rule: about.rule,
        severity: about.severity,
        allowed: false,
        section: asked.section.map(|s| Place { index: s.index, name: s.name.clone() }),
        relocations: asked.relocations.clone(),
        symbol: Some(asked.parts.name.clone()),
        what: String::new(),
        kernel: String::new(),
        remedy: String::new(),
    }
}

#[cfg(test)]
mod tests;
