//! Struct layouts and functions of the running kernel, from its BTF (`/sys/kernel/btf/vmlinux`, world-readable).

use libbpf_rs::btf::{
    Btf, BtfType, TypeId,
    types::{Composite, Func, MemberAttr, Struct},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};
use thiserror::Error;

/// The kernel gives no type information.
#[derive(Debug, Error)]
#[error(
    "cannot read the kernel's type information, /sys/kernel/btf/vmlinux: {reason}; klp-trace needs a kernel built with \
     CONFIG_DEBUG_INFO_BTF=y, with sysfs mounted at /sys"
)]
pub struct BtfError {
    reason: String,
}

/// The running kernel's types.
pub struct KernelBtf {
    btf: Btf<'static>,
    /// Where the structs are that were asked for: finding one is a pass over all types.
    structs: RefCell<HashMap<String, Option<TypeId>>>,
}

impl KernelBtf {
    /// Reads the running kernel's BTF (about 6 ms).
    pub fn running() -> Result<Self, BtfError> {
        // libbpf would print its own words on stderr.
        libbpf_rs::set_print(None);
        let btf = Btf::from_vmlinux().map_err(|e| BtfError { reason: e.to_string() })?;
        Ok(Self { btf, structs: RefCell::default() })
    }

    /// Byte offset of a member, such as `("module", "core_kallsyms.strtab")`; members of anonymous structs and unions
    /// count as the struct's own, members after a dot are looked for in the member's type (for an array: its element's).
    /// `None`: this kernel has no such struct or member.
    pub fn offset(&self, structure: &str, path: &str) -> Option<u32> {
        let find = || Some(self.btf.type_by_name::<Struct<'_>>(structure)?.type_id());
        let id = *self.structs.borrow_mut().entry(structure.to_owned()).or_insert_with(find);
        member_offset(&self.btf, self.btf.type_by_id(id?)?, &path.split('.').collect::<Vec<_>>())
    }

    /// Whether the kernel has a function of this name that can be looked up. For one: cheaper than [`Self::functions`].
    pub fn has_function(&self, name: &str) -> bool {
        self.btf.type_by_name::<Func<'_>>(name).is_some()
    }

    /// Those of these functions that the kernel has, each with its type id, which fentry is attached to. One pass over all
    /// types, however many are wanted.
    pub fn functions(&self, wanted: &[&'static str]) -> BTreeMap<&'static str, u32> {
        let known = |function: Func<'_>| {
            let name = function.name()?.to_str()?;
            let wanted = wanted.iter().find(|wanted| **wanted == name)?;
            Some((*wanted, function.type_id().into()))
        };
        self.btf.type_by_kind::<Func<'_>>().filter_map(known).collect()
    }
}

fn member_offset(btf: &Btf<'_>, ty: BtfType<'_>, path: &[&str]) -> Option<u32> {
    let Some((first, rest)) = path.split_first() else { return Some(0) };
    let composite = Composite::try_from(element(ty)).ok()?;
    composite.iter().find_map(|member| {
        let (MemberAttr::Normal { offset: bits } | MemberAttr::BitField { offset: bits, .. }) = member.attr;
        let ty: BtfType<'_> = btf.type_by_id(member.ty)?;
        let below = match member.name.and_then(|name| name.to_str()) {
            Some(name) if name == *first => member_offset(btf, ty, rest),
            None | Some("") => member_offset(btf, ty, path),
            Some(_) => None,
        };
        below.map(|offset| bits / 8 + offset)
    })
}

/// The type without modifiers; of an array, its element's.
fn element(ty: BtfType<'_>) -> BtfType<'_> {
    use libbpf_rs::btf::types::Array;
    let ty = ty.skip_mods_and_typedefs();
    match Array::try_from(ty) {
        Ok(array) => array.contained_type().skip_mods_and_typedefs(),
        Err(_) => ty,
    }
}
