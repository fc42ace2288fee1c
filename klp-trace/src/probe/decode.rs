//! Bytes of the ring buffer to [`RawEvent`]. Nothing is trusted but the record's own length.

use std::mem::size_of;

use klp_trace_ebpf::record::{self as wire, CHUNK, Head};
use klp_trace_ebpf::{Hook, Phase};

use super::event::{
    Block, Chunk, Entry, Header, HookEvent, KernelName, Module, ModuleFacts, ModuleState, RawEvent, Rela,
    SectionInfo, Stamp, Symbol, Task, Transition, WalkBegin, WalkEnd, WalkId,
};

/// Wire types: any bytes are a valid value.
///
/// # Safety
/// The type is `repr(C)`, holds integers and arrays of integers alone, and has no padding.
unsafe trait Plain: Copy {}
// SAFETY: klp-trace-ebpf's record.rs: integers, arrays of integers; its assertions prove the absence of padding.
unsafe impl Plain for Head {}
// SAFETY: as Head.
unsafe impl Plain for wire::HookRecord {}
// SAFETY: as Head.
unsafe impl Plain for wire::Begin {}
// SAFETY: as Head.
unsafe impl Plain for wire::Chunk {}
// SAFETY: as Head.
unsafe impl Plain for wire::End {}
// SAFETY: as Head.
unsafe impl Plain for wire::Symbol {}
// SAFETY: as Head.
unsafe impl Plain for wire::ModuleFacts {}
// SAFETY: as Head.
unsafe impl Plain for wire::Transition {}
// SAFETY: as Head.
unsafe impl Plain for wire::Header {}
// SAFETY: as Head.
unsafe impl Plain for wire::Block {}

/// The record in `bytes`, which must be of its exact length.
fn exact<T: Plain>(bytes: &[u8]) -> Result<T, &'static str> {
    if bytes.len() == size_of::<T>() { prefix(bytes) } else { Err("wrong length for its kind") }
}

fn prefix<T: Plain>(bytes: &[u8]) -> Result<T, &'static str> {
    if bytes.len() < size_of::<T>() {
        return Err("shorter than a record's head");
    }
    // SAFETY: at least size_of::<T>() bytes are readable at the pointer, alignment is not asked for, and any bytes
    // are a valid T (trait Plain).
    Ok(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// Decodes one record.
pub fn decode(bytes: &[u8]) -> RawEvent {
    try_decode(bytes).unwrap_or_else(|reason| RawEvent::Malformed { reason, length: bytes.len() })
}

fn try_decode(bytes: &[u8]) -> Result<RawEvent, &'static str> {
    let head: Head = prefix(bytes)?;
    let hook = Hook::from_wire(head.hook).ok_or("unknown hook")?;
    match head.kind {
        wire::KIND_ENTER => {
            let event = hook_event(hook, Phase::Enter, &exact(bytes)?);
            Ok(match hook {
                Hook::ModuleLoad => RawEvent::ModuleLoad(event),
                Hook::ModuleFree => RawEvent::ModuleFree(event),
                _ => RawEvent::Enter(event),
            })
        }
        wire::KIND_EXIT => Ok(RawEvent::Exit(hook_event(hook, Phase::Exit, &exact(bytes)?))),
        wire::KIND_BEGIN => Ok(RawEvent::WalkBegin(Box::new(begin(hook, &exact(bytes)?)))),
        wire::KIND_CHUNK => chunk(hook, &exact(bytes)?).map(RawEvent::Chunk),
        wire::KIND_END => {
            let e: wire::End = exact(bytes)?;
            if e.sent > e.total {
                return Err("more entries sent than there are");
            }
            let (walk, stamp) = (WalkId(e.head.walk), stamp(&e.head));
            let (module, relsec, total, sent) = (e.module, e.relsec, e.total, e.sent);
            Ok(RawEvent::WalkEnd(WalkEnd { walk, hook, stamp, module, relsec, total, sent }))
        }
        wire::KIND_SYMBOL => symbol(&exact(bytes)?).map(RawEvent::Symbol),
        wire::KIND_MODULE => Ok(RawEvent::Module(module_facts(&exact(bytes)?))),
        wire::KIND_TRANSITION => Ok(RawEvent::Transition(transition(hook, &exact(bytes)?))),
        wire::KIND_HEADER => {
            let r: wire::Header = exact(bytes)?;
            Ok(RawEvent::Header(Box::new(Header {
                question: WalkId(r.head.walk),
                index: r.index,
                name: name(&r.name).0,
                address: r.address,
                size: r.size,
                flags: r.flags,
            })))
        }
        wire::KIND_BLOCK => {
            let r: wire::Block = exact(bytes)?;
            let question = WalkId(r.head.walk);
            Ok(RawEvent::Block(Box::new(Block { question, address: r.address, bytes: r.bytes })))
        }
        _ => Err("unknown kind"),
    }
}

/// The bytes before the first NUL, and whether there is one.
fn name(bytes: &[u8]) -> (KernelName, bool) {
    let end = bytes.iter().position(|&b| b == 0);
    (KernelName(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default().to_vec()), end.is_some())
}

/// A name that the kernel's string helper cut would still end in a NUL, in the array's last byte.
fn name_cut(bytes: &[u8]) -> bool {
    name(bytes).0.0.len() + 1 >= bytes.len()
}

fn stamp(head: &Head) -> Stamp {
    Stamp { mono_ns: head.ktime_ns, cpu: head.cpu }
}

