//! The findings that hold: each is opened once, and closed when what it says is no longer so.

use super::verifier::Verifier;
use crate::{
    journal::{Body, Finding, FindingClosed, HookEvent, ObjectRef, PatchMetadata, PatchRef, SectionRead},
    model::{FindingEnd, FindingId, Severity},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Findings kept open at once: bounds what a hostile journal can take. Those beyond are counted, and never close.
const MOST: usize = 1024;

/// What a finding is about. Said again of the same, it is the same finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct About {
    pub id: FindingId,
    /// Address and load.
    pub patch: Option<(u64, u32)>,
    pub object: Option<Arc<str>>,
    /// KLP016: the module that has the symbols, and whether its going is foretold.
    pub third: Option<(Arc<str>, bool)>,
}

/// A finding that holds.
#[derive(Debug)]
pub(super) struct OpenFinding {
    severity: Severity,
    patch: Option<PatchRef>,
    /// As it was when the finding was made last.
    pub object: Option<ObjectRef>,
    opened_ns: u64,
}

/// What an event may have changed: only findings about that are looked at again.
#[derive(Debug)]
pub(super) enum Touched {
    /// Nothing that ends a finding.
    Nothing,
    /// A patch; and, since a section of it may have been the last to be read again, what a loss left open.
    Patch(u64),
    /// A module, a patch or an object: its name and its address.
    Module(Arc<str>, Option<u64>),
    /// Any patch: one replaces others.
    All,
}

impl Touched {
    /// What this event may have changed.
    pub(super) fn by(body: &Body) -> Self {
        match body {
            Body::PatchMetadata(PatchMetadata { patch, .. })
            | Body::SectionRead(SectionRead { patch, .. }) => Self::Patch(patch.address.0),
            Body::Module(module) => {
                Self::Module(Arc::clone(&module.name), module.address.map(|address| address.0))
            }
            Body::Hook(HookEvent { object: Some(object), .. }) => {
                Self::Module(Arc::clone(&object.name), object.address.map(|address| address.0))
            }
            Body::Session(_) | Body::Transition(_) | Body::Livepatch(_) | Body::Stall(_) => Self::All,
            Body::Hook(_)
            | Body::SymbolLookup(_)
            | Body::AddressLookup(_)
            | Body::KernelMessage(_)
            | Body::EventsLost(_)
            | Body::RelocState(_)
            | Body::Finding(_)
            | Body::FindingClosed(_)
            | Body::SessionEnd(_) => Self::Nothing,
        }
    }

    fn is(&self, about: &About, open: &OpenFinding) -> bool {
        let of = about.patch.map(|(address, _)| address);
        match self {
            Self::Nothing => false,
            Self::Patch(address) => of == Some(*address) || about.id == FindingId::Klp013,
            Self::Module(name, address) => {
                (of.is_some() && of == *address)
                    || about.object.as_ref() == Some(name)
                    || about.third.as_ref().is_some_and(|(third, _)| third == name)
                    || open.patch.as_ref().is_some_and(|patch| patch.name == *name)
            }
            Self::All => true,
        }
    }
}

/// All that hold.
#[derive(Debug, Default)]
pub(super) struct OpenFindings {
    held: BTreeMap<About, OpenFinding>,
    /// Opened since findings were last closed.
    fresh: BTreeSet<About>,
    /// By id, those that were too many to be kept.
    beyond: BTreeMap<FindingId, (u32, Severity)>,
}

impl OpenFindings {
    /// The gravest.
    pub(super) fn worst(&self) -> Option<Severity> {
        let held = self.held.values().map(|open| open.severity);
        held.chain(self.beyond.values().map(|(_, severity)| *severity)).max()
    }

    /// How many hold, by id.
    pub(super) fn counts(&self) -> BTreeMap<FindingId, u32> {
        let mut counts: BTreeMap<FindingId, u32> =
            self.beyond.iter().map(|(id, (count, _))| (*id, *count)).collect();
        for about in self.held.keys() {
            *counts.entry(about.id).or_default() += 1;
        }
        counts
    }

    /// Since when it holds.
    fn open(&mut self, about: About, finding: &Finding, now: u64) -> u64 {
        if self.held.len() >= MOST && !self.held.contains_key(&about) {
            let beyond = self.beyond.entry(about.id).or_insert((0, finding.severity));
            *beyond = (beyond.0.saturating_add(1), beyond.1.max(finding.severity));
            return now;
        }
        self.fresh.insert(about.clone());
        let open = self.held.entry(about).or_insert_with(|| OpenFinding {
            severity: finding.severity,
            patch: finding.patch.clone(),
            object: finding.object.clone(),
            opened_ns: now,
        });
        (open.severity, open.object) = (finding.severity, finding.object.clone());
        open.opened_ns
    }
}

impl Verifier {
    /// A finding was made: it holds from now on, or since it was made first. `now`, and what is returned: `CLOCK_MONOTONIC`,
    /// nanoseconds.
    pub(super) fn open_finding(&mut self, finding: &Finding, now: u64) -> u64 {
        let patch = finding.patch.as_ref();
        let third = match (finding.id, patch, &finding.section, &finding.first) {
            (FindingId::Klp016, Some(of), Some(section), Some(first)) => self
                .patches
                .get(&of.address.0)
                .and_then(|patch| patch.sections.get(&section.index)?.relocs.get(&first.index))
                .and_then(|reloc| reloc.symbol_object.clone())
                .map(|third| (third, finding.severity == Severity::Info)),
            _ => None,
        };
        let about = About {
            id: finding.id,
            patch: patch.map(|patch| (patch.address.0, patch.load)),
            object: finding.object.as_ref().map(|object| Arc::clone(&object.name)),
            third,
        };
        self.open.open(about, finding, now)
    }

    /// Closes the findings that do not hold any more after an event that touched this.
    pub(super) fn close_findings(&mut self, touched: &Touched, say: &mut dyn FnMut(Body)) {
        if self.open.held.is_empty() {
            return;
        }
        let fresh = std::mem::take(&mut self.open.fresh);
        let ended = |(about, open): (&About, &OpenFinding)| {
            let asked = touched.is(about, open) || fresh.contains(about);
            asked.then(|| Some((about.clone(), self.ended(about, open)?))).flatten()
        };
        let ended: Vec<(About, FindingEnd)> = self.open.held.iter().filter_map(ended).collect();
        for (about, end) in ended {
            let Some(open) = self.open.held.remove(&about) else { continue };
            self.may_say_again(&about, end);
            let OpenFinding { severity, patch, object, opened_ns } = open;
            say(Body::FindingClosed(FindingClosed { id: about.id, severity, patch, object, opened_ns, end }));
        }
    }
}
