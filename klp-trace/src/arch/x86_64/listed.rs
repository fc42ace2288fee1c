//! Code that the loader rewrites after it has relocated it, by the tables in which a module lists it.
//!
//! The tables are read where the kernel holds them: relocated, and with every entry. By mainline's sources: arch/x86/kernel/static_call.c
//! of 6.12 was read whole; of Debian's 6.1.176 what rewrites in static_call.c and jump_label.c, and `recompute_jump()` and
//! `patch_retpoline()` of alternative.c; of 7.3 the scenario `tables` speaks:
//!
//! | table | rewritten by | what may stand there |
//! |---|---|---|
//! | `.static_call_sites` | `arch_static_call_transform()`, arch/x86/kernel/static_call.c | call or jmp to the key's function; without one a nop, or `ret; int3`, or jmp to the return thunk; `xor eax, eax` where the function is `__static_call_return0` |
//! | `__jump_table` | `jump_label_add_module()`, arch/x86/kernel/jump_label.c | a nop, or jmp to the entry's target |
//! | `.altinstructions` | `apply_alternatives()`, arch/x86/kernel/alternative.c | the replacement, its distances adjusted, nops behind it |
//! | `.return_sites` | `apply_returns()`, ibid. | `ret; int3`, or jmp to a return thunk |
//! | `.retpoline_sites` | `apply_retpolines()`, ibid. | the indirect branch itself, by the thunk's register, with or without lfence |
//! | `.call_sites` | `callthunks_patch_module_calls()`, arch/x86/kernel/callthunks.c | call to the padding before the function, where the accounting stands |
//! | `__mcount_loc` | `ftrace_module_init()` and later, kernel/trace/ftrace.c | a nop, or call to a trampoline |

use super::nops::{self, NOP5};
use crate::model::Bytes;

/// What the rewriting rests on beside the tables.
pub trait World {
    /// Kernel memory; `None`: it cannot be read.
    fn memory(&mut self, address: u64, length: usize) -> Option<Vec<u8>>;
    /// The name of the symbol that is exactly at an address.
    fn symbol(&mut self, address: u64) -> Option<String>;
}

/// A section of the module as the kernel holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: u64,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// The names of the tables that are asked for.
pub const TABLES: [&str; 7] = [
    ".static_call_sites",
    "__jump_table",
    ".altinstructions",
    ".return_sites",
    ".retpoline_sites",
    ".call_sites",
    "__mcount_loc",
];

/// A relocation's place in code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Where it is.
    pub address: u64,
    /// What is there.
    pub actual: Bytes,
    /// The symbol's name.
    pub symbol: &'a str,
    /// Where the relocation leads, where it is a distance: the symbol and the addend, 4 bytes on.
    pub leads_to: Option<u64>,
}

/// The name of the first table that lists the place, and what all that do allow there. `None`: no table lists it, or what one of
/// them allows cannot be computed and the others do not allow what is there.
///
/// Only what fits the whole instruction is allowed: where its other bytes are of no form, the list is empty.
pub fn listed(tables: &[Table], place: &Place<'_>, world: &mut dyn World) -> Option<(String, Vec<Bytes>)> {
    let mut by = None;
    let mut allowed = Vec::new();
    for table in tables {
        let found = match table.name.as_str() {
            ".static_call_sites" => static_call(table, place, world),
            "__jump_table" => jump_label(table, place, world),
            ".altinstructions" => alternative(table, place, world),
            ".return_sites" => return_site(table, place, world),
            ".retpoline_sites" => retpoline(table, place, world),
            ".call_sites" => call_thunk(table, place, world),
            "__mcount_loc" => mcount(table, place, world),
            _ => None,
        };
        if let Some(found) = found {
            by.get_or_insert_with(|| table.name.clone());
            allowed.extend(found);
        }
    }
    let told = allowed.contains(&place.actual) || !tables.iter().any(|table| is_open(table, place, world));
    by.filter(|_| told).map(|by| (by, allowed))
}

