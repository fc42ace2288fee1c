//! Which objects and functions a livepatch patches, as far as its file tells before any of its code has run.
//!
//! Three places are known, each made of pointers that ordinary relocations fill in:
//! - kpatch-build: `.kpatch.funcs`, an array of `struct kpatch_patch_func` (kmod/patch/kpatch-patch.h, 0.9), and
//!   `.kpatch.callbacks.*`, which lists objects too;
//! - klp-build: `.init.klp_objects` or `__klp_objects`, an array of `struct klp_object_ext`
//!   (include/linux/livepatch_external.h, 6.19 and 7.2);
//! - written by hand: a `struct klp_patch` that begins with a pointer to `__this_module`, and the arrays that it
//!   leads to (include/linux/livepatch.h), whose layout depends on version and configuration: it is found out.

mod by_hand;
mod klp_build;
mod kpatch;
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
    /// kpatch-build's `.kpatch.callbacks.*`, where there is no `.kpatch.funcs`.
    KpatchCallbacks,
}

impl Origin {
    /// Its name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KpatchFuncs => ".kpatch.funcs",
            Self::InitKlpObjects => ".init.klp_objects",
            Self::KlpObjects => "__klp_objects",
            Self::KlpPatch => "struct klp_patch",
            Self::KpatchCallbacks => ".kpatch.callbacks.*",
        }
    }
}

/// The objects of a livepatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objects<'a> {
    /// Where they were read.
    pub origin: Origin,
    /// In the file's order; of an object that kpatch lists in several places there is one, as its init makes them.
    pub list: Vec<PatchedObject<'a>>,
    /// Why the list may lack something: an entry that could not be followed.
    pub incomplete: Option<&'static str>,
}

/// An object that is patched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchedObject<'a> {
    /// The module's name, or `vmlinux`.
    pub name: &'a [u8],
    /// Whether it is the kernel itself: to the kernel, an object without a name. kpatch-build's and klp-build's tables
    /// call it vmlinux; a `struct klp_object` that does is taken for a module of that name.
    pub is_kernel: bool,
    /// What is patched in it; none of an object that has callbacks alone.
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
const TWO_TOOLS: &str = "it has the tables of two tools, and its code alone says which of them it reads";

/// Reads them; `None`: the file does not tell (its code makes them when it is loaded).
pub(super) fn read<'a>(module: &Module<'a>) -> Option<Objects<'a>> {
    let tables = [kpatch::read(module), klp_build::read(module)];
    let mut found = tables.into_iter().flatten();
    let Some(mut objects) = found.next() else { return by_hand::read(module) };
    for other in found {
        objects.list.extend(other.list);
        objects.incomplete = Some(TWO_TOOLS);
    }
    Some(objects)
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

    fn lost(&mut self) {
        self.objects.incomplete = Some(LOST);
    }

    fn sympos(&self, index: u32, offset: u64) -> u64 {
        self.module.word(index, offset).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
