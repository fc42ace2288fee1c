//! Takes out of evidence where KASLR has put the kernel, and leaves every relation that a verdict rests on.
//!
//! Every address of the kernel's image and of modules is moved by the distance from where `_text` is to where it would be
//! without KASLR; so symbols stand where System.map has them, and PC-relative values stay as they are. What relocations
//! hold is moved alike where it is such an address. Any other address of the kernel's half (a pointer to memory that was
//! allocated at run time) keeps its low 12 bits alone. Zero, and what the patch's file has, stay as they are: the file is
//! no secret, and moved by the distance it would tell it.

mod text;

pub use text::{Shown, hide, replace};

use super::{
    Body, Elf, Event, KernelMessage, Lookup, ModuleAction, ObjectRef, PatchMetadata, PatchRef, SectionRead,
    Session, SessionEnd, Unread,
};
use crate::arch::{Arch, Holds, Space};
use crate::model::{Address, Bytes};
use std::collections::BTreeMap;

/// Begins, up to 6.2, what the kernel says of a place that is not zero (arch/x86/kernel/module.c).
const BEFORE_THE_DISTANCE: &str = "Skipping invalid relocation target";

/// Moves the addresses of one session.
#[derive(Debug)]
pub struct Redactor {
    arch: Arch,
    space: Space,
    base: u64,
    /// By the patch's real address and the section, then by index.
    entries: BTreeMap<(u64, u32), BTreeMap<u32, Known>>,
}

/// How a relocation is written, and what the file has there.
type Known = (u32, Bytes);

impl Redactor {
    /// For a kernel whose `_text` is at `base`; none when no kernel can be there, or it is not known where kernels of the
    /// architecture are.
    pub fn new(arch: Arch, base: Address) -> Option<Self> {
        let space = arch.space()?;
        let base = base.0;
        let can_be = (space.unmoved..space.last_base).contains(&base);
        can_be.then(|| Self { arch, space, base, entries: BTreeMap::new() })
    }

    /// The evidence without addresses of this boot. Conclusions are not for it: they are derived anew, from what it gives.
    pub fn redact(&mut self, mut event: Event) -> Event {
        match &mut event.body {
            Body::Session(session) => {
                self.session(session);
            }
            Body::PatchMetadata(meta) => {
                self.remember(meta);
                self.elf(&mut meta.elf);
                self.patch(&mut meta.patch);
            }
            Body::SymbolLookup(lookup) => {
                self.object(&mut lookup.object);
                if let Lookup::Found { address, .. } = &mut lookup.outcome {
                    self.address(address);
                }
            }
            Body::AddressLookup(lookup) => self.address(&mut lookup.address),
            Body::Livepatch(found) => {
                self.patch(&mut found.patch);
                if let Some(Unread::Refused(why) | Unread::Other(why)) = &mut found.unread {
                    self.text(why);
                }
            }
            Body::Stall(stall) => {
                self.patch(&mut stall.patch);
                // They name functions; where the kernel has no name, it may have printed the address.
                stall.found.blocking.iter_mut().flat_map(|task| &mut task.stack).for_each(|at| self.text(at));
            }
            Body::KernelMessage(message) => self.message(message),
            Body::Module(module) => {
                if let (ModuleAction::Freed, Some(gone)) = (module.action, module.address) {
                    self.entries.retain(|(patch, _), _| *patch != gone.0);
                }
                module.address.iter_mut().for_each(|address| self.address(address));
            }
            Body::Hook(hook) => {
                hook.patch.iter_mut().for_each(|patch| self.patch(patch));
                hook.object.iter_mut().for_each(|object| self.object(object));
            }
            Body::SectionRead(read) => self.read(read),
            Body::Transition(transition) => transition.patch.iter_mut().for_each(|patch| self.patch(patch)),
            Body::RelocState(_)
            | Body::Finding(_)
            | Body::FindingClosed(_)
            | Body::EventsLost(_)
            | Body::SessionEnd(_) => {}
        }
        event
    }

    /// A session's end, which is derived from what was redacted, but for what it says of its source.
    pub fn end(&self, mut end: SessionEnd) -> SessionEnd {
        if let Some(derived) = &mut end.derived {
            derived.first.iter_mut().for_each(|what| self.text(what));
        }
        end
    }

    /// Beside what is typed: a command's arguments and the words of errors are anybody's.
    fn session(&self, session: &mut Session) {
        session.kernel_base = None;
        session.redacted = true;
        session.command.iter_mut().for_each(|word| self.text(word));
        session.hooks.iter_mut().filter_map(|hook| hook.reason.as_mut()).for_each(|why| self.text(why));
        if let Some(derived) = &mut session.derived {
            derived.first.iter_mut().for_each(|what| self.text(what));
        }
    }

    fn elf(&self, elf: &mut Elf) {
        match elf {
            Elf::File { path, .. } => self.text(path),
            Elf::Memory { why } => self.text(why),
            Elf::Differs { path, difference } => {
                self.text(path);
                self.text(difference);
            }
        }
    }

