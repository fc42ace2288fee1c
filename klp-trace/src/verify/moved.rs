//! Values that an earlier load of an object left, recognised although the kernel has another load's symbols on record.
//!
//! Before a section's first relocation is written the kernel records the values of all its symbols (kernel/livepatch/core.c,
//! `klp_resolve_symbols`), also where that load is then refused. What an earlier load left is from then on explained by
//! nothing on record, and a tool that was not there cannot know it. But an object moves as a whole, by pages: all that it
//! left is off by the same number of them.

use super::{
    judge::Context,
    section::{Reloc, Section},
};
use crate::{
    arch::Arch,
    journal::{EntryRead, SectionRead},
    model::{Bytes, Verdict},
};
use std::collections::BTreeMap;

/// Modules are laid out by pages.
const PAGE: u64 = 4096;

/// Takes for an earlier load's what is off by the same whole pages as another relocation of the section; what is the only
/// one that is off, if nothing else there is as recorded. For values that are judged for the first time: later ones have
/// their own history.
pub(super) fn recognise(arch: Arch, section: &mut Section, read: &SectionRead, context: Context) {
    if !matches!(context, Context::Absent | Context::Failed | Context::Detached | Context::OnItsWay) {
        return;
    }
    let mut off: BTreeMap<u64, Vec<(u32, Bytes)>> = BTreeMap::new();
    let (mut unexplained, mut as_recorded) = (0, false);
    for entry in &read.entries {
        let Some(reloc) = section.relocs.get(&entry.index) else { continue };
        if reloc.earlier.is_some() || !matches!(reloc.verdict, None | Some(Verdict::Unknown)) {
            continue;
        }
        match distance(arch, reloc, entry) {
            Some((0, _)) => as_recorded = true,
            Some((distance, bytes)) => {
                unexplained += 1;
                if distance % PAGE == 0 {
                    off.entry(distance).or_default().push((entry.index, bytes));
                }
            }
            None => {}
        }
    }
    let alone = unexplained == 1 && !as_recorded;
    for (index, bytes) in off.into_values().filter(|alike| alike.len() > 1 || alone).flatten() {
        if let Some(reloc) = section.relocs.get_mut(&index) {
            reloc.earlier = Some(bytes);
        }
    }
}

/// How far the symbol that the bytes come of is from where the kernel recorded it, and the bytes; none of bytes that are
/// zero, cannot be read or are the file's own, and of what was never recorded.
fn distance(arch: Arch, reloc: &Reloc, entry: &EntryRead) -> Option<(u64, Bytes)> {
    let (rtype, addend) = (reloc.rtype, reloc.r.addend);
    let recorded = entry.recorded.filter(|value| value.0 != 0)?.0;
    // Of NONE no byte is looked at: zero.
    let size = arch.size(rtype)?;
    let bytes = Bytes::new(entry.bytes?, size);
    if bytes.is_zero() || bytes == Bytes::new(reloc.original, size) {
        return None;
    }
    if arch.stored(rtype, recorded, addend, entry.address.0) == Some(bytes) {
        return Some((0, bytes));
    }
    Some((arch.symbol(rtype, bytes, addend, entry.address.0)?.wrapping_sub(recorded), bytes))
}
