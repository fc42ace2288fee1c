//! Each table: what it allows, and that one wrong byte is of no form.

use super::*;
use std::collections::BTreeMap;

const SITE: u64 = 0xffff_ffff_c080_1010;
const TABLE: u64 = 0xffff_ffff_c080_4000;
const FUNC: u64 = 0xffff_ffff_8123_4560;
const KEY: u64 = 0xffff_ffff_8200_0100;

#[derive(Default)]
struct Memory {
    bytes: BTreeMap<u64, u8>,
    names: BTreeMap<u64, &'static str>,
}

impl Memory {
    fn put(&mut self, address: u64, bytes: &[u8]) {
        self.bytes.extend((address..).zip(bytes.iter().copied()));
    }
}

impl World for Memory {
    fn memory(&mut self, address: u64, length: usize) -> Option<Vec<u8>> {
        (address..address + length as u64).map(|at| self.bytes.get(&at).copied()).collect()
    }

    fn symbol(&mut self, address: u64) -> Option<String> {
        self.names.get(&address).map(|name| (*name).to_owned())
    }
}

/// Entries of 32-bit distances, each from where it stands.
fn table(name: &str, to: &[u64]) -> Table {
    let distance = |(at, to): (u64, &u64)| to.wrapping_sub(TABLE + 4 * at).to_le_bytes()[..4].to_vec();
    Table { name: name.to_owned(), address: TABLE, bytes: (0..).zip(to).flat_map(distance).collect() }
}

/// What is allowed at the four bytes from `at` of the site, when `code` is there.
fn asked(memory: &mut Memory, tables: &[Table], at: u64, code: &[u8], symbol: &str) -> Option<Vec<Bytes>> {
    memory.put(SITE, &[code, &[0x90; 16]].concat());
    let from = usize::try_from(at).unwrap();
    let actual = Bytes::from_slice(&code[from..from + 4]);
    let place = Place { address: SITE + at, actual, symbol, leads_to: Some(FUNC) };
    listed(tables, &place, memory).map(|(_, allowed)| allowed)
}

/// The code is of an allowed form, and with any one byte of it changed it is of none.
fn only(memory: &mut Memory, tables: &[Table], at: u64, code: &[u8], symbol: &str) {
    let from = usize::try_from(at).unwrap();
    let right = |memory: &mut Memory, code: &[u8]| {
        let allowed = asked(memory, tables, at, code, symbol).expect("listed");
        allowed.contains(&Bytes::from_slice(&code[from..from + 4]))
    };
    assert!(right(memory, code), "{code:x?}");
    for changed in 0..code.len() {
        let mut wrong = code.to_vec();
        wrong[changed] ^= 0x08;
        assert!(!right(memory, &wrong), "{wrong:x?}");
    }
}

fn with_key(func: u64) -> Memory {
    let mut memory = Memory::default();
    memory.put(KEY, &func.to_le_bytes());
    memory.put(FUNC, &[0x55; 16]);
    memory
}

#[test]
fn a_static_call_is_what_its_key_says() {
    let sites = |flags| [table(".static_call_sites", &[SITE, KEY | flags])];
    only(&mut with_key(FUNC), &sites(0), 1, &branch(CALL, SITE, FUNC), "__SCT__x");
    only(&mut with_key(FUNC), &sites(2), 1, &branch(CALL, SITE, FUNC), "__SCT__x");
    only(&mut with_key(FUNC), &sites(1), 1, &branch(JMP, SITE, FUNC), "__SCT__x");
    only(&mut with_key(0), &sites(0), 1, &NOP5, "__SCT__x");
    only(&mut with_key(0), &sites(1), 1, &RET, "__SCT__x");
    let jcc = [&[0x0f, 0x84][..], &FUNC.wrapping_sub(SITE + 6).to_le_bytes()[..4]].concat();
    assert_eq!(
        asked(&mut with_key(FUNC), &sites(1), 2, &jcc, "__SCT__x"),
        Some(vec![Bytes::from_slice(&jcc[2..])])
    );
}

#[test]
fn a_static_call_that_gives_zero_is_an_xor_and_only_then() {
    let sites = [table(".static_call_sites", &[SITE, KEY])];
    let mut zero = with_key(FUNC);
    zero.names.insert(FUNC, "__static_call_return0");
    only(&mut zero, &sites, 1, &XOR, "__SCT__x");
    // Another function that gives 0, too, is called.
    let mut other = with_key(FUNC);
    other.names.insert(FUNC, "gives_zero");
    other.put(FUNC, &[0xf3, 0x0f, 0x1e, 0xfa, 0x31, 0xc0]);
    assert_eq!(asked(&mut other, &sites, 1, &XOR, "__SCT__x"), Some(Vec::new()));
}

