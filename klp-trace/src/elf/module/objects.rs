//! Which objects and functions a livepatch patches, as far as its file tells before any of its code has run.
//!
//! Three places are known, each made of pointers that ordinary relocations fill in:
//! - kpatch-build: `.kpatch.funcs`, an array of `struct kpatch_patch_func` (kmod/patch/kpatch-patch.h, 0.9);
//! - klp-build: `.init.klp_objects` or `__klp_objects`, an array of `struct klp_object_ext`
//!   (include/linux/livepatch_external.h, 6.19 and 7.2);
//! - written by hand: a `struct klp_patch` that begins with a pointer to `__this_module`, and the arrays that it
//!   leads to (include/linux/livepatch.h; layouts the same from 6.1 to 7.3 on 64 bits).

mod pointers;

use pointers::Pointers;

use super::Module;
use crate::elf::limits;

/// Where the objects were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// kpatch-build's `.kpatch.funcs`.
    KpatchFuncs,
    /// klp-build's `.init.klp_objects`.
    InitKlpObjects,
    /// `__klp_objects` of the first klp-build.
    KlpObjects,
    /// A `struct klp_patch` in the module's data.
    KlpPatch,
}

impl Origin {
    /// Its name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KpatchFuncs => ".kpatch.funcs",
            Self::InitKlpObjects => ".init.klp_objects",
            Self::KlpObjects => "__klp_objects",
            Self::KlpPatch => "struct klp_patch",
        }
    }
}

/// The objects of a livepatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objects<'a> {
    /// Where they were read.
    pub origin: Origin,
    /// In the file's order; an object that kpatch lists several times once.
    pub list: Vec<PatchedObject<'a>>,
    /// Why the list may lack something: an entry that could not be followed.
    pub incomplete: Option<&'static str>,
}

/// An object that is patched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchedObject<'a> {
    /// The module's name, or `vmlinux`.
    pub name: &'a [u8],
    /// What is patched in it.
    pub functions: Vec<Function<'a>>,
}

/// A function that is patched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function<'a> {
    /// Its name in the object.
    pub name: &'a [u8],
    /// Its position among its namesakes; 0: the only one.
    pub sympos: u64,
}

/// The name of the kernel itself among objects.
const VMLINUX: &[u8] = b"vmlinux";

const LOST: &str = "an entry points to nothing that can be read";
const TOO_MANY: &str = "there are more functions than are listed";

/// Reads them; `None`: the file does not tell (its code makes them when it is loaded).
pub(super) fn read<'a>(module: &Module<'a>) -> Option<Objects<'a>> {
    if let Some(index) = index_of(module, b".kpatch.funcs") {
        return Some(Reader::new(module, Origin::KpatchFuncs).kpatch(index));
    }
    let klp_build =
        [(Origin::InitKlpObjects, &b".init.klp_objects"[..]), (Origin::KlpObjects, b"__klp_objects")];
    for (origin, name) in klp_build {
        if let Some(index) = index_of(module, name) {
            return Some(Reader::new(module, origin).klp_build(index));
        }
    }
    Reader::new(module, Origin::KlpPatch).by_hand()
}

fn index_of(module: &Module<'_>, name: &[u8]) -> Option<u32> {
    module.find(name).map(|section| section.index)
}

/// What gathers while the functions are read.
struct Reader<'m, 'a> {
    module: &'m Module<'a>,
    pointers: Pointers<'m, 'a>,
    objects: Objects<'a>,
    /// Functions that may still be listed, or tried.
    left: u64,
}

impl<'m, 'a> Reader<'m, 'a> {
    fn new(module: &'m Module<'a>, origin: Origin) -> Self {
        let objects = Objects { origin, list: Vec::new(), incomplete: None };
        Self { module, pointers: Pointers::new(module), objects, left: limits::PATCHED_FUNCTIONS }
    }

    /// Where each of the structures of a section stands.
    fn entries(&self, index: u32, stride: u64) -> impl Iterator<Item = u64> + use<> {
        let size = self.module.section(index).map_or(0, |s| s.size);
        (0..size / stride).map(move |n| n * stride)
    }

    /// Counts one function; false: there have been too many.
    fn may(&mut self) -> bool {
        if self.left == 0 {
            self.objects.incomplete = Some(TOO_MANY);
            return false;
        }
        self.left -= 1;
        true
    }

    fn sympos(&self, index: u32, offset: u64) -> u64 {
        self.module.word(index, offset).unwrap_or(0)
    }

