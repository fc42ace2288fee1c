//! From an event to its record.

use super::{
    ClosedPart, ContinuesPart, EventPart, FindingPart, HookPart, Kind, LivepatchPart, MetadataPart,
    PlacePart, Record, SymbolPart, TargetPart, TransitionPart, WalkPart,
};
use crate::journal::chain::Hash;
use crate::journal::envelope::{EventId, Origin, Schema};
use crate::journal::outcome::{Finding, FindingClosed, RelocState};
use crate::journal::refs::ObjectRef;
use crate::journal::{Body, Event};
use std::borrow::Cow;

/// What the journal adds to an event.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// Where the events come from.
    pub origin: &'a Origin,
    /// The session's number.
    pub session: u64,
    /// The record's number in its session, from 1.
    pub seq: u64,
    /// The hash of the line before.
    pub prev: Hash,
}

/// How many entries of a `section_read` are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Listed(pub u32);

impl Record {
    /// The record of an event, not yet sealed. `listed` is used for a `section_read` alone.
    pub fn from_event(event: &Event, envelope: &Envelope<'_>, listed: Listed) -> Self {
        let mut record = Self::empty(kind_of(&event.body), event.mono_ns, envelope);
        record.task.clone_from(&event.task);
        record.fill(&event.body, listed);
        record
    }

    /// The first record of a file that goes on with a session; `mono_ns` is that of the event before it.
    pub fn continued(mono_ns: u64, continues: ContinuesPart, envelope: &Envelope<'_>) -> Self {
        let mut record = Self::empty(Kind::Continued, mono_ns, envelope);
        record.continues = Some(continues);
        record
    }

    pub(in crate::journal) fn empty(kind: Kind, mono_ns: u64, envelope: &Envelope<'_>) -> Self {
        let origin = envelope.origin;
        Self {
            schema: Schema,
            seq: envelope.seq,
            time: origin.clock.time(mono_ns),
            mono_ns,
            event: EventPart { kind, id: EventId { session: envelope.session, seq: envelope.seq } },
            host: origin.host.clone(),
            tool: origin.tool.clone(),
            task: None,
            patch: None,
            object: None,
            section: None,
            reloc: None,
            target: None,
            recorded: None,
            live: None,
            witnesses: None,
            read: None,
            verdict: None,
            reason: None,
            previous: None,
            finding: None,
            closed: None,
            session: None,
            metadata: None,
            symbol: None,
            place: None,
            livepatch: None,
            module: None,
            hook: None,
            walk: None,
            part: None,
            parts: None,
            entries: None,
            relocations: None,
            transition: None,
            stall: None,
            message: None,
            lost: None,
            end: None,
            continues: None,
            prev: envelope.prev,
            hash: None,
        }
    }

    fn fill(&mut self, body: &Body, listed: Listed) {
        match body {
            Body::Session(session) => self.session = Some(session.clone()),
            Body::PatchMetadata(meta) => {
                self.patch = Some(meta.patch.clone());
                self.section = Some(meta.section.clone());
                self.object = Some(ObjectRef { name: meta.object.clone(), address: None, load: None });
                self.metadata = Some(MetadataPart {
                    elf: meta.elf.clone(),
                    target: meta.target.clone(),
                    writable: meta.writable,
                    total: meta.total,
                    entries: meta.entries.clone(),
                });
            }
            Body::SymbolLookup(lookup) => {
                self.object = Some(lookup.object.clone());
                self.symbol = Some(SymbolPart {
                    name: lookup.symbol.clone(),
                    sympos: lookup.sympos,
                    lookup: lookup.outcome,
                });
            }
            Body::AddressLookup(lookup) => {
                self.place = Some(PlacePart { address: lookup.address, nearest: lookup.nearest.clone() });
            }
            Body::Livepatch(found) => {
                self.patch = Some(found.patch.clone());
                self.livepatch = Some(LivepatchPart {
                    standing: found.standing,
                    sections: found.sections,
                    unread: found.unread.clone(),
                    refcount: found.refcount,
                    objects: found.objects.clone(),
                });
            }
            Body::Module(module) => self.module = Some(module.clone()),
            Body::Hook(hook) => {
                self.patch.clone_from(&hook.patch);
                self.object.clone_from(&hook.object);
                self.section.clone_from(&hook.section);
                self.hook =
                    Some(HookPart { name: hook.hook, phase: hook.phase, ret: hook.ret, cpu: hook.cpu });
            }
            Body::RelocState(state) => self.fill_state(state),
            Body::SectionRead(read) => {
                self.patch = Some(read.patch.clone());
                self.section = Some(read.section.clone());
                self.object = Some(read.object.clone());
                self.read = Some(read.read);
                let unchanged = if read.lost == 0 { read.total.saturating_sub(listed.0) } else { 0 };
                self.walk = Some(WalkPart {
                    total: read.total,
                    lost: read.lost,
                    listed: listed.0,
                    unchanged,
                    ret: read.ret,
                    rewrites: read.rewrites.clone(),
                });
            }
            Body::Transition(transition) => {
                self.patch.clone_from(&transition.patch);
                self.transition = Some(TransitionPart { step: transition.step, replace: transition.replace });
            }
            Body::Stall(stall) => {
                self.patch = Some(stall.patch.clone());
                self.stall = Some(stall.found.clone());
            }
            Body::KernelMessage(message) => self.message = Some(message.clone()),
            Body::Finding(finding) => self.fill_finding(finding),
            Body::FindingClosed(closed) => self.fill_closed(closed),
            Body::EventsLost(lost) => self.lost = Some(lost.clone()),
            Body::SessionEnd(end) => self.end = Some(end.clone()),
        }
    }

