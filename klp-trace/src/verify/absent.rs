//! KLP014: a load was refused because its object does not have a symbol that a patch needs.

use super::{conclude::lookup_of, verifier::Verifier};
use crate::{
    event::{Finding, Lookup, ObjectRef, PatchRef, RelocRef, SectionRef},
    model::{FindingId, Reason, Severity},
};
use std::sync::Arc;

/// The symbol that the kernel could not resolve.
pub(super) struct Absent {
    pub patch: PatchRef,
    pub section: SectionRef,
    pub reloc: Arc<RelocRef>,
    /// There are several, and no position tells which.
    several: bool,
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
        let sections =
            self.patches.values().flat_map(|patch| patch.sections.values().map(move |s| (patch, s)));
        for (patch, section) in sections.filter(|(_, section)| &*section.object == object && !section.orphan)
        {
            for reloc in section.relocs.values() {
                let several = match lookup_of(&self.symbols, reloc) {
                    Some(Lookup::Failed { why: Reason::SymbolNotFound }) => false,
                    Some(Lookup::Failed { why: Reason::SymbolAmbiguous }) => true,
                    _ => continue,
                };
                let (section, reloc) = (section.r.clone(), Arc::clone(&reloc.r));
                return Some(Absent { patch: patch.r.clone(), section, reloc, several });
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
            "patch {name} needs {symbol} of {of}, which {}",
            if absent.several { "has it more than once" } else { "does not have it" }
        ),
        why: "while an object is loading, the kernel looks in its whole symbol table, that of .init included; position 0 must be \
              the only one of the name, position n the n-th"
            .to_owned(),
        action: format!(
            "disable patch {name} and remove its module, so that {of} can be loaded; then rebuild {name} for this build of {of}"
        ),
        patch: Some(absent.patch.clone()),
        object: Some(object.clone()),
        section: Some(absent.section.clone()),
        relocations: 1,
        first: Some(Arc::clone(&absent.reloc)),
        kernel: Vec::new(),
    }
}