/// Whether a table allows more at the place than can be computed here.
fn is_open(table: &Table, place: &Place<'_>, world: &mut dyn World) -> bool {
    match table.name.as_str() {
        ".altinstructions" => is_direct_call(table, place),
        // A branch to another thunk (ITS, call depth), which may be in memory that has no symbol.
        ".retpoline_sites" => {
            sites(table, 5, place, world).iter().any(|(_, code)| matches!(code.first(), Some(&(CALL | JMP))))
        }
        // A thunk of a name that is not known here.
        ".return_sites" => sites(table, 5, place, world).iter().any(|(site, code)| {
            let to = branches_to(*site, code, 1).filter(|_| code.first() == Some(&JMP));
            to.is_some_and(|to| world.symbol(to).is_some())
        }),
        _ => false,
    }
}

/// `ALT_FLAG_DIRECT_CALL` (arch/x86/include/asm/alternative.h, from 6.8 on), in the upper half of the feature: an indirect call
/// becomes a call to where its pointer led (`alt_replace_call()`).
const DIRECT_CALL: u8 = 1 << 1;

fn is_direct_call(table: &Table, place: &Place<'_>) -> bool {
    is_alternatives(table, WIDE)
        && entries(table, WIDE).any(|(address, entry)| {
            let length = entry.get(WIDE - 2).copied().map_or(0, u64::from);
            entry.get(10).is_some_and(|flags| flags & DIRECT_CALL != 0)
                && led_to(address, entry, 0).is_some_and(|site| covers(site, length, place))
        })
}