    fn fill_state(&mut self, state: &RelocState) {
        self.patch = Some(state.patch.clone());
        self.object = Some(state.object.clone());
        self.section = Some(state.section.clone());
        self.reloc = Some(state.reloc.clone());
        let target = TargetPart { address: state.address, expected: state.expected, actual: state.actual };
        let known = target.address.is_some() || target.expected.is_some() || target.actual.is_some();
        self.target = known.then_some(target);
        self.recorded = state.recorded;
        self.live = state.live;
        self.witnesses = state.witnesses;
        self.read = state.read;
        self.verdict = state.verdict;
        self.reason = state.reason;
        self.previous = state.previous;
    }

    fn fill_closed(&mut self, closed: &FindingClosed) {
        self.patch.clone_from(&closed.patch);
        self.object.clone_from(&closed.object);
        self.closed = Some(ClosedPart {
            id: closed.id,
            name: Cow::Borrowed(closed.id.name()),
            severity: closed.severity,
            opened_ns: closed.opened_ns,
            end: closed.end,
        });
    }

    fn fill_finding(&mut self, finding: &Finding) {
        self.patch.clone_from(&finding.patch);
        self.object.clone_from(&finding.object);
        self.section.clone_from(&finding.section);
        self.reloc = finding.first.as_deref().cloned();
        self.finding = Some(FindingPart {
            id: finding.id,
            name: Cow::Borrowed(finding.id.name()),
            severity: finding.severity,
            message: finding.message.clone(),
            why: finding.why.clone(),
            action: finding.action.clone(),
            commands: finding.commands.clone(),
            relocations: finding.relocations,
            sections: finding.sections.clone(),
            kernel: finding.kernel.clone(),
            opened_ns: Some(finding.opened_ns).filter(|opened| *opened != self.mono_ns),
        });
    }
}

fn kind_of(body: &Body) -> Kind {
    match body {
        Body::Session(_) => Kind::Session,
        Body::PatchMetadata(_) => Kind::PatchMetadata,
        Body::SymbolLookup(_) => Kind::SymbolLookup,
        Body::AddressLookup(_) => Kind::AddressLookup,
        Body::Livepatch(_) => Kind::Livepatch,
        Body::Module(_) => Kind::Module,
        Body::Hook(_) => Kind::Hook,
        Body::RelocState(_) => Kind::RelocState,
        Body::SectionRead(_) => Kind::SectionRead,
        Body::Transition(_) => Kind::Transition,
        Body::Stall(_) => Kind::Stall,
        Body::KernelMessage(_) => Kind::KernelMessage,
        Body::Finding(_) => Kind::Finding,
        Body::FindingClosed(_) => Kind::FindingClosed,
        Body::EventsLost(_) => Kind::EventsLost,
        Body::SessionEnd(_) => Kind::SessionEnd,
    }
}