#[test]
fn a_tail_call_without_a_function_may_lead_to_a_return_thunk() {
    let sites = [table(".static_call_sites", &[SITE, KEY | 1])];
    let mut memory = with_key(0);
    memory.names.insert(FUNC, "srso_return_thunk");
    only(&mut memory, &sites, 1, &branch(JMP, SITE, FUNC), "__SCT__x");
}

#[test]
fn a_key_that_cannot_be_read_says_nothing_of_its_site() {
    let sites = [table(".static_call_sites", &[SITE, KEY])];
    assert_eq!(asked(&mut Memory::default(), &sites, 1, &NOP5, "__SCT__x"), None);
}

#[test]
fn a_jump_label_is_a_nop_or_jumps_to_its_target() {
    let target = SITE + 0x200;
    let mut bytes = table("__jump_table", &[SITE, target]);
    bytes.bytes.extend([0; 8]);
    let tables = [bytes];
    only(&mut Memory::default(), &tables, 1, &NOP5, "x");
    only(&mut Memory::default(), &tables, 1, &branch(JMP, SITE, target), "x");
}

fn alternatives(old: u8, new: u8, wide: bool) -> Table {
    let mut made = table(".altinstructions", &[SITE, FUNC]);
    let feature: &[u8] = if wide { &[0x75, 0, 0, 0] } else { &[0x75, 0] };
    made.bytes.extend([feature, &[old, new]].concat());
    made
}

#[test]
fn an_alternative_is_its_replacement_put_where_it_belongs() {
    let to = FUNC + 0x4000;
    for wide in [false, true] {
        let mut memory = Memory::default();
        memory.put(FUNC, &branch(CALL, FUNC, to));
        only(&mut memory, &[alternatives(5, 5, wide)], 1, &branch(CALL, SITE, to), "x");
        // Two instructions, one with a distance, and filling.
        let made = [&[0x31, 0xc0][..], &branch(CALL, FUNC + 2, to)].concat();
        let put = [&[0x31, 0xc0][..], &branch(CALL, SITE + 2, to), &[0x66, 0x90]].concat();
        memory.put(FUNC, &made);
        only(&mut memory, &[alternatives(9, 7, wide)], 3, &put, "x");
        // Shorter: a jump that was made short, and an instruction before nops.
        memory.put(FUNC, &branch(JMP, FUNC, SITE + 0x22));
        only(&mut memory, &[alternatives(5, 5, wide)], 1, &[0xeb, 0x20, 0x0f, 0x1f, 0x00], "x");
        memory.put(FUNC, &[0x31, 0xc0]);
        only(&mut memory, &[alternatives(5, 2, wide)], 1, &[0x31, 0xc0, 0x0f, 0x1f, 0x00], "x");
    }
}

#[test]
fn an_indirect_call_made_direct_is_not_told() {
    let mut memory = Memory::default();
    memory.put(FUNC, &branch(CALL, FUNC, FUNC + 0x4000));
    let direct = [&branch(CALL, SITE, FUNC + 0x8000)[..], &[0x90]].concat();
    let mut tables = [alternatives(6, 5, true)];
    assert_eq!(asked(&mut memory, &tables, 2, &direct, "pv_ops"), Some(Vec::new()));
    tables[0].bytes[10] |= DIRECT_CALL;
    assert_eq!(asked(&mut memory, &tables, 2, &direct, "pv_ops"), None);
    // Another place than the entry's own.
    let elsewhere = [tables[0].clone(), table(".return_sites", &[SITE + 8])];
    let code = [&direct[..], &[0x90; 2], &RET[..]].concat();
    assert!(
        asked(&mut memory, &elsewhere, 9, &code, "__x86_return_thunk").is_some_and(|all| !all.is_empty())
    );
}

