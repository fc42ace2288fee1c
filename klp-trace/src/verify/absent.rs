//! KLP014: a load was refused because its object does not have a symbol that a patch needs, or because the module is not there that
//! has it.

use super::{
    conclude::lookup_of,
    objects::Presence,
    remedy,
    section::Section,
    verifier::{NeededSymbol, Verifier},
};
use crate::{
    journal::{Body, Finding, Lookup, ObjectRef, PatchRef, RelocRef, SectionRef},
    model::{Address, FindingId, Reason, Severity},
};
use std::{collections::BTreeSet, sync::Arc};

/// The symbol that the kernel could not resolve.
pub(super) struct Absent {
    pub patch: PatchRef,
    pub section: SectionRef,
    pub reloc: Arc<RelocRef>,
    /// The object that the symbol's name says it is in.
    of: Arc<str>,
    /// Why it was not found.
    lack: Lack,
    /// Its object had been loaded before the patch: of .init nothing is left to be counted.
    late: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lack {
    /// The object has no such symbol.
    Symbol,
    /// It has several, and no position tells which.
    Choice,
    /// The symbol is in a module that is not loaded, neither the gate of its section nor the kernel.
    Module,
}

impl Absent {
    /// `symbol klp_target_absent,0`.
    fn symbol(&self) -> String {
        format!("symbol {},{}", self.reloc.symbol, self.reloc.sympos)
    }

    /// Why a load of `object` was refused for it, and what to do.
    pub(super) fn refused(&self, object: &str) -> (String, String) {
        let (patch, of, symbol) = (&self.patch.name, &self.of, self.symbol());
        let what = match self.lack {
            Lack::Symbol => format!("is not there in {of}"),
            Lack::Choice => format!("is there more than once in {of}"),
            Lack::Module => format!("is in {of}, which is not loaded"),
        };
        let action = match self.lack {
            Lack::Module => format!(
                "load {of}, then {object}, and keep {of} as long as patch {patch} is loaded; or disable patch {patch} and remove its \
                 module, then load {object}"
            ),
            Lack::Symbol | Lack::Choice => {
                format!("disable patch {patch} and remove its module, then load {object}")
            }
        };
        (format!("{symbol} of patch {patch} {what}"), action)
    }
}

impl Verifier {
    /// The first symbol needed for an object that a lookup did not find.
    pub(super) fn absent_symbol(&self, object: &str) -> Option<Absent> {
        self.absent(false, &|_, section| &*section.object == object)
    }

    /// A patch goes that was never enabled, and an object is there that does not have what it needs: why it could not be.
    pub(super) fn left(&mut self, patch: Address, say: &mut dyn FnMut(Body)) {
        if self.patches.get(&patch.0).is_none_or(|patch| patch.enabled) {
            return;
        }
        let absent = self.absent(true, &|of, section| of == patch && self.is_live(section));
        let Some(absent) = absent else { return };
        let gate = self.patches.get(&patch.0).and_then(|patch| patch.sections.get(&absent.section.index));
        let Some(object) = gate.map(|section| self.objects.reference(&section.object)) else { return };
        let mut finding = not_found(&absent, &object);
        if absent.lack == Lack::Module {
            finding.commands =
                remedy::in_order(&[&*absent.of], self.patches.get(&patch.0)).unwrap_or_default();
        }
        let said = self.heard.failure();
        self.corroborate(&mut finding, &said);
        self.say_finding(finding, say);
    }

    /// The symbols that a patch which was never enabled needs of objects that are there, and that have not been looked up
    /// since they came.
    pub fn unresolved(&self, patch: Address) -> BTreeSet<NeededSymbol> {
        let never = self.patches.get(&patch.0).filter(|patch| !patch.enabled);
        let sections = never.into_iter().flat_map(|patch| patch.sections.values());
        let live = sections.filter(|section| self.is_live(section) && !section.orphan);
        live.flat_map(|section| self.needed_symbols(patch, section.r.index)).collect()
    }

    /// Whether the object that gates a section is loaded.
    fn is_live(&self, section: &Section) -> bool {
        self.objects.get(&section.object).is_some_and(|object| object.presence == Presence::Live)
    }

    fn absent(&self, late: bool, of: &dyn Fn(Address, &Section) -> bool) -> Option<Absent> {
        let sections = self
            .patches
            .iter()
            .flat_map(|(address, patch)| patch.sections.values().map(move |s| (Address(*address), patch, s)));
        let concerned =
            |(address, _, section): &(Address, _, &Section)| !section.orphan && of(*address, section);
        for (_, patch, section) in sections.filter(concerned) {
            for reloc in section.relocs.values() {
                let Some(of) = reloc.symbol_object.clone() else { continue };
                let lack = match lookup_of(&self.symbols, reloc) {
                    _ if reloc.third && self.objects.lacks(&of) => Lack::Module,
                    Some(Lookup::Failed { why: Reason::SymbolNotFound }) => Lack::Symbol,
                    Some(Lookup::Failed { why: Reason::SymbolAmbiguous }) => Lack::Choice,
                    _ => continue,
                };
                let (section, reloc) = (section.r.clone(), Arc::clone(&reloc.r));
                return Some(Absent { patch: patch.r.clone(), section, reloc, of, lack, late });
            }
        }
        None
    }
}

/// KLP014.
pub(super) fn not_found(absent: &Absent, object: &ObjectRef) -> Finding {
    let (name, of, symbol) = (&absent.patch.name, &absent.of, absent.symbol());
    let late = absent.late;
    let lacks = match absent.lack {
        Lack::Symbol => "does not have it",
        Lack::Choice => "has it more than once",
        Lack::Module => "is not loaded",
    };
    let since = if late && absent.lack != Lack::Module { " when it has been loaded" } else { "" };
    let why = match absent.lack {
        Lack::Module => {
            "the kernel looks for a symbol in the module that its name says, among those that are loaded; it loads none for it"
        }
        _ if late => {
            "once an object is loaded, its .init symbols are gone, and the kernel counts those that are left; position 0 must be \
             the only one of the name, position n the n-th"
        }
        _ => {
            "while an object is loading, the kernel looks in its whole symbol table, that of .init included; position 0 must be \
             the only one of the name, position n the n-th"
        }
    };
    let action = match absent.lack {
        Lack::Module if late => {
            format!(
                "load {of} before {name}, and keep it as long as {name} is loaded: nothing else does (KLP016)"
            )
        }
        Lack::Module => format!(
            "load {of}, then {}, and keep {of} as long as patch {name} is loaded: nothing else does (KLP016)",
            object.name
        ),
        _ if late => format!(
            "load {name} before {of}, if it was built for that order, or rebuild it for this build of {of} (klp-trace inspect \
             tells positions that depend on the order: KLP008)"
        ),
        _ => format!(
            "disable patch {name} and remove its module, so that {} can be loaded; then rebuild {name} for this build of {of}",
            object.name
        ),
    };
    Finding {
        id: FindingId::Klp014,
        severity: Severity::Error,
        message: format!("patch {name} needs {symbol} of {of}, which {lacks}{since}"),
        why: why.to_owned(),
        action,
        patch: Some(absent.patch.clone()),
        object: Some(object.clone()),
        section: Some(absent.section.clone()),
        sections: Vec::new(),
        relocations: 1,
        first: Some(Arc::clone(&absent.reloc)),
        commands: match absent.lack {
            Lack::Module if !late => remedy::in_order(&[&**of, &*object.name], None).unwrap_or_default(),
            _ => Vec::new(),
        },
        kernel: Vec::new(),
        opened_ns: 0,
    }
}
