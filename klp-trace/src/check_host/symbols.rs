//! What the patch asks of each object: found at its position, whichever of the two comes first?

use std::collections::BTreeMap;

use super::{Answer, Check, Host, Patch, VMLINUX};
use crate::kernel::modules::State;
use crate::kernel::resolve::{self, FileOccurrence, ResolveError, SymbolSet};
use crate::lint::facts::Symbol;
use crate::lint::{self, Facts, sympos};
use crate::model::{FindingId, Severity};

/// Symbols that are named; the others are counted.
const NAMED: usize = 5;

/// What lint says of the file itself; symbols have answers of their own here.
pub(super) fn file(lint: &lint::Report, facts: &Facts) -> Check {
    const ABOUT: &str = "file";
    let here = |id: FindingId| [FindingId::Klp008, FindingId::Klp014].contains(&id);
    let errors: Vec<String> = lint
        .counted()
        .filter(|f| f.severity == Severity::Error && !here(f.id))
        .map(|f| format!("{} {}", f.id, f.rule))
        .collect();
    let mut not_looked = lint.unchecked.iter().filter(|u| !here(u.id)).map(|u| u.why.as_str());
    // An object that is not known of is asked nothing about: that the rest is right is no yes.
    let not_looked = not_looked.next().or(facts.objects.incomplete.as_deref());
    if !errors.is_empty() {
        let what = format!("lint finds what no kernel takes as it was meant: {}", few(&errors));
        return Check::new(ABOUT, Answer::No, what).remedy("klp-trace inspect FILE says what each does");
    }
    match not_looked {
        Some(why) => Check::new(ABOUT, Answer::Unknown, format!("not all of it can be checked: {why}"))
            .remedy("read the patch's source for the objects that it lists"),
        None => Check::new(ABOUT, Answer::Yes, "lint finds no error in it"),
    }
}

/// What is asked of an object: name and position, and whether also while it is loading. A symbol of a third module is
/// asked for while that one is live.
fn asked<'f>(object: &str, facts: &'f Facts<'_>, patch: &'f Patch) -> BTreeMap<(&'f str, u64), bool> {
    let mut all = BTreeMap::new();
    for section in facts.livepatch_sections() {
        let own = section.module() == Some(object);
        let parts = facts.symbols.each(&section.symbols).filter_map(Symbol::parts);
        for parts in parts.filter(|parts| parts.object == object) {
            *all.entry((parts.name, parts.sympos)).or_insert(false) |= own;
        }
    }
    for function in patch.functions.iter().filter(|f| f.object == object) {
        all.insert((function.name.as_str(), function.sympos), true);
    }
    all
}

/// Every answer about an object's symbols; none where none is asked for.
pub(super) fn of(object: &str, facts: &Facts, patch: &Patch, host: &Host) -> Vec<Check> {
    let asked = asked(object, facts, patch);
    if asked.is_empty() {
        return Vec::new();
    }
    let here = host.objects.get(object);
    // Where that is not known, the file tells what can be told, as of one that is not loaded.
    let loaded = object == VMLINUX || here.is_some_and(|o| o.loaded.is_some());
    let mut checks = Vec::new();
    if loaded {
        checks.push(now(object, &asked, host));
    }
    match here.map(|o| &o.file) {
        Some(Ok(file)) => {
            let answers = |name: &str, at: u64, own| sympos::answers(at, own, file.symbols.occurrences(name));
            if !loaded {
                let wrong = asked.iter().filter_map(|(&(name, at), own)| {
                    answers(name, at, *own).1.err().map(|e| wrong(name, at, &e))
                });
                checks.push(said(FIRST, &asked, &wrong.collect::<Vec<_>>(), &file.path, AFTER));
            }
            let late = asked.iter().filter(|(_, own)| **own).filter_map(|(&(name, at), own)| {
                match answers(name, at, *own) {
                    (Err(error), _) => Some(wrong(name, at, &error)),
                    (Ok(a), Ok(b)) if a != b => Some(format!(
                        "{name},{at} is another symbol than with the object there first (KLP008)"
                    )),
                    _ => None,
                }
            });
            checks.push(said(SECOND, &asked, &late.collect::<Vec<_>>(), &file.path, BEFORE));
        }
        Some(Err(why)) => checks.push(
            Check::new(SECOND, Answer::Unknown, format!("whether all {} are there: {why}", asked.len()))
                .remedy("install the module's file, or name it with --object-file"),
        ),
        None => {}
    }
    checks.into_iter().map(|check| check.of(object)).collect()
}

const FIRST: &str = "symbols, object first";
const SECOND: &str = "symbols, patch first";
const AFTER: &str = "the kernel refuses the patch with -EINVAL while the object is there";
const BEFORE: &str =
    "with the patch there, the kernel refuses the object (-EINVAL), or patches the wrong place";

/// By what the kernel lists now: what the patch would meet if it were loaded at once.
fn now(object: &str, asked: &BTreeMap<(&str, u64), bool>, host: &Host) -> Check {
    let unsettled = match &host.modules {
        Ok(modules) => modules.get(object).is_some_and(|state| *state != State::Live),
        Err(_) => false,
    };
    if unsettled {
        return Check::new(FIRST, Answer::Unknown, "it is being loaded or unloaded at this moment")
            .remedy("ask again");
    }
    let listed = match &host.listed {
        Ok(listed) => listed,
        Err(why) => {
            return Check::new(FIRST, Answer::Unknown, why.clone())
                .remedy("mount procfs at /proc; the kernel needs CONFIG_KALLSYMS_ALL=y");
        }
    };
    let wrong = asked.keys().filter_map(|&(name, at)| {
        let count = listed.get(&(object.to_owned(), name.to_owned())).copied().unwrap_or(0);
        let all = vec![FileOccurrence { core: true, address: None }; count];
        resolve::place(at, SymbolSet::Core, &all).err().map(|error| wrong(name, at, &error))
    });
    said(FIRST, asked, &wrong.collect::<Vec<_>>(), "/proc/kallsyms", AFTER)
}

/// The text that tells an ambiguous name, for its own remedy.
const AMBIGUOUS: &str = "no position to tell them apart";

fn wrong(name: &str, at: u64, error: &ResolveError) -> String {
    format!("{name},{at}: {error}")
}

fn said(
    about: &'static str,
    asked: &BTreeMap<(&str, u64), bool>,
    wrong: &[String],
    place: &str,
    then: &str,
) -> Check {
    if wrong.is_empty() {
        return Check::new(
            about,
            Answer::Yes,
            format!("all that are asked for ({}) are in {place}", asked.len()),
        );
    }
    let what =
        format!("{} of {} not as asked for in {place}: {}; {then}", wrong.len(), asked.len(), few(wrong));
    let remedy = if wrong.iter().all(|why| why.contains(AMBIGUOUS)) {
        "give the position of the one that is meant (old_sympos, or the number in .klp.sym.*): /proc/kallsyms lists them in \
         the order that counts (docs/lint.md, KLP008)"
    } else {
        "build the patch against the module and kernel that run here (docs/lint.md, KLP008 and KLP014)"
    };
    Check::new(about, Answer::No, what).remedy(remedy)
}

/// Some of them, and how many more there are.
pub(super) fn few(all: &[String]) -> String {
    let named = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}, and {more} more"),
    }
}
