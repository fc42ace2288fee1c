//! The pointers in sections: what their ordinary relocations will make of them.

use std::collections::BTreeMap;

use crate::elf::limits;
use crate::elf::module::Module;

/// A pointer: its offset, the symbol and the addend that make it.
pub(super) type Pointer = (u64, u32, i64);

/// The pointers of a module, sorted section by section as they are asked for.
pub(super) struct Pointers<'m, 'a> {
    module: &'m Module<'a>,
    sections: BTreeMap<u32, Vec<Pointer>>,
}

impl<'m, 'a> Pointers<'m, 'a> {
    pub(super) fn new(module: &'m Module<'a>) -> Self {
        Self { module, sections: BTreeMap::new() }
    }

    /// The pointers of section `index`, from every ordinary relocation section that changes it. Those that livepatch
    /// writes are not there before a patched object is.
    fn of(&mut self, index: u32) -> &[Pointer] {
        let module = self.module;
        self.sections.entry(index).or_insert_with(|| {
            let mut list = Vec::new();
            for section in module.sections().iter().filter(|s| s.info == index && !s.is_klp()) {
                let relas = module.relas(section.index).unwrap_or_default();
                let room = usize::try_from(limits::POINTERS).unwrap_or(usize::MAX).saturating_sub(list.len());
                list.extend(relas.iter().take(room).map(|r| (r.offset, r.symbol, r.addend)));
            }
            list.sort_unstable();
            list
        })
    }

    /// Whether there is a pointer at `offset` of section `index`.
    pub(super) fn has(&mut self, index: u32, offset: u64) -> bool {
        self.at(index, offset).is_some()
    }

    fn at(&mut self, index: u32, offset: u64) -> Option<Pointer> {
        let list = self.of(index);
        list.get(list.partition_point(|p| p.0 < offset)).filter(|p| p.0 == offset).copied()
    }

    /// The pointers in `bytes` bytes from `offset` of section `index` on.
    pub(super) fn within(&mut self, index: u32, offset: u64, bytes: u64) -> &[Pointer] {
        let list = self.of(index);
        let (from, to) = (offset, offset.saturating_add(bytes));
        let (from, to) = (list.partition_point(|p| p.0 < from), list.partition_point(|p| p.0 < to));
        list.get(from..to).unwrap_or_default()
    }

    /// The section and offset that the pointer at `offset` of section `index` leads to.
    pub(super) fn place(&mut self, index: u32, offset: u64) -> Option<(u32, u64)> {
        let pointer = self.at(index, offset)?;
        resolve(self.module, pointer)
    }

    /// The string that the pointer leads to: not empty, and with an end.
    pub(super) fn string(&mut self, index: u32, offset: u64) -> Option<&'a [u8]> {
        let (section, at) = self.place(index, offset)?;
        let tail = self.module.bytes(section).get(usize::try_from(at).ok()?..)?;
        let within = tail.get(..usize::try_from(limits::ANY_SYMBOL_NAME_BYTES).ok()?).unwrap_or(tail);
        let text = within.get(..memchr::memchr(0, within)?)?;
        (!text.is_empty()).then_some(text)
    }

    /// The offsets of the pointers in section `index` that lead to the beginning of section `to`.
    pub(super) fn leading_to(&mut self, index: u32, to: u32) -> Vec<u64> {
        let module = self.module;
        self.of(index).iter().filter(|p| resolve(module, **p) == Some((to, 0))).map(|p| p.0).collect()
    }
}

fn resolve(module: &Module<'_>, (_, symbol, addend): Pointer) -> Option<(u32, u64)> {
    let symbol = module.symbol(symbol)?;
    let section = module.section(u32::from(symbol.shndx)).filter(|s| s.index != 0)?;
    Some((section.index, symbol.value.checked_add_signed(addend)?))
}
