//! What a live source needs of the probes; a seam, so that its rules can be tried without a kernel.

use crate::{
    journal::{EventsLost, Unread},
    kernel::kallsyms::Query,
    probe::event::{Header, RawEvent, SectionInfo, Symbol},
};
use std::collections::VecDeque;

/// Reads the kernel. Records that arrive while an answer is awaited go to `queue`, in the kernel's order.
pub trait Reader {
    /// Moves what has arrived to `queue`; never waits.
    fn drain(&mut self, queue: &mut VecDeque<RawEvent>);

    /// What was lost since the last call: all that can be found out, at some cost.
    fn loss(&mut self) -> Vec<EventsLost>;

    /// Whether something may have been lost since the last call of this; cheap, for each wake-up.
    fn may_have_lost(&mut self) -> bool {
        false
    }

    /// The livepatch sections of the patch at `module`.
    fn sections(&mut self, module: u64, queue: &mut VecDeque<RawEvent>) -> Result<Vec<SectionInfo>, Unread>;

    /// Has a section read; its walk arrives in `queue`.
    fn read_section(
        &mut self,
        module: u64,
        relsec: u32,
        queue: &mut VecDeque<RawEvent>,
    ) -> Result<(), Unread>;

    /// Puts what a query wants of a module, whose `struct module` is at `module`, into it, from the module's own symbol table;
    /// false, and nothing put there, where this reader does not.
    fn module_symbols(&self, _module: u64, _object: &[u8], _query: &mut Query) -> bool {
        false
    }

    /// Every section of the patch at `module`, whatever it holds; none where this reader cannot tell.
    fn headers(&mut self, _module: u64, _queue: &mut VecDeque<RawEvent>) -> Vec<Header> {
        Vec::new()
    }

    /// Kernel memory; `None` when not all of it can be read.
    fn memory(&mut self, _address: u64, _length: usize, _queue: &mut VecDeque<RawEvent>) -> Option<Vec<u8>> {
        None
    }

    /// A symbol of the patch at `module`.
    fn symbol(&mut self, module: u64, index: u32, queue: &mut VecDeque<RawEvent>) -> Result<Symbol, Unread>;
}
