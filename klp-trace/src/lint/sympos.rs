//! KLP008 and KLP014: what the patch's symbols mean in the files of their objects.
//!
//! `klp_find_object_symbol()` counts what kallsyms lists. While a module is COMING that is its whole symbol table, .init
//! included; once it is live, what stays after init (seen on 6.12 and 7.3). A patch that is there first meets the one
//! set, a patch that comes later the other.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, Parts, Section};
use super::finding::{Finding, Place, Report, Unchecked};
use super::rules::About;
use crate::elf::symbols::{ObjectFile, Occurrence};
use crate::kernel::kallsyms::VMLINUX;
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

/// The file of an object with the symbols of certain names, or why there is none. The names are put together only when
/// there is a file to be read.
pub type Find<'a> = dyn FnMut(&str, &dyn Fn() -> BTreeSet<String>) -> Result<ObjectFile, String> + 'a;

/// Something to be looked up.
#[derive(Clone, Copy)]
struct Asked<'f> {
    parts: Parts<'f>,
    /// Where it is asked for, and the symbol's index; none for a function.
    by: Option<(&'f Section<'f>, u32)>,
}

/// Looks every symbol and function of a module up in the module's file, in both orders of loading.
pub fn check(facts: &Facts, functions: &[Function], find: &mut Find<'_>, report: &mut Report) {
    // Thousands of symbols ask of a few objects, and of most hosts' patches no object's file is there: which objects
    // comes first, and what is asked of each only where there is a file.
    let by_object = LazyCell::new(|| by_object(facts, functions));
    for object in objects(facts, functions) {
        let of_object = || by_object.get(object).map(Vec::as_slice).unwrap_or_default();
        match find(object, &|| of_object().iter().map(|a| a.parts.name.to_owned()).collect()) {
            Ok(file) => {
                let judged =
                    of_object().iter().filter_map(|a| Some((*a, judge(a, file.occurrences(a.parts.name))?)));
                let mut found: Vec<(Asked<'_>, Finding)> = judged.collect();
                add_relocations(&mut found);
                report.findings.extend(found.into_iter().map(|(_, finding)| finding));
            }
            Err(why) => {
                for id in [FindingId::Klp008, FindingId::Klp014] {
                    report.unchecked.push(Unchecked { id, subject: object.to_owned(), why: why.clone() });
                }
            }
        }
    }
}

/// The modules that anything is asked of.
fn objects<'f>(facts: &'f Facts<'_>, functions: &'f [Function]) -> BTreeSet<&'f str> {
    let mut all = BTreeSet::new();
    // Neighbours mostly ask of the same.
    let mut last = VMLINUX;
    for object in asked(facts, functions).map(|a| a.parts.object) {
        if object != last {
            all.insert(object);
            last = object;
        }
    }
    all.remove(VMLINUX);
    all
}

fn by_object<'f>(facts: &'f Facts<'_>, functions: &'f [Function]) -> BTreeMap<&'f str, Vec<Asked<'f>>> {
    let mut all: BTreeMap<&str, Vec<Asked<'_>>> = BTreeMap::new();
    for asked in asked(facts, functions).filter(|a| a.parts.object != VMLINUX) {
        all.entry(asked.parts.object).or_default().push(asked);
    }
    all
}

/// Every symbol and function of the patch, one for each section that asks.
fn asked<'f>(facts: &'f Facts<'_>, functions: &'f [Function]) -> impl Iterator<Item = Asked<'f>> {
    let symbols = facts.livepatch_sections().flat_map(move |section| {
        let symbols = facts.symbols.each(&section.symbols);
        symbols.filter_map(move |s| Some(Asked { parts: s.parts()?, by: Some((section, s.index)) }))
    });
    let parts = |f: &'f Function| Parts { object: &f.object, name: &f.name, sympos: f.sympos };
    symbols.chain(functions.iter().map(move |f| Asked { parts: parts(f), by: None }))
}

/// Adds the relocations that ask, with one look at each section.
fn add_relocations(found: &mut [(Asked<'_>, Finding)]) {
    let mut wanted: BTreeMap<u32, (&Section<'_>, BTreeMap<u32, Vec<u32>>)> = BTreeMap::new();
    for (section, symbol) in found.iter().filter_map(|(asked, _)| asked.by) {
        wanted.entry(section.index).or_insert((section, BTreeMap::new())).1.insert(symbol, Vec::new());
    }
    for (section, symbols) in wanted.values_mut() {
        for entry in section.entries.iter() {
            if let Some(relocations) = symbols.get_mut(&entry.symbol) {
                relocations.push(entry.index);
            }
        }
    }
    for (asked, finding) in found {
        let by = asked.by.and_then(|(section, symbol)| wanted.get_mut(&section.index)?.1.remove(&symbol));
        finding.relocations = by.unwrap_or_default();
    }
}

fn judge(asked: &Asked<'_>, file: &[Occurrence]) -> Option<Finding> {
    // A symbol of a third module, or in a section gated on vmlinux: that module is live when it is asked for.
    let own = asked.by.is_none_or(|(section, _)| section.module() == Some(asked.parts.object));
    let (coming, live) = answers(asked.parts.sympos, own, file);
    match (coming, live) {
        (Ok(a), Ok(b)) if a == b => None,
        (Err(_), Err(error)) => Some(not_found(asked, error)),
        _ => Some(order(asked, file, coming, live)),
    }
}

/// Which of an object's symbols of a name is taken: its place among them, or why none is.
pub type Answer = Result<usize, ResolveError>;

/// What a position means while the object is loading, and once it is live. The first counts for what is asked of the
/// `own` object alone.
pub fn answers(sympos: u64, own: bool, file: &[Occurrence]) -> (Answer, Answer) {
    let occurrences: Vec<FileOccurrence> =
        file.iter().map(|o| FileOccurrence { core: o.core, address: None }).collect();
    let place = |set| resolve::place(sympos, set, &occurrences);
    let live = place(SymbolSet::Core);
    (if own { place(SymbolSet::Full) } else { live }, live)
}

fn order(asked: &Asked<'_>, file: &[Occurrence], coming: Answer, live: Answer) -> Finding {
    let Parts { object, name, sympos } = asked.parts;
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
    let Parts { object, name, sympos } = asked.parts;
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
        section: asked.by.map(|(s, _)| Place { index: s.index, name: s.name.clone() }),
        relocations: Vec::new(),
        symbol: Some(asked.parts.name.to_string()),
        what: String::new(),
        kernel: String::new(),
        remedy: String::new(),
    }
}

#[cfg(test)]
mod tests;