fn word(bytes: &[u8], at: usize) -> Option<i64> {
    Some(i64::from(i32::from_le_bytes(*bytes.get(at..)?.first_chunk()?)))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Entries of `size` bytes, each with its address.
fn entries(table: &Table, size: usize) -> impl Iterator<Item = (u64, &[u8])> {
    let address = table.address;
    table.bytes.chunks_exact(size).enumerate().map(move |(at, entry)| (address + (at * size) as u64, entry))
}

/// Where the distance at `at` of an entry leads.
fn led_to(address: u64, entry: &[u8], at: usize) -> Option<u64> {
    Some((address + at as u64).wrapping_add_signed(word(entry, at)?))
}

/// Whether the place is within `length` bytes of `site`.
fn covers(site: u64, length: u64, place: &Place<'_>) -> bool {
    let end = place.address + place.actual.as_slice().len() as u64;
    site <= place.address && end <= site.saturating_add(length)
}

/// The sites of a table of plain distances that cover a place: its address, and the bytes there.
fn sites(table: &Table, length: usize, place: &Place<'_>, world: &mut dyn World) -> Vec<(u64, Vec<u8>)> {
    entries(table, 4)
        .filter_map(|(address, entry)| led_to(address, entry, 0))
        .filter(|site| covers(*site, length as u64, place))
        .filter_map(|site| Some((site, world.memory(site, length)?)))
        .collect()
}

/// `opcode rel32` at `site`.
fn branch(opcode: u8, site: u64, to: u64) -> Vec<u8> {
    let distance = to.wrapping_sub(site + 5).to_le_bytes();
    std::iter::once(opcode).chain(distance.into_iter().take(4)).collect()
}

/// Where the `rel32` at `at` of an instruction of `length` bytes leads.
fn branches_to(site: u64, code: &[u8], at: usize) -> Option<u64> {
    Some((site + at as u64 + 4).wrapping_add_signed(word(code, at)?))
}

/// What each form has at the place, of those that agree with the code everywhere else.
fn fitting(forms: &[Vec<u8>], site: u64, code: &[u8], place: &Place<'_>) -> Vec<Bytes> {
    let Ok(start) = usize::try_from(place.address.wrapping_sub(site)) else { return Vec::new() };
    let range = start..start + place.actual.as_slice().len();
    let fits = |form: &&Vec<u8>| {
        form.iter().zip(code).enumerate().all(|(at, (form, code))| range.contains(&at) || form == code)
    };
    forms
        .iter()
        .filter(|form| form.len() >= range.end)
        .filter(fits)
        .filter_map(|form| Some(Bytes::from_slice(form.get(range.clone())?)))
        .collect()
}

const CALL: u8 = 0xe8;
const JMP: u8 = 0xe9;
const RET: [u8; 5] = [0xc3, 0xcc, 0xcc, 0xcc, 0xcc];
/// `data16 data16 data16 xor eax, eax`: what a call becomes whose function gives 0 (`xor5rax`).
const XOR: [u8; 5] = [0x2e, 0x2e, 0x2e, 0x31, 0xc0];

fn is_return_thunk(to: Option<u64>, world: &mut dyn World) -> bool {
    to.and_then(|to| world.symbol(to)).is_some_and(|name| name.ends_with("return_thunk"))
}

/// `struct static_call_site { s32 addr; s32 key; }`; bit 0 of the key: a tail call (include/linux/static_call_types.h).
fn static_call(table: &Table, place: &Place<'_>, world: &mut dyn World) -> Option<Vec<Bytes>> {
    let mut allowed = None;
    for (address, entry) in entries(table, 8) {
        let (Some(site), Some(key)) = (led_to(address, entry, 0), led_to(address, entry, 4)) else {
            continue;
        };
        if !covers(site, 6, place) {
            continue;
        }
        // A key that cannot be read tells nothing of its site.
        let Some(code) = world.memory(site, 6) else { continue };
        let Some(func) = world.memory(key & !3, 8).and_then(|key| long(&key, 0)) else { continue };
        let mut forms = Vec::new();
        let jcc = code.first() == Some(&0x0f) && code.get(1).is_some_and(|byte| byte & 0xf0 == 0x80);
        if jcc && place.address == site + 2 {
            // A conditional tail call keeps its condition; without a function it leads to a return.
            let to = branches_to(site, &code, 2);
            let returns = func == 0
                && to
                    .and_then(|to| world.symbol(to))
                    .is_some_and(|name| name == "__static_call_return" || name.ends_with("return_thunk"));
            if to == Some(func) || returns {
                forms.push(code.clone());
            } else {
                let distance = func.wrapping_sub(site + 6).to_le_bytes();
                forms.push(code.iter().take(2).copied().chain(distance.into_iter().take(4)).collect());
            }
        } else if key & 1 != 0 {
            if func != 0 {
                forms.push(branch(JMP, site, func));
            } else {
                forms.push(RET.to_vec());
                if code.first() == Some(&JMP) && is_return_thunk(branches_to(site, &code, 1), world) {
                    forms.push(code.get(..5)?.to_vec());
                }
            }
        } else if func == 0 {
            forms.push(NOP5.to_vec());
        } else {
            forms.push(branch(CALL, site, func));
            // Of functions that give 0, this one alone (`__static_call_transform()`).
            if world.symbol(func).is_some_and(|name| name == "__static_call_return0") {
                forms.push(XOR.to_vec());
            }
        }
        // Where call depth is tracked, to the accounting before the function (`callthunks_translate_call_dest()`).
        let opcode = if key & 1 == 0 { CALL } else { JMP };
        let accounted = branches_to(site, &code, 1).is_some_and(|to| accounts(to, func, world));
        if func != 0 && code.first() == Some(&opcode) && accounted {
            forms.push(code.get(..5)?.to_vec());
        }
        allowed.get_or_insert_with(Vec::new).extend(fitting(&forms, site, &code, place));
    }
    allowed
}

/// `struct jump_entry { s32 code; s32 target; long key; }` (include/linux/jump_label.h).
fn jump_label(table: &Table, place: &Place<'_>, world: &mut dyn World) -> Option<Vec<Bytes>> {
    let mut allowed = None;
    for (address, entry) in entries(table, 16) {
        let (Some(site), Some(target)) = (led_to(address, entry, 0), led_to(address, entry, 4)) else {
            continue;
        };
        if !covers(site, 5, place) {
            continue;
        }
        let Some(code) = world.memory(site, 5) else { continue };
        let forms = [NOP5.to_vec(), branch(JMP, site, target)];
        allowed.get_or_insert_with(Vec::new).extend(fitting(&forms, site, &code, place));
    }
    allowed
}

/// `struct alt_instr`: `s32 instr_offset, repl_offset`, which feature, `u8 instrlen, replacementlen`. The feature takes 2 bytes
/// up to 6.2 and 4 from 6.3 on (arch/x86/include/asm/alternative.h).
fn alternative(table: &Table, place: &Place<'_>, world: &mut dyn World) -> Option<Vec<Bytes>> {
    let size = [WIDE, 12].into_iter().find(|size| is_alternatives(table, *size))?;
    let mut allowed: Option<Vec<Bytes>> = None;
    for (address, entry) in entries(table, size) {
        let (Some(site), Some(from)) = (led_to(address, entry, 0), led_to(address, entry, 4)) else {
            continue;
        };
        let [length, new] = [*entry.get(size - 2)?, *entry.get(size - 1)?].map(usize::from);
        if !covers(site, length as u64, place) {
            continue;
        }
        let (Some(code), Some(replacement)) = (world.memory(site, length), world.memory(from, new)) else {
            continue;
        };
        let allowed = allowed.get_or_insert_with(Vec::new);
        if let [CALL | JMP, ..] = *replacement
            && new == 5
        {
            let to = branches_to(from, &replacement, 1)?;
            let form = branch(*replacement.first()?, site, to);
            if code.get(5..).is_some_and(nops::all) {
                allowed.extend(fitting(&[form], site, &code, place));
            }
        }
        if is_replaced(&code, site, &replacement, from) {
            allowed.push(place.actual);
        }
    }
    allowed
}

/// Bytes of a `struct alt_instr` from 6.3 on.
const WIDE: usize = 14;

/// Whether the table's entries have this size: each has code to replace, and not less of it than it is replaced with.
fn is_alternatives(table: &Table, size: usize) -> bool {
    let sound = |entry: &[u8]| {
        let lengths = entry.get(size - 2).zip(entry.get(size - 1));
        lengths.is_some_and(|(old, new)| *old > 0 && new <= old)
    };
    !table.bytes.is_empty()
        && table.bytes.len().is_multiple_of(size)
        && table.bytes.chunks_exact(size).all(sound)
}

/// Whether code is a replacement made at `from` and put to `site`: the same bytes, distances adjusted, nops behind.
fn is_replaced(code: &[u8], site: u64, replacement: &[u8], from: u64) -> bool {
    let moved = from.wrapping_sub(site);
    // By position: whether the rest can be so from there on.
    let mut fits = vec![false; replacement.len() + 5];
    for at in (0..=replacement.len()).rev() {
        let rest = replacement.len() - at;
        let now = if rest == 0 {
            code.get(at..).is_some_and(nops::all)
        } else {
            let same = code.get(at) == replacement.get(at) && fits.get(at + 1) == Some(&true);
            let adjusted = rest >= 4
                && fits.get(at + 4) == Some(&true)
                && word(code, at).zip(word(replacement, at)).is_some_and(|(code, replacement)| {
                    let adjusted = replacement.cast_unsigned().wrapping_add(moved);
                    adjusted.to_le_bytes().get(..4) == code.to_le_bytes().get(..4)
                });
            same || adjusted
        };
        if let Some(slot) = fits.get_mut(at) {
            *slot = now;
        }
    }
    fits.first() == Some(&true) || is_short_jump(code, site, replacement, from)
}

/// `jmp rel32` made `jmp rel8` where it is near enough (`recompute_jump()` of 6.1, `apply_relocation()` later).
fn is_short_jump(code: &[u8], site: u64, replacement: &[u8], from: u64) -> bool {
    let (Some(0xeb), Some(distance), [JMP, ..]) = (code.first(), code.get(1), replacement) else {
        return false;
    };
    let to = (site + 2).wrapping_add_signed(i64::from(distance.cast_signed()));
    replacement.len() == 5
        && branches_to(from, replacement, 1) == Some(to)
        && code.get(2..).is_some_and(nops::all)
}

fn return_site(table: &Table, place: &Place<'_>, world: &mut dyn World) -> Option<Vec<Bytes>> {
    let mut allowed = None;
    for (site, code) in sites(table, 5, place, world) {
        let mut forms = vec![RET.to_vec()];
        if code.first() == Some(&JMP) && is_return_thunk(branches_to(site, &code, 1), world) {
            forms.push(code.clone());
        }
        allowed.get_or_insert_with(Vec::new).extend(fitting(&forms, site, &code, place));
    }
    allowed
}

/// The registers in the order of their numbers, as the thunks are named.
const REGISTERS: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];