fn some_id(id: u32) -> Option<u32> {
    (id != u32::MAX).then_some(id)
}

fn task(t: &wire::Task) -> Task {
    Task {
        pid: t.pid,
        tgid: t.tgid,
        ppid: some_id(t.ppid),
        uid: t.uid,
        auid: some_id(t.auid),
        comm: name(&t.comm).0,
    }
}

fn module(address: u64, state: u32, flags: u32, module_name: &[u8]) -> Module {
    let state = match state {
        0 => ModuleState::Live,
        1 => ModuleState::Coming,
        2 => ModuleState::Going,
        3 => ModuleState::Unformed,
        n => ModuleState::Other(n),
    };
    Module {
        address,
        name: name(module_name).0,
        state,
        livepatch: flags & wire::FLAG_LIVEPATCH != 0,
        klp_info: flags & wire::FLAG_KLP_INFO != 0,
        unreadable: flags & wire::FLAG_READ_ERROR != 0,
    }
}

fn hook_event(hook: Hook, phase: Phase, r: &wire::HookRecord) -> HookEvent {
    let returns = phase == Phase::Exit && matches!(hook, Hook::Coming | Hook::Apply);
    HookEvent {
        hook,
        stamp: stamp(&r.head),
        task: task(&r.task),
        module: module(r.module, r.state, r.flags, &r.name),
        ret: returns.then_some(r.ret),
        relsec: matches!(hook, Hook::Apply | Hook::Clear).then_some(r.relsec),
        walks: r.walks,
    }
}

fn begin(hook: Hook, r: &wire::Begin) -> WalkBegin {
    let named = r.flags & wire::FLAG_KLP_INFO != 0;
    let section_name = |bytes: &[u8]| Some(name(bytes).0).filter(|n| named && !n.is_empty());
    WalkBegin {
        walk: WalkId(r.head.walk),
        hook,
        stamp: stamp(&r.head),
        task: task(&r.task),
        module: r.module,
        name: name(&r.name).0,
        cause: (r.cause != 0).then_some(r.cause),
        ret: matches!(hook, Hook::Coming | Hook::Apply).then_some(r.ret),
        section: SectionInfo {
            relsec: r.relsec,
            name: section_name(&r.section),
            name_cut: name_cut(&r.section),
            total: r.total,
            target_section: r.target_section,
            target_name: section_name(&r.target),
            target_base: r.target_base,
            target_size: r.target_size,
            target_flags: r.target_flags,
            capped: r.flags & wire::FLAG_CAPPED != 0,
        },
    }
}

fn chunk(hook: Hook, r: &wire::Chunk) -> Result<Chunk, &'static str> {
    let count = usize::try_from(r.count).unwrap_or(usize::MAX);
    if count == 0 || count > CHUNK {
        return Err("a chunk of no or too many entries");
    }
    let entries =
        r.rela.iter().zip(&r.st_value).zip(&r.bytes).take(count).enumerate().map(|(j, ((e, s), b))| {
            let readable = r.rela_error == 0;
            Entry {
                rela: readable.then(|| rela(e)),
                st_value: (readable && r.symbol_errors >> j & 1 == 0).then_some(*s),
                bytes: (readable && r.target_errors >> j & 1 == 0).then_some(*b),
            }
        });
    Ok(Chunk {
        walk: WalkId(r.head.walk),
        hook,
        stamp: stamp(&r.head),
        module: r.module,
        relsec: r.relsec,
        first: r.first,
        entries: entries.collect(),
    })
}

#[allow(clippy::cast_possible_truncation, reason = "r_info is two halves: symbol and type")]
fn rela(&[offset, info, addend]: &[u64; 3]) -> Rela {
    Rela { offset, r_type: info as u32, symbol: (info >> 32) as u32, addend: addend.cast_signed() }
}

fn symbol(r: &wire::Symbol) -> Result<Symbol, &'static str> {
    Ok(Symbol {
        question: WalkId(r.head.walk),
        stamp: stamp(&r.head),
        module: r.module,
        index: r.index,
        name: name(&r.name).0,
        name_cut: name_cut(&r.name),
        value: r.value,
        info: u8::try_from(r.info).map_err(|_| "st_info out of range")?,
        shndx: u16::try_from(r.shndx).map_err(|_| "st_shndx out of range")?,
        unreadable: r.flags & wire::FLAG_READ_ERROR != 0,
    })
}

fn module_facts(r: &wire::ModuleFacts) -> ModuleFacts {
    ModuleFacts {
        question: WalkId(r.head.walk),
        stamp: stamp(&r.head),
        module: module(r.module, r.state, r.flags, &r.name),
        text: (r.text != 0).then_some((r.text, r.text_size)),
        sections: r.sections,
        symindex: r.symindex,
        symbols: r.symbols,
    }
}

fn transition(hook: Hook, r: &wire::Transition) -> Transition {
    Transition {
        hook,
        stamp: stamp(&r.head),
        task: task(&r.task),
        module: (r.module != 0).then_some(r.module),
        name: name(&r.name).0,
        object: Some(name(&r.object).0).filter(|n| !n.is_empty()),
        target: match r.state {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
        replace: (r.flags & wire::FLAG_REPLACE_READ != 0).then_some(r.flags & wire::FLAG_REPLACE != 0),
    }
}

#[cfg(test)]
mod tests;
