//! From a record to its event.

use super::{Kind, Record};
use crate::journal::evidence::{HookEvent, PatchMetadata, SectionRead, SymbolLookup, Transition};
use crate::journal::found::{AddressLookup, Livepatch, Stall};
use crate::journal::outcome::{Finding, FindingClosed, RelocState};
use crate::journal::{Body, Event};
use std::sync::Arc;
use thiserror::Error;

/// A record lacks a part that its kind needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a {} record without `{part}`", kind.name())]
pub struct Malformed {
    /// The record's kind.
    pub kind: Kind,
    /// The part that is not there.
    pub part: &'static str,
}

impl Record {
    /// The event that the record holds. A `section_read` comes without entries: they may stand in several records, and
    /// [`crate::journal::reader::Reader`] brings them together.
    pub fn into_event(self) -> Result<Event, Malformed> {
        let (mono_ns, task) = (self.mono_ns, self.task.clone());
        Ok(Event { mono_ns, task, body: self.into_body()? })
    }

    fn into_body(self) -> Result<Body, Malformed> {
        let kind = self.event.kind;
        let lacks = |part| Malformed { kind, part };
        Ok(match kind {
            Kind::Session => Body::Session(self.session.ok_or(lacks("session"))?),
            Kind::PatchMetadata => {
                let meta = self.metadata.ok_or(lacks("metadata"))?;
                Body::PatchMetadata(PatchMetadata {
                    patch: self.patch.ok_or(lacks("patch"))?,
                    section: self.section.ok_or(lacks("section"))?,
                    object: self.object.ok_or(lacks("object"))?.name,
                    elf: meta.elf,
                    target: meta.target,
                    writable: meta.writable,
                    total: meta.total,
                    entries: meta.entries,
                })
            }
            Kind::SymbolLookup => {
                let symbol = self.symbol.ok_or(lacks("symbol"))?;
                Body::SymbolLookup(SymbolLookup {
                    object: self.object.ok_or(lacks("object"))?,
                    symbol: symbol.name,
                    sympos: symbol.sympos,
                    outcome: symbol.lookup,
                })
            }
            Kind::AddressLookup => {
                let place = self.place.ok_or(lacks("place"))?;
                Body::AddressLookup(AddressLookup { address: place.address, nearest: place.nearest })
            }
            Kind::Livepatch => {
                let found = self.livepatch.ok_or(lacks("livepatch"))?;
                Body::Livepatch(Livepatch {
                    patch: self.patch.ok_or(lacks("patch"))?,
                    standing: found.standing,
                    sections: found.sections,
                    unread: found.unread,
                    refcount: found.refcount,
                    objects: found.objects,
                })
            }
            Kind::Module => Body::Module(self.module.ok_or(lacks("module"))?),
            Kind::Hook => {
                let hook = self.hook.ok_or(lacks("hook"))?;
                Body::Hook(HookEvent {
                    hook: hook.name,
                    phase: hook.phase,
                    ret: hook.ret,
                    cpu: hook.cpu,
                    patch: self.patch,
                    object: self.object,
                    section: self.section,
                })
            }
            Kind::RelocState => Body::RelocState(RelocState {
                patch: self.patch.ok_or(lacks("patch"))?,
                object: self.object.ok_or(lacks("object"))?,
                section: self.section.ok_or(lacks("section"))?,
                reloc: self.reloc.ok_or(lacks("reloc"))?,
                address: self.target.and_then(|target| target.address),
                expected: self.target.and_then(|target| target.expected),
                actual: self.target.and_then(|target| target.actual),
                recorded: self.recorded,
                live: self.live,
                witnesses: self.witnesses,
                read: self.read,
                verdict: self.verdict,
                reason: self.reason,
                previous: self.previous,
            }),
            Kind::SectionRead => {
                let walk = self.walk.ok_or(lacks("walk"))?;
                Body::SectionRead(SectionRead {
                    patch: self.patch.ok_or(lacks("patch"))?,
                    section: self.section.ok_or(lacks("section"))?,
                    object: self.object.ok_or(lacks("object"))?,
                    read: self.read.ok_or(lacks("read"))?,
                    ret: walk.ret,
                    total: walk.total,
                    lost: walk.lost,
                    entries: Vec::new(),
                    rewrites: walk.rewrites,
                })
            }
            Kind::Stall => Body::Stall(Stall {
                patch: self.patch.ok_or(lacks("patch"))?,
                found: self.stall.ok_or(lacks("stall"))?,
            }),
            Kind::KernelMessage => Body::KernelMessage(self.message.ok_or(lacks("message"))?),
            Kind::Transition => Body::Transition(Transition {
                patch: self.patch,
                step: self.transition.ok_or(lacks("transition"))?.step,
                replace: self.transition.and_then(|part| part.replace),
            }),
            Kind::Finding => {
                let finding = self.finding.ok_or(lacks("finding"))?;
                Body::Finding(Finding {
                    id: finding.id,
                    severity: finding.severity,
                    message: finding.message,
                    why: finding.why,
                    action: finding.action,
                    commands: finding.commands,
                    patch: self.patch,
                    object: self.object,
                    section: self.section,
                    sections: finding.sections,
                    relocations: finding.relocations,
                    first: self.reloc.map(Arc::new),
                    kernel: finding.kernel,
                    opened_ns: finding.opened_ns.unwrap_or(self.mono_ns),
                })
            }
            Kind::FindingClosed => {
                let closed = self.closed.ok_or(lacks("closed"))?;
                Body::FindingClosed(FindingClosed {
                    id: closed.id,
                    severity: closed.severity,
                    patch: self.patch,
                    object: self.object,
                    opened_ns: closed.opened_ns,
                    end: closed.end,
                })
            }
            Kind::EventsLost => Body::EventsLost(self.lost.ok_or(lacks("lost"))?),
            Kind::SessionEnd => Body::SessionEnd(self.end.ok_or(lacks("end"))?),
            // The one is of several events, which are derived anew; the other tells of files, not of what happened.
            Kind::SectionState | Kind::Continued => return Err(lacks("event of its own")),
        })
    }
}