/// `patch_retpoline()`: with or without lfence, and int3 behind a jump; a conditional one becomes a short jump over that.
fn retpoline(table: &Table, place: &Place<'_>, world: &mut dyn World) -> Option<Vec<Bytes>> {
    let mut allowed = None;
    for (site, code) in sites(table, 6, place, world) {
        let allowed = allowed.get_or_insert_with(Vec::new);
        // The opcode of `jcc rel32` has two bytes, that of call and jmp one.
        let is_conditional = place.address == site + 2;
        let code = match &*code {
            [condition, 4, rest @ ..] if is_conditional && condition & 0xf0 == 0x70 => rest,
            [code @ .., _] if !is_conditional => code,
            _ => continue,
        };
        let named = place.symbol.strip_prefix("__x86_indirect_thunk_");
        let Some(number) = named.and_then(|named| REGISTERS.iter().position(|name| *name == named)) else {
            continue;
        };
        let low = u8::try_from(number & 7).unwrap_or(0);
        let prefix: &[u8] = if number > 7 { &[0x41] } else { &[] };
        let (call, jmp, lfence) = (0xd0, 0xe0, &[0x0f, 0xae, 0xe8][..]);
        for (before, modrm) in [(&[][..], jmp), (lfence, jmp), (&[][..], call), (lfence, call)] {
            let body = [before, prefix, &[0xff, modrm | low]].concat();
            let is_call = modrm == call;
            if !(is_conditional && is_call)
                && code.starts_with(&body)
                && code.get(body.len()..).is_some_and(nops::all)
            {
                allowed.push(place.actual);
            }
        }
    }
    allowed
}

