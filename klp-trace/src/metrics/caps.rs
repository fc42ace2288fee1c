//! Which patches and objects are listed, where there are more than a scrape should hold: the worst ones.

use super::snapshot::{PatchState, State, count};
use crate::journal::Totals;
use crate::model::Verdict;
use std::cmp::Reverse;

/// Patches that are listed.
pub(super) const PATCHES: usize = 16;

/// Objects of one patch that are listed.
pub(super) const OBJECTS_OF_ONE: usize = 64;

/// Objects that are listed in all; with the rest this keeps an exposition below 400 series and 64 KiB.
pub(super) const OBJECTS: usize = 96;

/// What is listed.
pub(super) struct Listed<'a> {
    pub patches: Vec<(&'a str, &'a PatchState)>,
    /// Patch, object.
    pub objects: Vec<(&'a str, &'a str, &'a Totals)>,
    /// Series that are not.
    pub omitted: usize,
}

/// Series of one patch, and of one object.
const OF_PATCH: usize = 4;
const OF_OBJECT: usize = 2;

pub(super) fn listed(state: &State) -> Listed<'_> {
    let mut patches: Vec<(&str, &PatchState)> =
        state.patches.iter().map(|(name, patch)| (&**name, patch)).collect();
    let unknown = |verdict| verdict == Verdict::Unknown;
    patches.sort_by_key(|(name, patch)| {
        let unread = state.is_unread(name);
        (Reverse((patch.count(Verdict::is_bad), unread, patch.count(unknown))), *name)
    });
    let all = patches.len() * OF_PATCH
        + patches.iter().map(|(_, patch)| patch.objects.len()).sum::<usize>() * OF_OBJECT;
    patches.truncate(PATCHES);
    let rank = |totals: &Totals| Reverse((count(totals, Verdict::is_bad), count(totals, unknown)));
    let mut objects = Vec::new();
    for (name, patch) in &patches {
        let mut of: Vec<(&str, &str, &Totals)> =
            patch.objects.iter().map(|(object, totals)| (*name, &**object, totals)).collect();
        of.sort_by_key(|(_, object, totals)| (rank(totals), *object));
        of.truncate(OBJECTS_OF_ONE);
        objects.extend(of);
    }
    objects.sort_by_key(|(patch, object, totals)| (rank(totals), *patch, *object));
    objects.truncate(OBJECTS);
    let omitted = all - patches.len() * OF_PATCH - objects.len() * OF_OBJECT;
    Listed { patches, objects, omitted }
}