#[test]
fn a_branch_to_a_thunk_of_no_known_name_is_not_told() {
    let mut memory = Memory::default();
    let code = branch(CALL, SITE, FUNC);
    let retpolines = [table(".retpoline_sites", &[SITE])];
    assert_eq!(asked(&mut memory, &retpolines, 1, &code, "__x86_indirect_thunk_rax"), None);
    let returns = [table(".return_sites", &[SITE])];
    let code = branch(JMP, SITE, FUNC);
    assert_eq!(asked(&mut memory, &returns, 1, &code, "__x86_return_thunk"), Some(Vec::new()));
    memory.names.insert(FUNC, "new_return_path");
    assert_eq!(asked(&mut memory, &returns, 1, &code, "__x86_return_thunk"), None);
}

#[test]
fn a_static_call_may_go_to_the_accounting_before_its_function() {
    let sites = |flags| [table(".static_call_sites", &[SITE, KEY | flags])];
    let mut memory = with_key(FUNC);
    memory.put(FUNC - 9, &[0x65, 0x48, 0xc1, 0x3d, 0x25]);
    only(&mut memory, &sites(0), 1, &branch(CALL, SITE, FUNC - 9), "__SCT__x");
    only(&mut memory, &sites(1), 1, &branch(JMP, SITE, FUNC - 9), "__SCT__x");
}

#[test]
fn a_return_returns() {
    let sites = [table(".return_sites", &[SITE])];
    only(&mut Memory::default(), &sites, 1, &RET, "__x86_return_thunk");
    let mut memory = Memory::default();
    memory.names.insert(FUNC, "retbleed_return_thunk");
    only(&mut memory, &sites, 1, &branch(JMP, SITE, FUNC), "__x86_return_thunk");
}

#[test]
fn a_retpoline_branches_by_its_register() {
    let sites = [table(".retpoline_sites", &[SITE])];
    for code in [
        [0xff, 0xd0, 0x0f, 0x1f, 0x00],
        [0xff, 0xe0, 0xcc, 0x66, 0x90],
        [0x0f, 0xae, 0xe8, 0xff, 0xd0],
        [0x0f, 0xae, 0xe8, 0xff, 0xe0],
    ] {
        only(&mut Memory::default(), &sites, 1, &code, "__x86_indirect_thunk_rax");
    }
    only(&mut Memory::default(), &sites, 1, &[0x41, 0xff, 0xd3, 0x66, 0x90], "__x86_indirect_thunk_r11");
    assert_eq!(
        asked(&mut Memory::default(), &sites, 1, &[0xff, 0xd0, 0x90, 0x90, 0x90], "other"),
        Some(Vec::new())
    );
}

#[test]
fn a_conditional_retpoline_jumps_over_the_indirect_jump() {
    let sites = [table(".retpoline_sites", &[SITE])];
    let asked = |code: &[u8]| asked(&mut Memory::default(), &sites, 2, code, "__x86_indirect_thunk_rcx");
    let jump = [0x75, 0x04, 0xff, 0xe1, 0xcc, 0x90];
    assert_eq!(asked(&jump), Some(vec![Bytes::from_slice(&jump[2..])]));
    // Another condition's width, another register, and a call.
    for wrong in [
        [0x75, 5, 0xff, 0xe1, 0xcc, 0x90],
        [0x75, 4, 0xff, 0xe2, 0xcc, 0x90],
        [0x75, 4, 0xff, 0xd1, 0xcc, 0x90],
    ] {
        assert_eq!(asked(&wrong), Some(Vec::new()), "{wrong:x?}");
    }
}

#[test]
fn a_call_may_go_to_the_accounting_before_the_function() {
    let sites = [table(".call_sites", &[SITE])];
    let mut memory = Memory::default();
    memory.put(FUNC - 9, &[0x65, 0x48, 0xc1, 0x3c, 0x25]);
    only(&mut memory, &sites, 1, &branch(CALL, SITE, FUNC - 9), "x");
}

#[test]
fn a_traced_function_begins_with_a_nop_or_a_call_to_a_trampoline() {
    let tables = [Table { name: "__mcount_loc".into(), address: TABLE, bytes: SITE.to_le_bytes().to_vec() }];
    only(&mut Memory::default(), &tables, 1, &NOP5, "__fentry__");
    let mut memory = Memory::default();
    memory.names.insert(FUNC, "ftrace_caller");
    only(&mut memory, &tables, 1, &branch(CALL, SITE, FUNC), "__fentry__");
}

#[test]
fn what_no_table_lists_is_not_told() {
    let elsewhere =
        [table(".static_call_sites", &[SITE + 0x40, KEY]), table(".return_sites", &[SITE + 0x40])];
    assert_eq!(asked(&mut with_key(FUNC), &elsewhere, 1, &NOP5, "x"), None);
}
