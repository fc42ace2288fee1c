use super::*;

/// A record's bytes.
fn bytes<T: Plain>(record: &T) -> Vec<u8> {
    // SAFETY: a Plain type has no padding, so each of its bytes is initialised.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(record).cast::<u8>(), size_of::<T>()) }.to_vec()
}

fn head(kind: u32, hook: Hook) -> Head {
    Head { kind, hook: hook as u32, walk: 9, ktime_ns: 5, cpu: 1, reserved: 0 }
}

fn text<const N: usize>(s: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out[..s.len()].copy_from_slice(s);
    out
}

fn a_chunk() -> wire::Chunk {
    let mut c = wire::Chunk {
        head: head(wire::KIND_CHUNK, Hook::Clear),
        module: 0xffff_ffff_c000_0000,
        relsec: 7,
        first: 64,
        count: 3,
        rela_error: 0,
        symbol_errors: 0b010,
        target_errors: 0b100,
        rela: [[0; 3]; CHUNK],
        st_value: [0; CHUNK],
        bytes: [0; CHUNK],
    };
    c.rela[0] = [16, 5 << 32 | 2, (-4_i64).cast_unsigned()];
    c.st_value[0] = 0xffff_ffff_c100_0000;
    c.bytes[0] = 0x1234_5678;
    c
}

#[test]
fn a_chunk_holds_its_entries_and_no_more() {
    let RawEvent::Chunk(c) = decode(&bytes(&a_chunk())) else { panic!("not a chunk") };
    assert_eq!((c.walk, c.hook, c.relsec, c.first, c.entries.len()), (WalkId(9), Hook::Clear, 7, 64, 3));
    let rela = Rela { offset: 16, r_type: 2, symbol: 5, addend: -4 };
    let want = Entry { rela: Some(rela), st_value: Some(0xffff_ffff_c100_0000), bytes: Some(0x1234_5678) };
    assert_eq!(c.entries[0], want);
    assert_eq!((c.entries[1].st_value, c.entries[1].bytes), (None, Some(0)));
    assert_eq!((c.entries[2].st_value, c.entries[2].bytes), (Some(0), None));
}

#[test]
fn an_unreadable_chunk_yields_no_values() {
    let r = wire::Chunk { rela_error: wire::RELA_UNREADABLE, ..a_chunk() };
    let RawEvent::Chunk(c) = decode(&bytes(&r)) else { panic!("not a chunk") };
    assert!(c.entries.iter().all(|e| e.rela.is_none() && e.st_value.is_none() && e.bytes.is_none()));
}

#[test]
fn counts_out_of_range_are_malformed() {
    for count in [0, 65, u32::MAX] {
        let event = decode(&bytes(&wire::Chunk { count, ..a_chunk() }));
        assert!(matches!(event, RawEvent::Malformed { .. }), "{count}: {event:?}");
    }
    let mut e = wire::End {
        head: head(wire::KIND_END, Hook::Apply),
        module: 1,
        relsec: 2,
        total: 3,
        sent: 3,
        reserved: 0,
    };
    assert!(matches!(decode(&bytes(&e)), RawEvent::WalkEnd(WalkEnd { total: 3, sent: 3, .. })));
    e.sent = 4;
    assert!(matches!(decode(&bytes(&e)), RawEvent::Malformed { .. }));
}

#[test]
fn no_length_and_no_head_panics() {
    let good = bytes(&a_chunk());
    for n in 0..good.len() {
        assert!(matches!(decode(&good[..n]), RawEvent::Malformed { .. }), "{n} bytes");
    }
    for (at, value) in [(0, 99), (0, 0), (4, 0), (4, 14)] {
        let mut b = good.clone();
        b[at] = value;
        assert!(matches!(decode(&b), RawEvent::Malformed { .. }), "byte {at} = {value}");
    }
}

fn a_hook(kind: u32, hook: Hook) -> wire::HookRecord {
    wire::HookRecord {
        head: head(kind, hook),
        task: wire::Task {
            pid: 11,
            tgid: 10,
            ppid: u32::MAX,
            uid: 0,
            auid: 1000,
            reserved: 0,
            comm: text(b"modprobe"),
        },
        module: 0x10,
        ret: -8,
        state: 1,
        flags: wire::FLAG_LIVEPATCH,
        relsec: 4,
        walks: 2,
        name: text(b"klp_patch"),
    }
}

#[test]
fn hooks_carry_what_belongs_to_them() {
    let RawEvent::Exit(e) = decode(&bytes(&a_hook(wire::KIND_EXIT, Hook::Apply))) else {
        panic!("not an exit")
    };
    assert_eq!((e.ret, e.relsec, e.walks), (Some(-8), Some(4), 2));
    assert_eq!((e.task.ppid, e.task.auid, e.task.comm.to_lossy().as_str()), (None, Some(1000), "modprobe"));
    assert_eq!((e.module.state, e.module.livepatch, e.module.klp_info), (ModuleState::Coming, true, false));
    let RawEvent::Exit(e) = decode(&bytes(&a_hook(wire::KIND_EXIT, Hook::Going))) else {
        panic!("not an exit")
    };
    assert_eq!((e.ret, e.relsec), (None, None));
    assert!(matches!(decode(&bytes(&a_hook(wire::KIND_ENTER, Hook::ModuleLoad))), RawEvent::ModuleLoad(_)));
    assert!(matches!(decode(&bytes(&a_hook(wire::KIND_ENTER, Hook::ModuleFree))), RawEvent::ModuleFree(_)));
    assert!(matches!(decode(&bytes(&a_hook(wire::KIND_EXIT, Hook::ModuleLoad))), RawEvent::Exit(_)));
}

#[test]
fn a_walk_is_named_only_where_the_kernel_kept_the_names() {
    let mut b = wire::Begin {
        head: head(wire::KIND_BEGIN, Hook::Cleanup),
        task: a_hook(0, Hook::Going).task,
        module: 1,
        cause: 2,
        ret: 0,
        target_base: 3,
        target_size: 4,
        target_flags: 5,
        target_section: 6,
        relsec: 7,
        total: 8,
        flags: wire::FLAG_KLP_INFO,
        name: text(b"lp"),
        section: text(b".klp.rela.nfsd..text.a"),
        target: text(b".text.a"),
    };
    let RawEvent::WalkBegin(w) = decode(&bytes(&b)) else { panic!("not a begin") };
    assert_eq!((w.cause, w.ret, w.section.name_cut), (Some(2), None, false));
    assert_eq!(w.section.name, Some(KernelName(b".klp.rela.nfsd..text.a".to_vec())));
    b.section = text(&[b'x'; wire::SECTION_NAME - 1]);
    let RawEvent::WalkBegin(w) = decode(&bytes(&b)) else { panic!("not a begin") };
    assert!(w.section.name_cut);
    b.flags = 0;
    let RawEvent::WalkBegin(w) = decode(&bytes(&b)) else { panic!("not a begin") };
    assert_eq!((w.section.name, w.section.target_name), (None, None));
}