/// Bytes before a function in which its accounting may stand (`CONFIG_FUNCTION_PADDING_BYTES` is at most 64).
const PADDING: u64 = 64;
/// `sarq $5, %gs:...`: the accounting of call depth, absolute or relative (`skl_call_thunk_template`).
const ACCOUNTING: [[u8; 4]; 2] = [[0x65, 0x48, 0xc1, 0x3c], [0x65, 0x48, 0xc1, 0x3d]];

/// Whether there is call depth's accounting at `to`, in the padding before a function.
fn accounts(to: u64, function: u64, world: &mut dyn World) -> bool {
    (1..=PADDING).contains(&function.wrapping_sub(to))
        && world.memory(to, 4).is_some_and(|bytes| ACCOUNTING.iter().any(|start| bytes == start))
}

fn call_thunk(table: &Table, place: &Place<'_>, world: &mut dyn World) -> Option<Vec<Bytes>> {
    let mut allowed = None;
    for (site, code) in sites(table, 5, place, world) {
        let allowed = allowed.get_or_insert_with(Vec::new);
        let (Some(to), Some(function)) = (branches_to(site, &code, 1), place.leads_to) else { continue };
        if accounts(to, function, world) && matches!(code.first(), Some(&(CALL | JMP))) {
            allowed.push(place.actual);
        }
    }
    allowed
}

fn mcount(table: &Table, place: &Place<'_>, world: &mut dyn World) -> Option<Vec<Bytes>> {
    let mut allowed = None;
    for site in table.bytes.chunks_exact(8).filter_map(|entry| long(entry, 0)) {
        if !covers(site, 5, place) {
            continue;
        }
        let Some(code) = world.memory(site, 5) else { continue };
        let mut forms = vec![NOP5.to_vec()];
        if code.first() == Some(&CALL)
            && branches_to(site, &code, 1).and_then(|to| world.symbol(to)).is_some()
        {
            forms.push(code.clone());
        }
        allowed.get_or_insert_with(Vec::new).extend(fitting(&forms, site, &code, place));
    }
    allowed
}

#[cfg(test)]
mod tests;
