//! The probes as the reader of a live source.

use super::{convert, reader::Reader};
use crate::{
    journal::{EventsLost, HookInfo, LossCause, Unread},
    probe::{
        HookStatus, Lost, Probes,
        event::{Header, RawEvent, SectionInfo, Symbol},
    },
};
use std::collections::VecDeque;

impl Reader for Probes {
    fn drain(&mut self, queue: &mut VecDeque<RawEvent>) {
        Self::drain(self, &mut |event| queue.push_back(event));
    }

    fn loss(&mut self) -> Vec<EventsLost> {
        let mut lost = Vec::new();
        for of_hook in Self::loss(self) {
            let hook = convert::hook(of_hook.hook);
            let event = |(cause, count)| (count > 0).then_some(EventsLost { hook, cause, count });
            lost.extend(causes(&of_hook.lost).into_iter().filter_map(event));
        }
        lost
    }

    fn may_have_lost(&mut self) -> bool {
        Self::may_have_lost(self)
    }

    fn sections(&mut self, module: u64, queue: &mut VecDeque<RawEvent>) -> Result<Vec<SectionInfo>, Unread> {
        self.inventory(module, &mut |event| queue.push_back(event)).map_err(Unread::from)
    }

    fn read_section(
        &mut self,
        module: u64,
        relsec: u32,
        queue: &mut VecDeque<RawEvent>,
    ) -> Result<(), Unread> {
        let read = Self::read_section(self, module, relsec, &mut |event| queue.push_back(event));
        read.map(|_| ()).map_err(Unread::from)
    }

    fn headers(&mut self, module: u64, queue: &mut VecDeque<RawEvent>) -> Vec<Header> {
        Self::headers(self, module, &mut |event| queue.push_back(event)).unwrap_or_default()
    }

    fn memory(&mut self, address: u64, length: usize, queue: &mut VecDeque<RawEvent>) -> Option<Vec<u8>> {
        Self::memory(self, address, length, &mut |event| queue.push_back(event)).ok()
    }

    fn symbol(&mut self, module: u64, index: u32, queue: &mut VecDeque<RawEvent>) -> Result<Symbol, Unread> {
        Self::symbol(self, module, index, &mut |event| queue.push_back(event)).map_err(Unread::from)
    }
}

/// What counts as lost. A read that failed is no loss: its entry says so itself.
fn causes(lost: &Lost) -> [(LossCause, u64); 6] {
    [
        (LossCause::RingFull, lost.ring_full),
        (LossCause::Recursion, lost.recursion),
        (LossCause::MissedExit, lost.missed_exits),
        (LossCause::MapFull, lost.sections_full),
        (LossCause::CallsFull, lost.calls_full),
        (LossCause::HelperRefused, lost.helper_errors),
    ]
}

/// A hook as a session names it.
pub fn hook_info(status: &HookStatus) -> HookInfo {
    HookInfo {
        name: convert::hook(status.hook),
        mechanism: status.mechanism.map(|mechanism| mechanism.name().to_owned()),
        reason: status.reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_told_by_itself() {
        let lost = Lost {
            ring_full: 1,
            recursion: 2,
            missed_exits: 3,
            read_errors: 4,
            sections_full: 5,
            calls_full: 6,
            helper_errors: 7,
        };
        let counts = causes(&lost);
        assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 1 + 2 + 3 + 5 + 6 + 7);
        for (cause, count) in
            [(LossCause::MapFull, 5), (LossCause::CallsFull, 6), (LossCause::HelperRefused, 7)]
        {
            assert!(counts.contains(&(cause, count)), "{cause:?}");
        }
    }
}
