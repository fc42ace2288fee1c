//! klp-build's tables (include/linux/livepatch_external.h, 6.19 and 7.2).

use super::{Function, Objects, Origin, PatchedObject, Reader, VMLINUX};
use crate::elf::module::Module;

/// `struct klp_object_ext`.
const OBJECT: u64 = 64;
/// `struct klp_func_ext`.
const FUNC: u64 = 24;

/// `None`: the module has no such tables.
pub(super) fn read<'a>(module: &Module<'a>) -> Option<Objects<'a>> {
    let tables =
        [(Origin::InitKlpObjects, &b".init.klp_objects"[..]), (Origin::KlpObjects, b"__klp_objects")];
    let mut found = tables.into_iter().filter_map(|(origin, name)| Some((origin, module.find(name)?.index)));
    let (origin, index) = found.next()?;
    let mut objects = Reader::new(module, origin).klp_build(index);
    if let Some((_, other)) = found.next() {
        objects.list.extend(Reader::new(module, origin).klp_build(other).list);
        objects.incomplete = Some(super::TWO_TOOLS);
    }
    Some(objects)
}

impl<'a> Reader<'_, 'a> {
    /// `klp_object_ext { name@0 funcs@8 callbacks@16 nr_funcs@56 }`, `klp_func_ext { old_name@0 new_func@8 sympos@16 }`.
    fn klp_build(mut self, index: u32) -> Objects<'a> {
        if !self.module.section(index).is_some_and(|s| s.size.is_multiple_of(OBJECT)) {
            self.objects.incomplete = Some("its size is not that of the structures of kernels 6.19 to 7.3");
            return self.objects;
        }
        for at in self.entries(index, OBJECT) {
            if !self.may() {
                break;
            }
            let Some((name, is_kernel)) = self.object_name(index, at) else {
                self.lost();
                continue;
            };
            let count = self.module.half(index, at + 56).unwrap_or(0);
            let functions = self.functions_ext(index, at + 8, count);
            self.objects.list.push(PatchedObject {
                name,
                is_kernel: is_kernel || name == VMLINUX,
                functions,
            });
        }
        self.objects
    }

    /// The functions that the pointer at `offset` leads to; an object with callbacks alone has none.
    fn functions_ext(&mut self, index: u32, offset: u64, count: u32) -> Vec<Function<'a>> {
        let mut functions = Vec::new();
        if count == 0 {
            return functions;
        }
        let Some((section, start)) = self.pointers.place(index, offset) else {
            self.lost();
            return functions;
        };
        for entry in 0..u64::from(count) {
            let at = start.saturating_add(entry * FUNC);
            let Some(name) = self.pointers.string(section, at) else {
                self.lost();
                break;
            };
            if !self.may() {
                break;
            }
            functions.push(Function { name, sympos: self.sympos(section, at.saturating_add(16)) });
        }
        functions
    }

    /// The string at the beginning of an object's structure; a null pointer stands for the kernel itself.
    pub(super) fn object_name(&mut self, index: u32, at: u64) -> Option<(&'a [u8], bool)> {
        if self.pointers.has(index, at) {
            Some((self.pointers.string(index, at)?, false))
        } else {
            Some((VMLINUX, true))
        }
    }
}