    /// Addresses in a text that is not typed.
    fn text(&self, text: &mut String) {
        *text = replace(text, &|address| Shown::As(self.moved(address)));
    }

    fn remember(&mut self, meta: &PatchMetadata) {
        let section = self.entries.entry((meta.patch.address.0, meta.section.index)).or_default();
        for entry in &meta.entries {
            section.insert(entry.index, (entry.rtype, entry.original));
        }
    }

    fn read(&self, read: &mut SectionRead) {
        let known = self.entries.get(&(read.patch.address.0, read.section.index));
        for entry in &mut read.entries {
            let known = known.and_then(|known| known.get(&entry.index)).copied();
            entry.bytes = entry.bytes.map(|bytes| self.bytes(bytes, known));
            self.address(&mut entry.address);
            entry.recorded.iter_mut().for_each(|recorded| self.address(recorded));
        }
        for place in read.rewrites.iter_mut().flat_map(|rewrites| &mut rewrites.listed) {
            let known = known.and_then(|known| known.get(&place.index)).copied();
            for allowed in &mut place.allowed {
                let mut bytes = [0; 8];
                bytes.iter_mut().zip(allowed.as_slice()).for_each(|(to, from)| *to = *from);
                *allowed = Bytes::new(self.bytes(bytes, known), allowed.as_slice().len());
            }
        }
        self.patch(&mut read.patch);
        self.object(&mut read.object);
    }

    /// The addresses of a message of the kernel, in its text as well. Where the kernel hashes the place it tells nothing,
    /// unless it was booted with `no_hash_pointers`. Before 6.3 it looks whether the place is zero before it makes a distance
    /// of the value: S + A, whatever the type.
    fn message(&self, message: &mut KernelMessage) {
        message.address.iter_mut().for_each(|address| self.address(address));
        let absolute = |rtype| {
            self.arch.holds(rtype).is_none_or(|holds| matches!(holds, Holds::Address | Holds::LowerHalf))
        };
        if message.rtype.is_none_or(absolute) || message.text.contains(BEFORE_THE_DISTANCE) {
            message.value.iter_mut().for_each(|value| self.address(value));
        }
        let hex =
            |address: Option<Address>| address.map_or("?".to_owned(), |address| format!("{:x}", address.0));
        let mut text = message.text.to_string();
        self.text(&mut text);
        // These are what was made of the typed ones.
        let text = replaced(&text, " loc ", &hex(message.address));
        message.text = replaced(&text, " val ", &hex(message.value)).into();
    }

    fn patch(&self, patch: &mut PatchRef) {
        self.address(&mut patch.address);
    }

    fn object(&self, object: &mut ObjectRef) {
        object.address.iter_mut().for_each(|address| self.address(address));
    }

    fn address(&self, address: &mut Address) {
        address.0 = self.moved(address.0);
    }

    fn moved(&self, value: u64) -> u64 {
        match value {
            value if value >= self.space.end || value < self.space.half => value,
            value if value >= self.base => value - (self.base - self.space.unmoved),
            value => self.masked(value),
        }
    }

    /// An address of memory that is allocated at run time.
    fn masked(&self, value: u64) -> u64 {
        self.space.half | (value & 0xfff)
    }

    /// What a relocation holds; bytes behind those that its type writes are not shown, and become zero.
    fn bytes(&self, bytes: [u8; 8], known: Option<Known>) -> [u8; 8] {
        let rtype = known.map(|(rtype, _)| rtype);
        let size = rtype.and_then(|rtype| self.arch.size(rtype)).unwrap_or(8);
        let mut held = [0; 8];
        held.iter_mut().zip(bytes).take(size).for_each(|(to, from)| *to = from);
        if known.is_some_and(|(_, original)| original.as_slice().get(..size) == held.get(..size)) {
            return held;
        }
        let value = u64::from_le_bytes(held);
        let (top, half) = (self.space.top, self.space.half);
        let shown = match rtype.and_then(|rtype| self.arch.holds(rtype)) {
            // Of two addresses of the top two gigabytes the distance is no address of any other place.
            Some(Holds::LongDistance) if (half..top).contains(&value) => self.masked(value),
            // The processor extends the one with its sign; the other is written by the same sum.
            Some(Holds::LowerHalf) if value >= top & 0xffff_ffff => {
                self.moved(value | 0xffff_ffff_0000_0000) & 0xffff_ffff
            }
            Some(Holds::Address) | None => self.moved(value),
            Some(_) => value,
        };
        shown.to_le_bytes()
    }
}

/// The text with other letters and digits after `label`, where it has that.
fn replaced(text: &str, label: &str, by: &str) -> String {
    let Some((before, after)) = text.split_once(label) else { return text.to_owned() };
    let end = after.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(after.len());
    format!("{before}{label}{by}{}", after.get(end..).unwrap_or_default())
}

#[cfg(test)]
mod tests;
