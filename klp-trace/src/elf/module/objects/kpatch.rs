//! kpatch-build's tables (kmod/patch/kpatch-patch.h, kpatch.lds.S, 0.9): `.kpatch.funcs`, and the callbacks.

use std::collections::BTreeMap;

use super::{Function, LOST, Objects, Origin, PatchedObject, Reader, VMLINUX};
use crate::elf::module::Module;

/// `struct kpatch_patch_func`.
const FUNC: u64 = 56;
/// `struct kpatch_pre_patch_callback` and its like. The linker's script puts eight zero bytes behind the last.
const CALLBACK: u64 = 16;

/// `None`: the module has no such tables.
pub(super) fn read<'a>(module: &Module<'a>) -> Option<Objects<'a>> {
    let named = |wanted: fn(&[u8]) -> bool| -> Vec<u32> {
        module.sections().iter().filter(|s| wanted(s.name)).map(|s| s.index).collect()
    };
    let functions = named(|name| name == b".kpatch.funcs");
    let callbacks = named(|name| name.starts_with(b".kpatch.callbacks."));
    let origin = match (functions.is_empty(), callbacks.is_empty()) {
        (true, true) => return None,
        (true, false) => Origin::KpatchCallbacks,
        (false, _) => Origin::KpatchFuncs,
    };
    let mut table = Table { reader: Reader::new(module, origin), at: BTreeMap::new() };
    for index in functions {
        table.functions(index);
    }
    for index in callbacks {
        table.callbacks(index);
    }
    Some(table.reader.objects)
}

struct Table<'m, 'a> {
    reader: Reader<'m, 'a>,
    /// Where each object stands in the list: the patch's init makes one of all entries with a name.
    at: BTreeMap<&'a [u8], usize>,
}

impl<'a> Table<'_, 'a> {
    /// `{ new_addr@0 new_size@8 old_addr@16 old_size@24 sympos@32 name@40 objname@48 }`, one for each function.
    fn functions(&mut self, index: u32) {
        if !self.reader.module.section(index).is_some_and(|s| s.size.is_multiple_of(FUNC)) {
            self.reader.objects.incomplete =
                Some("the size of .kpatch.funcs is not that of kpatch-build's structures");
            return;
        }
        for at in self.reader.entries(index, FUNC) {
            if !self.reader.may() {
                break;
            }
            let pointers = &mut self.reader.pointers;
            let (name, object) = (pointers.string(index, at + 40), pointers.string(index, at + 48));
            let (Some(name), Some(object)) = (name, object) else {
                self.reader.lost();
                continue;
            };
            let function = Function { name, sympos: self.reader.sympos(index, at + 32) };
            if let Some(object) = self.object(object) {
                object.functions.push(function);
            }
        }
    }

    /// `{ callback@0 objname@8 }`, one for each object.
    fn callbacks(&mut self, index: u32) {
        for at in self.reader.entries(index, CALLBACK) {
            let pointers = &mut self.reader.pointers;
            if !pointers.has(index, at) && !pointers.has(index, at + 8) {
                continue;
            }
            if !self.reader.may() {
                break;
            }
            match self.reader.pointers.string(index, at + 8) {
                Some(name) => {
                    self.object(name);
                }
                None => self.reader.objects.incomplete = Some(LOST),
            }
        }
    }

    /// The object of a name, made where there is none yet.
    fn object(&mut self, name: &'a [u8]) -> Option<&mut PatchedObject<'a>> {
        let list = &mut self.reader.objects.list;
        let at = *self.at.entry(name).or_insert(list.len());
        if at == list.len() {
            list.push(PatchedObject { name, is_kernel: name == VMLINUX, functions: Vec::new() });
        }
        list.get_mut(at)
    }
}
