//! What is known now: updated by events, bounded in memory whatever happens for however long.

pub mod counts;
pub mod findings;
pub mod hooks;
pub mod story;
pub mod tail;
pub mod tree;

mod take;

use crate::arch::Arch;
use crate::journal::{Nearest, Origin, PatchRef, SymbolLookup};
use counts::Counts;
use findings::Findings;
use hooks::HookRow;
use std::collections::BTreeMap;
use std::sync::Arc;
use story::Story;
use tail::Tail;
use tree::{Object, Patch, Reloc, Section};

/// Symbols and addresses remembered, so that a hostile journal does not take memory without end.
const PLACES: usize = 1 << 14;

/// What is known now.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    /// Where the events come from.
    pub origin: Option<Origin>,
    /// Whether this kernel clears relocations when an object goes.
    pub clears: bool,
    /// Whether a session has begun.
    pub begun: bool,
    /// Sessions that began.
    pub sessions: u64,
    /// The livepatches loaded now, in the order in which they were first seen.
    pub patches: Vec<Patch>,
    /// Of all of them.
    pub counts: Counts,
    /// The findings.
    pub findings: Findings,
    /// The latest events.
    pub tail: Tail,
    /// The time line.
    pub story: Story,
    /// The hooks.
    pub hooks: Vec<HookRow>,
    /// Records known to be lost.
    pub lost: u64,
    /// Times that records were lost, or may have been.
    pub losses: u64,
    /// The transition under way: since when, and of which patch, where that is known.
    pub transition: Option<(u64, Option<PatchRef>)>,
    /// Events taken.
    pub events: u64,
    /// Changes with everything that moves rows: patches, sections, relocations that come and go.
    pub shape: u64,
    /// Changes with every verdict and every relocation's bytes.
    pub verdicts: u64,
    /// Which symbols the addresses of looked-up symbols belong to.
    symbols: BTreeMap<u64, (SymbolName, Option<u32>)>,
    places: BTreeMap<u64, Nearest>,
    /// Where the last state went: its patch, object and section.
    last: (usize, usize, usize),
}

/// Object and symbol.
type SymbolName = (Arc<str>, Arc<str>);

/// Where a section is in the tree: the places of its patch, its object, and itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// The patch's.
    pub patch: usize,
    /// The object's, in the patch.
    pub object: usize,
    /// The section's, in the object.
    pub section: usize,
}

impl Picture {
    /// Of nothing, at this origin.
    pub fn new(origin: Origin) -> Self {
        Self { origin: Some(origin), ..Self::default() }
    }

    /// The patch, object and section at a place.
    pub fn at(&self, place: Place) -> Option<(&Patch, &Object, &Section)> {
        let patch = self.patches.get(place.patch)?;
        let object = patch.objects.get(place.object)?;
        Some((patch, object, object.sections.get(place.section)?))
    }

    /// All sections, with their places, in order.
    pub fn sections(&self) -> impl Iterator<Item = (Place, &Patch, &Object, &Section)> {
        self.patches.iter().enumerate().flat_map(|(patch, p)| {
            p.objects.iter().enumerate().flat_map(move |(object, o)| {
                o.sections
                    .iter()
                    .enumerate()
                    .map(move |(section, s)| (Place { patch, object, section }, p, o, s))
            })
        })
    }

    /// Whether this load of a patch is still there.
    pub fn is_loaded(&self, patch: &PatchRef) -> bool {
        self.patches.iter().any(|p| p.r.address == patch.address && p.r.load == patch.load)
    }

    /// Whether the livepatch that a finding is about is gone.
    pub fn is_past(&self, finding: &crate::journal::Finding) -> bool {
        finding.patch.as_ref().is_some_and(|patch| !self.is_loaded(patch))
    }

    /// The symbol's value that a relocation's bytes come of, and what is known to be there.
    pub fn points_to(&self, reloc: &Reloc) -> Option<(u64, Option<String>)> {
        let arch = Arch::from_uname(&self.origin.as_ref()?.host.kernel.arch)?;
        let rtype = (0..256).find(|number| arch.type_name(*number) == Some(&*reloc.r.rtype))?;
        let bytes = reloc.actual.filter(|bytes| !bytes.is_zero())?;
        let to = arch.symbol(rtype, bytes, reloc.r.addend, reloc.address?.0)?;
        let known = self.symbols.get(&to).map(|((object, symbol), load)| {
            let load = load.filter(|load| *load > 1).map(|load| format!("#{load}")).unwrap_or_default();
            format!("{object}{load}:{symbol}")
        });
        let near = || {
            let Nearest { object, symbol, offset } = self.places.get(&to)?;
            Some(if *offset == 0 {
                format!("{object}:{symbol}")
            } else {
                format!("{object}:{symbol}+{offset:#x}")
            })
        };
        Some((to, known.or_else(near)))
    }

    /// Takes over what the kernel counted of each hook.
    pub fn count(&mut self, counted: &[(crate::model::Hook, hooks::Ran)]) {
        for (hook, ran) in counted {
            if let Some(row) = self.hooks.iter_mut().find(|row| row.info.name == *hook) {
                row.ran = Some(*ran);
            }
        }
    }

    fn symbol(&mut self, lookup: &SymbolLookup) {
        if let crate::journal::Lookup::Found { address, .. } = lookup.outcome
            && (self.symbols.len() < PLACES || self.symbols.contains_key(&address.0))
        {
            let name = (Arc::clone(&lookup.object.name), Arc::clone(&lookup.symbol));
            self.symbols.insert(address.0, (name, lookup.object.load));
        }
    }
}
