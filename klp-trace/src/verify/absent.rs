//! KLP014: a load was refused because its object does not have a symbol that a patch needs.

use super::{
    conclude::lookup_of,
    objects::Presence,
    section::Section,
    verifier::{NeededSymbol, Verifier},
};
use crate::{
    event::{Body, Finding, Lookup, ObjectRef, PatchRef, RelocRef, SectionRef},
    model::{Address, FindingId, Reason, Severity},
};
use std::{collections::BTreeSet, sync::Arc};

/// The symbol that the kernel could not resolve.
pub(super) struct Absent {
    pub patch: PatchRef,
    pub section: SectionRef,
    pub reloc: Arc<RelocRef>,
    /// There are several, and no position tells which.
    several: bool,
    /// Its object had been loaded before the patch: of .init nothing is left to be counted.
    late: bool,
}

impl Absent {
    /// `symbol klp_target_absent,0`.
    pub(super) fn symbol(&self) -> String {
        format!("symbol {},{}", self.reloc.symbol, self.reloc.sympos)
    }

    /// What the kernel found of it.
    pub(super) const fn what(&self) -> &'static str {
        if self.several { "is there more than once" } else { "is not there" }
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
                let several = match lookup_of(&self.symbols, reloc) {
                    Some(Lookup::Failed { why: Reason::SymbolNotFound }) => false,
                    Some(Lookup::Failed { why: Reason::SymbolAmbiguous }) => true,
                    _ => continue,
                };
                let (section, reloc) = (section.r.clone(), Arc::clone(&reloc.r));
                return Some(Absent { patch: patch.r.clone(), section, reloc, several, late });
            }
        }
        None
    }
}

/// KLP014.
pub(super) fn not_found(absent: &Absent, object: &ObjectRef) -> Finding {
    let (name, of, symbol) = (&absent.patch.name, &object.name, absent.symbol());
    Finding {
        id: FindingId::Klp014,
        severity: Severity::Error,
        message: format!(
            "patch {name} needs {symbol} of {of}, which {}{}",
            if absent.several { "has it more than once" } else { "does not have it" },
            if absent.late { " when it has been loaded" } else { "" }
        ),
        why: if absent.late {
            "once an object is loaded, its .init symbols are gone, and the kernel counts those that are left; position 0 must be \
             the only one of the name, position n the n-th"
        } else {
            "while an object is loading, the kernel looks in its whole symbol table, that of .init included; position 0 must be \
             the only one of the name, position n the n-th"
        }
        .to_owned(),
        action: if absent.late {
            format!(
                "load {name} before {of}, if it was built for that order, or rebuild it for this build of {of} (klp-trace inspect \
                 tells positions that depend on the order: KLP008)"
            )
        } else {
            format!(
                "disable patch {name} and remove its module, so that {of} can be loaded; then rebuild {name} for this build of {of}"
            )
        },
        patch: Some(absent.patch.clone()),
        object: Some(object.clone()),
        section: Some(absent.section.clone()),
        relocations: 1,
        first: Some(Arc::clone(&absent.reloc)),
        kernel: Vec::new(),
    }
}
