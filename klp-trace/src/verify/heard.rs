//! What the kernel's own log said, put to the findings that it corroborates. No finding is made or changed by it.
//!
//! The kernel says what it does while it holds klp_mutex, so the messages of one load or unload stand together, in order; and
//! they are read before the exit of klp_module_coming or klp_module_going is judged. Which belong to that load is told by
//! their names and their order, never by the time: the log has a clock of its own.

use super::{section::Reloc, verifier::Verifier};
use crate::{
    journal::{Body, Finding, KernelMessage, Says},
    model::FindingId,
};
use std::{collections::VecDeque, sync::Arc};

/// Messages kept until the exit that they belong to.
const KEPT: usize = 256;
/// Messages shown under one finding.
const SHOWN: usize = 8;
/// A message that nothing has asked for within 30 s belongs to nothing that will.
const NEAR_NS: u64 = 30_000_000_000;

/// The messages that were read and belong to no finding yet, each with the time of its reading.
#[derive(Debug, Default)]
pub(super) struct Heard(VecDeque<(u64, KernelMessage)>);

impl Verifier {
    pub(super) fn kernel_message(&mut self, at: u64, message: KernelMessage, say: &mut dyn FnMut(Body)) {
        self.heard.take(at, message.clone());
        say(Body::KernelMessage(message));
    }
}

impl Heard {
    fn take(&mut self, at: u64, message: KernelMessage) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back((at, message));
    }

    /// Forgets what is too old for an event of that time.
    pub(super) fn forget(&mut self, at: u64) {
        while self.0.front().is_some_and(|(read, _)| read.saturating_add(NEAR_NS) < at) {
            self.0.pop_front();
        }
    }

    /// What was said of a load of `object` that was refused: from the last message that tells of no failure to the refusal.
    pub(super) fn refusal(&mut self, object: &str) -> Vec<KernelMessage> {
        let is = |says, message: &KernelMessage| {
            message.says == Some(says) && message.object.as_deref() == Some(object)
        };
        let Some(end) = self.0.iter().position(|(_, message)| is(Says::Refused, message)) else {
            return Vec::new();
        };
        let mut said: Vec<KernelMessage> = self.0.drain(..=end).map(|(_, message)| message).collect();
        // The patches that had been applied to it before are taken off again.
        while self.0.front().is_some_and(|(_, message)| is(Says::Reverting, message)) {
            self.0.pop_front();
        }
        let other = said.iter().rposition(|message| !message.says.is_some_and(Says::is_failure));
        said.split_off(other.map_or(0, |other| other + 1))
    }

    /// What was said last of a failure, and nothing since.
    pub(super) fn failure(&mut self) -> Vec<KernelMessage> {
        let failure = |message: &KernelMessage| message.says.is_some_and(Says::is_failure);
        let other = self.0.iter().rposition(|(_, message)| !failure(message));
        let last = self.0.split_off(other.map_or(0, |other| other + 1));
        last.into_iter().map(|(_, message)| message).collect()
    }

    /// What was said while `object` was unloaded: of each patch that it was reverted, and where its clear stopped.
    pub(super) fn departure(&mut self, object: &str) -> Vec<KernelMessage> {
        let reverting = |message: &KernelMessage| {
            message.says == Some(Says::Reverting) && message.object.as_deref() == Some(object)
        };
        let Some(begin) = self.0.iter().position(|(_, message)| reverting(message)) else {
            return Vec::new();
        };
        self.0.drain(..begin);
        let own = |message: &KernelMessage| reverting(message) || message.says == Some(Says::TargetChanged);
        let end = self.0.iter().position(|(_, message)| !own(message)).unwrap_or(self.0.len());
        self.0.drain(..end).map(|(_, message)| message).collect()
    }
}

/// Those of a departure that are about one patch: that it was reverted, and what follows until the next is.
pub(super) fn of_patch<'a>(said: &'a [KernelMessage], patch: &str) -> &'a [KernelMessage] {
    let reverting = |message: &KernelMessage| message.says == Some(Says::Reverting);
    let begin = said.iter().position(|message| reverting(message) && message.patch.as_deref() == Some(patch));
    let rest = begin.and_then(|begin| said.get(begin..)).unwrap_or_default();
    let end = rest.iter().skip(1).position(reverting).map_or(rest.len(), |next| next + 1);
    rest.get(..end).unwrap_or_default()
}

/// Puts to a finding what the kernel said of the same patch and object; and of the same relocation or symbol, where `reloc`,
/// the one that the finding names, is the one that the kernel stopped at.
pub(super) fn corroborate(finding: &mut Finding, said: &[KernelMessage], reloc: Option<&Reloc>) {
    let patch = finding.patch.as_ref().map(|patch| &patch.name);
    let object = finding.object.as_ref().map(|object| &object.name);
    let agrees = |named: &Option<Arc<str>>, own: Option<&Arc<str>>| {
        named.as_ref().is_none_or(|named| own.is_none_or(|own| own == named))
    };
    let (id, symbol) = (finding.id, reloc.map(|reloc| &reloc.r.symbol));
    let stopped_at = reloc.filter(|_| matches!(id, FindingId::Klp002 | FindingId::Klp009));
    let about = |message: &&KernelMessage| {
        agrees(&message.patch, patch)
            && agrees(&message.object, object)
            && (id != FindingId::Klp014 || agrees(&message.symbol, symbol))
            && stopped_at.is_none_or(|reloc| {
                message.rtype.is_none_or(|rtype| rtype == reloc.rtype)
                    && message.address.is_none_or(|address| reloc.address.is_none_or(|own| own == address))
            })
    };
    finding.kernel = said.iter().filter(about).take(SHOWN).map(|message| Arc::clone(&message.text)).collect();
}
