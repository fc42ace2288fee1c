//! The kernel's functions as aya wants to be told of them: fentry is attached to a type id, which aya looks for in BTF.
//!
//! Given all of the kernel's, aya would parse a hundred thousand types, and go through their names once for each program.
//! It is given one in which the functions hooked have the ids that they have in the kernel's, and no other id means
//! anything.

use aya::Btf;
use aya_obj::btf::{BtfType, Func, FuncLinkage};
use std::collections::BTreeMap;

/// For aya: these functions, with their type ids in the kernel's BTF.
pub(super) fn btf(functions: &BTreeMap<&str, u32>) -> Btf {
    let mut by_id: Vec<(u32, &str)> = functions.iter().map(|(name, id)| (*id, *name)).collect();
    by_id.sort_unstable();
    let mut btf = Btf::new();
    let mut next = 1; // 0 is void
    for (id, name) in by_id {
        for _ in next..id {
            btf.add_type(BtfType::Unknown);
        }
        let name = btf.add_string(name);
        btf.add_type(BtfType::Func(Func::new(name, 0, FuncLinkage::Unknown)));
        next = id + 1;
    }
    btf
}

#[cfg(test)]
mod tests {
    use super::*;
    use aya_obj::btf::BtfKind;

    #[test]
    fn aya_finds_each_function_at_its_id_in_the_kernel_and_no_other() {
        let functions = BTreeMap::from([("last", 9000), ("first", 3), ("second", 4)]);
        let btf = btf(&functions);
        for (name, id) in functions {
            assert_eq!(btf.id_by_type_name_kind(name, BtfKind::Func).unwrap(), id, "{name}");
        }
        assert!(btf.id_by_type_name_kind("third", BtfKind::Func).is_err());
        assert!(super::btf(&BTreeMap::new()).id_by_type_name_kind("first", BtfKind::Func).is_err());
    }
}