    /// `{ new_addr@0 new_size@8 old_addr@16 old_size@24 sympos@32 name@40 objname@48 }`, one for each function.
    fn kpatch(mut self, index: u32) -> Objects<'a> {
        for at in self.entries(index, 56) {
            if !self.may() {
                break;
            }
            let (name, object) = (self.pointers.string(index, at + 40), self.pointers.string(index, at + 48));
            let (Some(name), Some(object)) = (name, object) else {
                self.objects.incomplete = Some(LOST);
                continue;
            };
            let function = Function { name, sympos: self.sympos(index, at + 32) };
            // Grouped by object in practice; a list that is not stays readable.
            match self.objects.list.last_mut().filter(|last| last.name == object) {
                Some(last) => last.functions.push(function),
                None => self.objects.list.push(PatchedObject { name: object, functions: vec![function] }),
            }
        }
        self.objects
    }

    /// `klp_object_ext { name@0 funcs@8 callbacks@16 nr_funcs@56 }`, `klp_func_ext { old_name@0 new_func@8 sympos@16 }`.
    fn klp_build(mut self, index: u32) -> Objects<'a> {
        const STRIDE: u64 = 64;
        if !self.module.section(index).is_some_and(|s| s.size.is_multiple_of(STRIDE)) {
            self.objects.incomplete = Some("its size is not that of the structures of kernels 6.19 to 7.3");
            return self.objects;
        }
        for at in self.entries(index, STRIDE) {
            let name = self.object_name(index, at);
            let (Some(name), Some((section, start))) = (name, self.pointers.place(index, at + 8)) else {
                self.objects.incomplete = Some(LOST);
                continue;
            };
            let mut functions = Vec::new();
            for entry in 0..u64::from(self.module.half(index, at + 56).unwrap_or(0)) {
                let at = start.saturating_add(entry * 24);
                let Some(name) = self.pointers.string(section, at) else {
                    self.objects.incomplete = Some(LOST);
                    break;
                };
                if !self.may() {
                    break;
                }
                functions.push(Function { name, sympos: self.sympos(section, at.saturating_add(16)) });
            }
            self.objects.list.push(PatchedObject { name, functions });
        }
        self.objects
    }

    /// The string at the beginning of an object's structure; a null pointer stands for vmlinux.
    fn object_name(&mut self, index: u32, at: u64) -> Option<&'a [u8]> {
        if self.pointers.has(index, at) { self.pointers.string(index, at) } else { Some(VMLINUX) }
    }

    /// `klp_patch { mod@0 objs@8 }`.
    fn by_hand(mut self) -> Option<Objects<'a>> {
        let this_module = index_of(self.module, b".gnu.linkonce.this_module")?;
        let data = |name: &[u8]| name.starts_with(b".data") || name.starts_with(b".bss");
        for section in self.module.sections().iter().filter(|s| s.is_alloc() && data(s.name)) {
            for at in self.pointers.leading_to(section.index, this_module) {
                // Other structures begin with their owner too; only a klp_patch leads to named functions.
                let objs = at.checked_add(8).and_then(|at| self.pointers.place(section.index, at));
                let Some((section, start)) = objs else { continue };
                if let Some(list) = self.klp_objects(section, start) {
                    self.objects.list = list;
                    return Some(self.objects);
                }
            }
        }
        None
    }

    /// `klp_object { name@0 funcs@8 }` of 168 bytes each, up to one of zeros.
    fn klp_objects(&mut self, index: u32, mut at: u64) -> Option<Vec<PatchedObject<'a>>> {
        const STRIDE: u64 = 168;
        let mut list = Vec::new();
        while let Some((section, start)) = self.pointers.place(index, at.checked_add(8)?) {
            let name = self.object_name(index, at)?;
            let functions = self.klp_funcs(section, start)?;
            if functions.is_empty() {
                return None;
            }
            list.push(PatchedObject { name, functions });
            at = at.checked_add(STRIDE)?;
        }
        (!list.is_empty()).then_some(list)
    }

    /// `klp_func { old_name@0 new_func@8 old_sympos@16 }` of 152 bytes each, up to one of zeros.
    fn klp_funcs(&mut self, index: u32, mut at: u64) -> Option<Vec<Function<'a>>> {
        const STRIDE: u64 = 152;
        let mut functions = Vec::new();
        while let Some(name) = self.pointers.string(index, at) {
            let (code, _) = self.pointers.place(index, at.checked_add(8)?)?;
            if !self.module.section(code)?.is_code() {
                return None;
            }
            if !self.may() {
                break;
            }
            functions.push(Function { name, sympos: self.sympos(index, at.checked_add(16)?) });
            at = at.checked_add(STRIDE)?;
        }
        Some(functions)
    }
}

#[cfg(test)]
mod tests;
