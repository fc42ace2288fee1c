//! KLP007: objects that are part of the kernel's image.

use super::facts::{Facts, Symbol};
use super::finding::{Finding, Report};
use super::rules::About;
use crate::kernel::kallsyms::VMLINUX;
use crate::model::{FindingId, Severity};
use std::collections::BTreeSet;

/// The rule.
pub const BUILT_IN: About =
    About { id: FindingId::Klp007, rule: "object-built-in", severity: Severity::Error };

/// Objects that the patch has to do with: listed, gates of sections, those of symbols. Escaped, vmlinux left out.
pub fn objects<'f>(facts: &'f Facts<'_>) -> BTreeSet<&'f str> {
    let listed = facts.objects.names.iter().map(String::as_str);
    let gates = facts.livepatch_sections().filter_map(|s| s.module());
    let symbols = facts.symbols.iter().filter_map(Symbol::parts).map(|parts| parts.object);
    listed.chain(gates).chain(symbols).filter(|name| *name != VMLINUX).collect()
}

/// Says it of each object that is built in: `built_in` names the list that has it.
pub fn check(facts: &Facts, built_in: &dyn Fn(&str) -> Option<String>, report: &mut Report) {
    for object in objects(facts) {
        let Some(list) = built_in(object) else { continue };
        report.findings.push(Finding {
            id: BUILT_IN.id,
            name: BUILT_IN.id.name(),
            rule: BUILT_IN.rule,
            severity: BUILT_IN.severity,
            allowed: false,
            reason: None,
            section: None,
            relocations: Vec::new(),
            symbol: None,
            what: format!("{object} is built into the kernel that the patch is for ({list}): it will never be a module"),
            kernel: format!(
                "waits for a module called {object}, which never comes: the patch loads, shows as enabled, and nothing of it is \
                 patched; a symbol of {object} is refused with -EINVAL"
            ),
            remedy: format!("patch the functions of {object} as those of vmlinux, where they are"),
        });
    }
}
