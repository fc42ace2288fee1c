//! KLP016: symbols of a third module, neither of the object that gates the section nor of the kernel itself.
//!
//! `klp_resolve_symbols()` looks them up when the section is written. Nothing of livepatch's holds their module afterwards
//! (6.1 to 7.3): what was written dangles as soon as it goes.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::{Facts, Section, Symbol};
use super::finding::{Finding, Place, Report};
use super::rules::About;
use super::sympos::Find;
use crate::elf::names;
use crate::kernel::kallsyms::VMLINUX;
use crate::model::{FindingId, Severity};

/// The rule.
pub const THIRD: About =
    About { id: FindingId::Klp016, rule: "third-module-symbol", severity: Severity::Warning };

/// What an exported symbol has beside it in its module's symbol table.
const EXPORT: &str = "__ksymtab_";

/// Looks at every section that asks for symbols of a third module. `imports` are the patch's undefined symbols, escaped.
pub fn check(facts: &Facts, imports: &[String], find: &mut Find<'_>, report: &mut Report) {
    for section in facts.livepatch_sections() {
        let Some(gate) = section.gate.as_ref().map(|gate| gate.object.as_str()) else { continue };
        // What is never written cannot dangle: KLP007 says so.
        let listed = gate == VMLINUX || facts.objects.names.iter().any(|name| name == gate);
        if !listed && facts.objects.incomplete.is_none() {
            continue;
        }
        let mut modules: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        for (symbol, parts) in facts.symbols.each(&section.symbols).filter_map(|s| Some((s, s.parts()?))) {
            let is_module = parts.object.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if parts.object != VMLINUX && parts.object != gate && is_module {
                modules.entry(parts.object).or_default().insert(symbol.index);
            }
        }
        for (module, symbols) in modules {
            if !is_pinned(gate, module, imports, find) {
                report.findings.push(finding(section, gate, module, &symbols, facts));
            }
        }
    }
}

/// Whether something keeps the symbols' module loaded as long as they are in use: the gate's own dependence on it, or an
/// export of it that the patch uses. `depends=` of the patch alone is no such thing: the kernel does not read it.
fn is_pinned(gate: &str, module: &str, imports: &[String], find: &mut Find<'_>) -> bool {
    let none = BTreeSet::<String>::new;
    let holds = |depends: &[String]| depends.iter().any(|name| name == module);
    if gate != VMLINUX && find(gate, &none).is_ok_and(|file| holds(&file.depends)) {
        return true;
    }
    let exports = || -> BTreeSet<String> { imports.iter().map(|name| format!("{EXPORT}{name}")).collect() };
    let uses = |file: &crate::elf::symbols::ObjectFile| {
        imports.iter().any(|name| !file.occurrences(&format!("{EXPORT}{name}")).is_empty())
    };
    find(module, &exports).is_ok_and(|file| uses(&file))
}

fn finding(section: &Section, gate: &str, module: &str, symbols: &BTreeSet<u32>, facts: &Facts) -> Finding {
    let first = symbols.first().and_then(|index| facts.symbols.get(*index));
    let name = first.and_then(Symbol::parts).map_or("", |parts| parts.name);
    let more = match symbols.len() {
        0 | 1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let (written, kernel) = if gate == VMLINUX {
        (
            "gated on vmlinux",
            format!(
                "writes the section once, when the patch is loaded, and never again. {module} must be there by then, or insmod \
                 fails with -EINVAL. Nothing holds {module}: once it goes, the values lead into freed memory, and when it \
                 comes back they are still those of the load that has gone: worse than a gate on a module"
            ),
        )
    } else {
        (
            "gated on another module",
            format!(
                "writes the section when {gate} is there. {module} must be there by then, or the patch or {gate} is refused \
                 with -EINVAL. Nothing holds {module}: once it goes while {gate} and the patch stay, the values lead into \
                 freed memory, and are not written again when it comes back"
            ),
        )
    };
    let relocations = section.entries.iter().filter(|e| symbols.contains(&e.symbol)).map(|e| e.index);
    Finding {
        id: THIRD.id,
        name: THIRD.id.name(),
        rule: THIRD.rule,
        severity: THIRD.severity,
        allowed: false,
        reason: None,
        section: Some(Place { index: section.index, name: section.name.clone() }),
        relocations: relocations.collect(),
        symbol: Some(name.to_owned()),
        what: format!("the section is {written} ({gate}) and asks for a symbol of {module}: {name}{more}"),
        kernel,
        remedy: format!(
            "pin {module}: let the patch use a symbol that {module} exports, which makes the patch its holder, or take a \
             reference in the patch's pre_patch callback (try_module_get()); or reach the symbol another way"
        ),
    }
}

/// The patch's undefined symbols, which make holders of the modules that export them.
pub fn imports(module: &crate::elf::module::Module<'_>) -> Vec<String> {
    let undefined = module.symbols().filter(|s| s.shndx == 0).filter_map(|s| s.name);
    undefined.filter(|name| !name.is_empty()).take(IMPORTS).map(names::display).collect()
}

/// Imports that are looked for in a module's exports: a livepatch has some hundreds.
const IMPORTS: usize = 1 << 14;
