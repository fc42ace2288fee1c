//! A `struct klp_patch` written by hand, with the arrays that it leads to (include/linux/livepatch.h).
//!
//! Every kernel begins these structures alike: `klp_patch { mod@0 objs@8 }`, `klp_object { name@0 funcs@8 callbacks@16 }`,
//! `klp_func { old_name@0 new_func@8 old_sympos@16 }`. How long they are depends on its version and on its configuration
//! (CONFIG_DEBUG_KOBJECT_RELEASE and lock debugging make each kobject longer). A length fits if every pointer is where
//! such structures have one, and each array ends with a structure of zeros. Nothing is said by a length that does not.

use std::collections::BTreeSet;

use super::{Function, Objects, Origin, PatchedObject, Reader};
use crate::elf::module::{Module, Section};

/// Bytes of a `klp_object` and of a `klp_func`.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Layout {
    object: u64,
    func: u64,
}

/// Those that are known, on 64 bits: 5.1 to 7.3, 5.0, and both with CONFIG_DEBUG_KOBJECT_RELEASE (88 bytes more).
const KNOWN: [Layout; 4] = [
    Layout { object: 168, func: 152 },
    Layout { object: 136, func: 136 },
    Layout { object: 256, func: 240 },
    Layout { object: 224, func: 224 },
];

/// The shortest and the longest structure that is thought of, in bytes.
const SHORTEST: u64 = 64;
const LONGEST: u64 = 1024;
/// Lengths that are tried because the pointers look like them.
const GUESSES: usize = 8;

/// Offsets of pointers in a `klp_object`: name, functions, four callbacks.
const OF_OBJECT: [u64; 6] = [0, 8, 16, 24, 32, 40];
/// In a `klp_func`: name, code.
const OF_FUNC: [u64; 2] = [0, 8];

const NO_LAYOUT: &str =
    "its structures are laid out as in no kernel that is known; only the first of them was read";
const MAYBE_LONGER: &str = "what stands behind its structures may be more of them, of a kernel with longer ones; which it is cannot be told";

/// `None`: there is no `klp_patch` in the module's data.
pub(super) fn read<'a>(module: &Module<'a>) -> Option<Objects<'a>> {
    Reader::new(module, Origin::KlpPatch).by_hand()
}

