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
use crate::elf::built_for::WHOLE_NAMES;
use crate::elf::ftrace_sites::Reach;
use crate::elf::symbols::{ObjectFile, Occurrence};
use crate::elf::target;
use crate::kernel::kallsyms::VMLINUX;
use crate::kernel::resolve::{self, FileOccurrence, ResolveError, SymbolSet};
use crate::model::{FindingId, Severity};

/// The rule of KLP008.
pub const ORDER: About =
    About { id: FindingId::Klp008, rule: "symbol-depends-on-load-order", severity: Severity::Error };

/// The rule of KLP014.
pub const NOT_FOUND: About =
    About { id: FindingId::Klp014, rule: "symbol-not-in-object", severity: Severity::Error };

/// The rule of KLP014 for what goes after its module's init.
pub const IN_INIT: About = About { id: FindingId::Klp014, rule: "symbol-in-init", severity: Severity::Error };

/// The rule of KLP014 for functions that are none.
pub const NOT_CODE: About =
    About { id: FindingId::Klp014, rule: "function-not-code", severity: Severity::Error };

/// The rule of KLP014 for functions that ftrace does not reach.
pub const NO_SITE: About =
    About { id: FindingId::Klp014, rule: "function-without-ftrace-site", severity: Severity::Error };

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
    if let Some(why) = &facts.objects.incomplete {
        let subject = "the patch's functions".to_owned();
        report.not_checked(Unchecked { id: NOT_FOUND.id, subject, why: why.clone(), reason: None });
    }
    for object in objects(facts, functions) {
        let of_object = || by_object.get(object).map(Vec::as_slice).unwrap_or_default();
        match find(object, &|| of_object().iter().map(|a| a.parts.name.to_owned()).collect()) {
            Ok(file) => {
                let mut found: Vec<(Asked<'_>, Finding)> = Vec::new();
                for asked in of_object() {
                    match judge(asked, &file, facts) {
                        Judged::Fine => {}
                        Judged::Wrong(finding) => found.push((*asked, *finding)),
                        Judged::Unknown(why) => report.not_checked(Unchecked {
                            id: NOT_FOUND.id,
                            subject: format!("{} of {object}", asked.parts.name),
                            why,
                            reason: None,
                        }),
                    }
                }
                add_relocations(&mut found);
                report.findings.extend(found.into_iter().map(|(_, finding)| finding));
            }
            Err(why) => {
                for id in [FindingId::Klp008, FindingId::Klp014] {
                    report.unchecked.push(Unchecked {
                        id,
                        subject: object.to_owned(),
                        why: why.clone(),
                        reason: None,
                    });
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

/// What comes of one question.
enum Judged {
    Fine,
    Wrong(Box<Finding>),
    Unknown(String),
}

fn judge(asked: &Asked<'_>, object: &ObjectFile, facts: &Facts) -> Judged {
    let file = object.occurrences(asked.parts.name);
    // A symbol of a third module, or in a section gated on vmlinux: that module is live when it is asked for.
    let own = asked.by.is_none_or(|(section, _)| section.module() == Some(asked.parts.object));
    let (coming, live) = answers(asked.parts.sympos, own, file);
    let at = |answer: Answer| answer.ok().and_then(|at| file.get(at));
    let wrong = |finding| Judged::Wrong(Box::new(finding));
    match (coming, live) {
        (Ok(a), Ok(b)) if a == b => match at(live) {
            Some(found) if asked.by.is_none() && !found.code => wrong(not_code(asked, found)),
            Some(_) if asked.by.is_none() && is_out_of_reach(asked, object, live) => wrong(no_site(asked)),
            _ => Judged::Fine,
        },
        (Err(_), Err(error)) => {
            let suffixed = object.suffixed(asked.parts.name);
            if error == ResolveError::NotFound && !suffixed.is_empty() {
                match facts.built_for.before(WHOLE_NAMES) {
                    Ok(false) => {}
                    told => return Judged::Unknown(stripped(suffixed, told.err())),
                }
            }
            wrong(not_found(asked, error, file, suffixed))
        }
        (Ok(_), Err(_)) if at(coming).is_some_and(is_init) => wrong(in_init(asked, file)),
        _ => wrong(order(asked, file, coming, live)),
    }
}

fn is_init(found: &Occurrence) -> bool {
    found.section.as_deref().is_some_and(target::is_init)
}

/// Whether the object's file lists its ftrace sites, and none in this one of the name.
fn is_out_of_reach(asked: &Asked<'_>, object: &ObjectFile, live: Answer) -> bool {
    live.is_ok_and(|at| object.reach(asked.parts.name).get(at) == Some(&Reach::NoSite))
}

/// Why a kernel of clang's LTO may find what is not there by that name.
fn stripped(suffixed: &[String], unknown: Option<String>) -> String {
    let unknown = unknown.map(|why| format!(" ({why})")).unwrap_or_default();
    format!(
        "its file has {} alone; kernels before 6.11 that were built by clang with LTO leave the suffix out where they compare \
         names, others do not{unknown}",
        suffixed.join(", ")
    )
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

fn not_found(asked: &Asked<'_>, error: ResolveError, file: &[Occurrence], suffixed: &[String]) -> Finding {
    let Parts { object, name, sympos } = asked.parts;
    let rebuild = format!(
        "build the patch against the {object} that runs (the compiler may have renamed or inlined the symbol: .isra, \
         .constprop, .cold)"
    );
    let remedy = match error {
        ResolveError::Ambiguous(_) | ResolveError::PositionNotFound { .. } => match positions(asked, file) {
            Some(list) => format!("give the position of the one that is meant: {list}"),
            None => rebuild,
        },
        _ if !suffixed.is_empty() => {
            format!("ask for it by its whole name, {}", suffixed.join(" or "))
        }
        _ => rebuild,
    };
    Finding {
        what: format!("{name}, position {sympos}, was not found in {object}'s file: {error}"),
        kernel: format!(
            "refuses it with -EINVAL: with the patch loaded, {object} cannot be loaded; with {object} loaded, the patch \
             cannot"
        ),
        remedy,
        ..finding(NOT_FOUND, asked)
    }
}

/// The positions that mean one symbol in both orders, with where each is; `None`: there is none.
fn positions(asked: &Asked<'_>, file: &[Occurrence]) -> Option<String> {
    let own = asked.by.is_none_or(|(section, _)| section.module() == Some(asked.parts.object));
    let mut list: Vec<String> = Vec::new();
    let mut more = 0usize;
    for position in 1..=file.len() as u64 {
        let (Ok(coming), Ok(live)) = answers(position, own, file) else { continue };
        let Some(found) = file.get(live).filter(|_| coming == live) else { continue };
        if list.len() == POSITIONS {
            more += 1;
            continue;
        }
        let section = found.section.as_deref().unwrap_or("no section");
        list.push(format!("{position} is the one in {section} at {:#x}", found.value));
    }
    let more = if more == 0 { String::new() } else { format!(", and {more} more") };
    (!list.is_empty()).then(|| format!("{}{more}", list.join(", ")))
}

/// Positions that a remedy lists.
const POSITIONS: usize = 8;

/// What is in `.init*` alone.
fn in_init(asked: &Asked<'_>, file: &[Occurrence]) -> Finding {
    let Parts { object, name, .. } = asked.parts;
    let section = file.iter().find(|o| is_init(o)).and_then(|o| o.section.as_deref()).unwrap_or(".init");
    let (what, kernel) = match asked.by {
        None => (
            format!("{name} of {object} is in {section}, which is freed when {object}'s init is done"),
            format!(
                "finds it only while {object} is loading, and patches code that is gone soon after: ftrace forgets it, the \
                 disabling of the patch warns (kernel/livepatch/patch.c), and a pointer to freed memory stays. With {object} \
                 there first, it refuses the patch with -EINVAL"
            ),
        ),
        Some(_) => (
            format!("{name} of {object} is in {section}, which is freed when {object}'s init is done"),
            format!(
                "finds it only while {object} is loading: what is written then leads into freed memory once {object}'s init \
                 is done. With {object} there first, it refuses the patch with -EINVAL"
            ),
        ),
    };
    Finding {
        what,
        kernel,
        remedy: "there is no order of loading in which this works: leave what is marked __init alone, and patch what calls it"
            .to_owned(),
        ..finding(IN_INIT, asked)
    }
}

/// A function that is data.
fn not_code(asked: &Asked<'_>, found: &Occurrence) -> Finding {
    let Parts { object, name, .. } = asked.parts;
    let section = found.section.as_deref().unwrap_or("no section");
    Finding {
        what: format!(
            "{name} of {object} is to be replaced as a function and is none: it is in {section}, which is not code"
        ),
        kernel: format!(
            "finds no place of ftrace in it (\"failed to find location for function '{name}'\") and refuses the patch with \
             -EINVAL; with the patch there first, it refuses {object}"
        ),
        remedy: "replace functions alone; change data in a callback, or by shadow variables".to_owned(),
        ..finding(NOT_CODE, asked)
    }
}

/// A function that ftrace does not reach.
fn no_site(asked: &Asked<'_>) -> Finding {
    let Parts { object, name, .. } = asked.parts;
    Finding {
        what: format!(
            "{name} of {object} is to be replaced and has no ftrace site: it is notrace, assembly, or called by other names alone"
        ),
        kernel: format!(
            "does not find where to divert it (\"failed to find location for function '{name}'\") and refuses the patch with \
             -EINVAL; with the patch there first, it refuses {object}, and leaves what was written"
        ),
        remedy: format!("replace the functions that call {name}, which ftrace reaches"),
        ..finding(NO_SITE, asked)
    }
}

fn finding(about: About, asked: &Asked<'_>) -> Finding {
    Finding {
        id: about.id,
        name: about.id.name(),
        rule: about.rule,
        severity: about.severity,
        allowed: false,
        reason: None,
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
