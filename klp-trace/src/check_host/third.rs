//! Symbols of a third module: neither of the object that gates the section, nor of the kernel itself.
//!
//! `klp_resolve_symbols()` looks them up when the section is written; if their module is not there, the patch or its
//! object is refused. Afterwards nothing of livepatch's holds that module (6.1 to 7.3).

use std::collections::BTreeSet;

use super::{Answer, Check, Host, Patch, VMLINUX};
use crate::lint::Facts;
use crate::lint::facts::Symbol;

const ABOUT: &str = "symbols' module";

/// Gate and symbol's module of each section that has symbols of a third module.
pub(super) fn pairs<'f>(facts: &'f Facts<'_>) -> BTreeSet<(&'f str, &'f str)> {
    let mut pairs = BTreeSet::new();
    for section in facts.livepatch_sections() {
        let Some(gate) = section.gate.as_ref().map(|gate| gate.object.as_str()) else { continue };
        let modules =
            facts.symbols.each(&section.symbols).filter_map(Symbol::parts).map(|parts| parts.object);
        pairs.extend(
            modules.filter(|module| *module != VMLINUX && *module != gate).map(|module| (gate, module)),
        );
    }
    pairs
}

/// An answer for each of them.
pub(super) fn checks(facts: &Facts, patch: &Patch, host: &Host) -> Vec<Check> {
    pairs(facts).into_iter().map(|(gate, module)| check(gate, module, patch, host).of(gate)).collect()
}

fn check(gate: &str, module: &str, patch: &Patch, host: &Host) -> Check {
    let unknown = |why: &str| {
        Check::new(ABOUT, Answer::Unknown, format!("its relocations use symbols of {module}: {why}"))
            .remedy("mount procfs at /proc")
    };
    let (Ok(_), Some(there)) = (&host.modules, host.objects.get(module)) else {
        return unknown("whether that is loaded cannot be told");
    };
    if let Some(by) = pinned(gate, module, patch, host) {
        return Check::new(
            ABOUT,
            Answer::Yes,
            format!("its relocations use symbols of {module}, which {by} keeps loaded"),
        );
    }
    if there.loaded.is_none() {
        let refused = if gate == VMLINUX { "the patch".to_owned() } else { format!("the patch, or {gate},") };
        let what = format!(
            "its relocations use symbols of {module}, which is not loaded: {refused} is refused with -EINVAL (\"symbol … not \
             found\")"
        );
        return Check::new(ABOUT, Answer::No, what).remedy(format!("load it first: modprobe {module}"));
    }
    let then = if gate == VMLINUX {
        format!(
            "they are written once, when the patch is loaded: after {module} has gone and come again they are never right"
        )
    } else {
        format!("if {module} goes while {gate} and the patch stay, they lead into freed memory")
    };
    Check::new(ABOUT, Answer::Warning, format!("its relocations use symbols of {module}, which nothing keeps loaded: {then} (KLP016)"))
        .remedy(format!(
            "keep {module} loaded while the patch is there; or use a symbol that it exports, so that the patch holds it"
        ))
}

/// What keeps the symbols' module loaded as long as the relocations are in use.
fn pinned(gate: &str, module: &str, patch: &Patch, host: &Host) -> Option<String> {
    let imported = |by: &Option<String>| by.as_deref() == Some(module);
    if host.exports.as_ref().is_ok_and(|exports| exports.values().any(imported)) {
        return Some(format!("{}, which uses what it exports,", patch.name));
    }
    let holds = host.objects.get(module)?.holders.iter().any(|holder| holder == gate);
    let gate_file = host.objects.get(gate).and_then(|object| object.file.as_ref().ok());
    let depends = gate_file.is_some_and(|file| file.depends.iter().any(|name| name == module));
    (holds || depends).then(|| gate.to_owned())
}