impl<'a> Reader<'_, 'a> {
    fn by_hand(mut self) -> Option<Objects<'a>> {
        let this_module = self.module.find(b".gnu.linkonce.this_module")?.index;
        let data = |name: &[u8]| name.starts_with(b".data") || name.starts_with(b".bss");
        for section in self.module.sections().iter().filter(|s| s.is_alloc() && data(s.name)) {
            for at in self.pointers.leading_to(section.index, this_module) {
                // Other structures begin with their owner too; only a klp_patch leads to named functions or callbacks.
                let objs = at.checked_add(8).and_then(|at| self.pointers.place(section.index, at));
                let Some((section, start)) = objs else { continue };
                if !self.may() {
                    return Some(self.objects);
                }
                if let Some((list, incomplete)) = self.patch(section, start) {
                    self.objects.list = list;
                    self.objects.incomplete = self.objects.incomplete.or(incomplete);
                    return Some(self.objects);
                }
            }
        }
        None
    }

    /// The objects of a patch whose array begins here.
    fn patch(&mut self, index: u32, start: u64) -> Option<(Vec<PatchedObject<'a>>, Option<&'static str>)> {
        let first = self.first(index, start);
        for layout in KNOWN {
            if let Some(list) = self.objects_by(layout, index, start) {
                let incomplete = self.is_more_behind(layout, index, start).then_some(MAYBE_LONGER);
                return Some((list, incomplete));
            }
        }
        // Whether it is a patch at all is settled before lengths are guessed.
        let first = first?;
        let objects = self.lengths(index, start, Self::is_object);
        let functions = match self.pointers.place(index, start.checked_add(8)?) {
            Some((section, at)) => self.lengths(section, at, Self::is_func),
            None => Vec::new(),
        };
        let with_known = |mut guessed: Vec<u64>, known: fn(&Layout) -> u64| {
            guessed.extend(KNOWN.iter().map(known));
            guessed
        };
        let functions = with_known(functions, |l| l.func);
        for object in with_known(objects, |l| l.object) {
            for func in &functions {
                if let Some(list) = self.objects_by(Layout { object, func: *func }, index, start) {
                    return Some((list, None));
                }
            }
        }
        Some((vec![first], Some(NO_LAYOUT)))
    }

    /// What any length has: the first object with its first function. `None`: this is no patch.
    fn first(&mut self, index: u32, start: u64) -> Option<PatchedObject<'a>> {
        let (name, is_kernel) = self.object_name(index, start)?;
        let (section, at) = self.pointers.place(index, start.checked_add(8)?)?;
        if !self.is_func(section, at) {
            return None;
        }
        let function =
            Function { name: self.pointers.string(section, at)?, sympos: self.sympos(section, at + 16) };
        Some(PatchedObject { name, is_kernel, functions: vec![function] })
    }

    /// Up to an object of zeros; `None` where the length does not fit, or nothing is patched and nothing called.
    fn objects_by(&mut self, layout: Layout, index: u32, mut at: u64) -> Option<Vec<PatchedObject<'a>>> {
        let (mut list, mut does) = (Vec::new(), false);
        while self.pointers.has(index, at) || self.pointers.has(index, at.checked_add(8)?) {
            if !self.may() || !self.only(index, at, layout.object, &OF_OBJECT) {
                return None;
            }
            for callback in OF_OBJECT.iter().skip(2).filter_map(|offset| at.checked_add(*offset)) {
                if self.pointers.has(index, callback) {
                    self.code(index, callback)?;
                    does = true;
                }
            }
            let (name, is_kernel) = self.object_name(index, at)?;
            let (section, start) = self.pointers.place(index, at.checked_add(8)?)?;
            let functions = self.functions_by(layout, section, start)?;
            does |= !functions.is_empty();
            list.push(PatchedObject { name, is_kernel, functions });
            at = at.checked_add(layout.object)?;
        }
        (does && self.ends(index, at, layout.object)).then_some(list)
    }

    /// Up to a function of zeros.
    fn functions_by(&mut self, layout: Layout, index: u32, mut at: u64) -> Option<Vec<Function<'a>>> {
        let mut functions = Vec::new();
        while self.pointers.has(index, at) {
            if !self.may() || !self.is_func(index, at) || !self.only(index, at, layout.func, &OF_FUNC) {
                return None;
            }
            let name = self.pointers.string(index, at)?;
            functions.push(Function { name, sympos: self.sympos(index, at.checked_add(16)?) });
            at = at.checked_add(layout.func)?;
        }
        self.ends(index, at, layout.func).then_some(functions)
    }

    /// Whether a name and code stand here.
    fn is_func(&mut self, index: u32, at: u64) -> bool {
        self.pointers.string(index, at).is_some()
            && at.checked_add(8).is_some_and(|code| self.code(index, code).is_some())
    }

    /// Whether a name, or none, and a pointer to data stand here.
    fn is_object(&mut self, index: u32, at: u64) -> bool {
        let Some(functions) = at.checked_add(8).and_then(|at| self.pointers.place(index, at)) else {
            return false;
        };
        let is_code = self.module.section(functions.0).is_some_and(Section::is_code);
        !is_code && self.object_name(index, at).is_some()
    }

    /// The code that a pointer leads to.
    fn code(&mut self, index: u32, at: u64) -> Option<(u32, u64)> {
        let place = self.pointers.place(index, at)?;
        self.module.section(place.0)?.is_code().then_some(place)
    }

    /// Whether a structure has pointers at some of these offsets alone.
    fn only(&mut self, index: u32, at: u64, bytes: u64, offsets: &[u64]) -> bool {
        self.pointers.within(index, at, bytes).iter().all(|p| offsets.contains(&(p.0 - at)))
    }

    /// Whether a structure of zeros stands here, whole.
    fn ends(&mut self, index: u32, at: u64, bytes: u64) -> bool {
        let fits = |end: u64| self.module.section(index).is_some_and(|s| end <= s.size);
        at.checked_add(bytes).is_some_and(fits)
            && self.pointers.within(index, at, bytes).is_empty()
            && [0, 8, 16].iter().all(|offset| self.sympos(index, at + offset) == 0)
    }

    /// The distances from here to what looks like another structure.
    fn lengths(&mut self, index: u32, at: u64, is: fn(&mut Self, u32, u64) -> bool) -> Vec<u64> {
        let ahead: Vec<u64> = self.pointers.within(index, at, LONGEST).iter().map(|p| p.0).collect();
        // An object without a name begins eight bytes before its first pointer.
        let begins = ahead.into_iter().flat_map(|p| [p.saturating_sub(8), p]);
        let mut lengths: Vec<u64> = Vec::new();
        for begin in begins {
            let length = begin.saturating_sub(at);
            let plausible = length >= SHORTEST && length.is_multiple_of(8) && !lengths.contains(&length);
            if plausible && is(self, index, begin) && lengths.len() < GUESSES {
                lengths.push(length);
            }
        }
        lengths
    }

    /// Whether what looks like a function stands behind an array and is part of none.
    fn is_more_behind(&mut self, layout: Layout, index: u32, start: u64) -> bool {
        let mut arrays: Vec<(u32, u64, u64)> = Vec::new();
        let mut at = start;
        while let Some((section, begin)) = at.checked_add(8).and_then(|at| self.pointers.place(index, at)) {
            let count = self.functions_by(layout, section, begin).map_or(0, |list| list.len() as u64);
            arrays.push((section, begin, begin.saturating_add((count + 1).saturating_mul(layout.func))));
            at = at.saturating_add(layout.object);
        }
        let begins: BTreeSet<(u32, u64)> =
            arrays.iter().map(|(section, begin, _)| (*section, *begin)).collect();
        for (section, begin, end) in arrays {
            // What follows the next array is that one's.
            let next = begins.range((section, begin.saturating_add(1))..).next();
            let until =
                next.filter(|n| n.0 == section).map_or(u64::MAX, |n| n.1).min(begin.saturating_add(LONGEST));
            let bytes = until.saturating_sub(end);
            let ahead: Vec<u64> = self.pointers.within(section, end, bytes).iter().map(|p| p.0).collect();
            if ahead.into_iter().any(|p| self.is_func(section, p)) {
                return true;
            }
        }
        false
    }
}
