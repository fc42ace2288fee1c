//! What each verdict takes, case by case.

use super::*;
use proptest::prelude::*;

const S: u64 = 0xffff_ffff_c026_6028;
const P: u64 = 0xffff_ffff_c080_104b;
const PC32: u32 = 2;
/// Seen on a 6.12 kernel for the S and P above and A = -5.
const RIGHT: [u8; 8] = [0xd8, 0x4f, 0xa6, 0xff, 0x90, 0x90, 0x90, 0x90];

fn facts(context: Context, bytes: [u8; 8]) -> Facts<'static> {
    Facts {
        arch: Arch::X86_64,
        rtype: PC32,
        addend: -5,
        place: P,
        bytes: Some(bytes),
        original: [0, 0, 0, 0, 0x90, 0x90, 0x90, 0x90],
        symbol: Ok(S),
        recorded: Some(S),
        earlier: None,
        was_stale: false,
        was_pending: false,
        writable: false,
        third: Third::No,
        loader: Loader::NotAsked,
        context,
    }
}

fn verdict(facts: &Facts<'_>) -> (Option<Verdict>, Option<Reason>) {
    let judgement = judge(facts);
    (judgement.verdict, judgement.reason)
}

const ZERO: [u8; 8] = [0, 0, 0, 0, 0x90, 0x90, 0x90, 0x90];
const OTHER: [u8; 8] = [1, 2, 3, 4, 0x90, 0x90, 0x90, 0x90];

#[test]
fn present_and_active() {
    use Verdict::{Applied, Mismatch, Missing, Stale, Unknown};
    let with = |bytes| facts(Context::Active, bytes);
    assert_eq!(verdict(&with(RIGHT)), (Some(Applied), None));
    assert_eq!(verdict(&with(ZERO)), (Some(Missing), None));
    assert_eq!(verdict(&with(OTHER)), (Some(Mismatch), None));
    assert_eq!(
        verdict(&Facts { writable: true, ..with(OTHER) }),
        (Some(Mismatch), Some(Reason::WrittenAtRunTime))
    );
    let earlier = Some(Bytes::new(OTHER, 4));
    assert_eq!(verdict(&Facts { earlier, ..with(OTHER) }), (Some(Stale), None));
    let moved = Facts { symbol: Ok(S + 16), ..with(RIGHT) };
    assert_eq!(verdict(&moved), (Some(Mismatch), Some(Reason::WrongSymbol)));
    let gone = Facts { symbol: Err(Reason::SymbolsGone), ..with(RIGHT) };
    assert_eq!(verdict(&gone), (Some(Unknown), Some(Reason::SymbolsGone)));
}

#[test]
fn a_symbol_of_a_third_module() {
    use Verdict::{Applied, Mismatch, Missing, Stale};
    let (gone, moved) = (Some(Reason::SymbolModuleGone), Some(Reason::SymbolMoved));
    let earlier = Some(Bytes::new(OTHER, 4));
    for context in [Context::Active, Context::Detached, Context::Later] {
        let with = |third, bytes| Facts { third, ..facts(context, bytes) };
        // What a lookup said before it went, or says of a load that has just come, does not count.
        for symbol in [Ok(S), Err(Reason::SymbolsGone), Err(Reason::SymbolsHidden)] {
            let with = |bytes| Facts { symbol, ..with(Third::Gone, bytes) };
            assert_eq!(verdict(&with(RIGHT)), (Some(Stale), gone), "{context:?}");
            assert_eq!(verdict(&Facts { earlier, ..with(OTHER) }), (Some(Stale), gone), "{context:?}");
        }
        assert_eq!(verdict(&with(Third::There, RIGHT)), (Some(Applied), None), "{context:?}");
        let elsewhere = |bytes| Facts { symbol: Ok(S + 0x1000), ..with(Third::There, bytes) };
        assert_eq!(verdict(&elsewhere(RIGHT)), (Some(Stale), moved), "{context:?}");
        assert_eq!(verdict(&Facts { earlier, ..elsewhere(OTHER) }), (Some(Stale), moved), "{context:?}");
    }
    for third in [Third::Gone, Third::There] {
        let with = |bytes| Facts { third, ..facts(Context::Active, bytes) };
        assert_eq!(verdict(&with(OTHER)), (Some(Mismatch), None), "neither value");
        let data = Facts { writable: true, ..with(OTHER) };
        assert_eq!(verdict(&data), (Some(Mismatch), Some(Reason::WrittenAtRunTime)));
        assert_eq!(verdict(&with(ZERO)), (Some(Missing), None));
    }
    let never = Facts { third: Third::Gone, recorded: Some(0), ..facts(Context::NotEnabled, ZERO) };
    assert_eq!(verdict(&never), (Some(Verdict::Pending), Some(Reason::NotEnabled)));
    let left = Facts { third: Third::Gone, ..facts(Context::Absent, RIGHT) };
    assert_eq!(verdict(&left), (Some(Stale), None), "the object is gone too: its unload left it");
}

#[test]
fn absent() {
    use Verdict::{Cleared, Mismatch, Pending, Stale};
    let with = |bytes| Facts { symbol: Err(Reason::SymbolsGone), ..facts(Context::Absent, bytes) };
    assert_eq!(verdict(&with(ZERO)), (Some(Cleared), None));
    assert_eq!(verdict(&Facts { recorded: Some(0), ..with(ZERO) }), (Some(Pending), None));
    assert_eq!(verdict(&with(RIGHT)), (Some(Stale), None));
    assert_eq!(verdict(&Facts { recorded: Some(0), ..with(RIGHT) }), (Some(Mismatch), None));
    assert_eq!(verdict(&with(OTHER)), (Some(Mismatch), None));
    let failed = Facts { context: Context::Failed, ..with(RIGHT) };
    assert_eq!(verdict(&failed), (Some(Stale), Some(Reason::FailedLoad)));
    // The symbols of a section are resolved before its first relocation is written: a load that fails in between
    // leaves a recorded value, and nothing was ever applied.
    let resolved = Facts { was_pending: true, context: Context::Failed, ..with(ZERO) };
    assert_eq!(verdict(&resolved), (Some(Pending), None));
    let refused = Facts {
        earlier: Some(Bytes::new(OTHER, 4)),
        was_stale: true,
        context: Context::Failed,
        ..with(OTHER)
    };
    assert_eq!(verdict(&refused), (Some(Stale), None), "the value of an earlier load, not of the failed one");
}

#[test]
fn detached_with_the_object_there() {
    use Verdict::{Applied, Cleared, Mismatch, Pending, Stale, Unknown};
    let with = |bytes| facts(Context::Detached, bytes);
    assert_eq!(verdict(&with(RIGHT)), (Some(Applied), None));
    assert_eq!(verdict(&with(ZERO)), (Some(Cleared), None));
    assert_eq!(verdict(&Facts { recorded: Some(0), ..with(ZERO) }), (Some(Pending), None));
    // The object was loaded again elsewhere: what the kernel recorded is the earlier load's.
    let again = Facts { symbol: Ok(S + 0x1000), ..with(RIGHT) };
    assert_eq!(verdict(&again), (Some(Stale), None));
    assert_eq!(verdict(&with(OTHER)), (Some(Mismatch), None));
    let hidden = Facts { symbol: Err(Reason::SymbolsHidden), ..with(RIGHT) };
    assert_eq!(verdict(&hidden), (Some(Unknown), Some(Reason::SymbolsHidden)));
}

#[test]
fn a_value_that_did_not_fit_is_recognised_where_it_was_stored() {
    // Kernels before 6.3 store first and check for overflow then.
    let cut = [0x28, 0x60, 0x26, 0xc0, 0x90, 0x90, 0x90, 0x90];
    let stored = Facts { rtype: 10, addend: 0, ..facts(Context::Failed, cut) };
    assert_eq!(verdict(&stored), (Some(Verdict::Stale), Some(Reason::FailedLoad)));
    let other = Facts { recorded: Some(S + 1), ..stored };
    assert_eq!(verdict(&other), (Some(Verdict::Mismatch), None));
}

#[test]
fn before_the_patch_is_enabled() {
    let with = |bytes| Facts { recorded: Some(0), ..facts(Context::NotEnabled, bytes) };
    assert_eq!(verdict(&with(ZERO)), (Some(Verdict::Pending), Some(Reason::NotEnabled)));
    assert_eq!(verdict(&with(RIGHT)), (Some(Verdict::Applied), None));
    assert_eq!(verdict(&with(OTHER)), (Some(Verdict::Mismatch), None));
}

#[test]
fn rewritten_code_is_never_called_wrong() {
    assert_eq!(verdict(&facts(Context::Later, RIGHT)), (Some(Verdict::Applied), None));
    assert_eq!(verdict(&facts(Context::Later, OTHER)), (Some(Verdict::Unknown), Some(Reason::Rewritten)));
    let data = Facts { writable: true, ..facts(Context::Later, OTHER) };
    assert_eq!(verdict(&data), (Some(Verdict::Mismatch), Some(Reason::WrittenAtRunTime)));
}

#[test]
fn what_the_patchs_tables_allow_is_applied_and_nothing_else() {
    let allowed = [Bytes::new(OTHER, 4)];
    let with = |bytes| Facts { loader: Loader::Listed(&allowed), ..facts(Context::Later, bytes) };
    assert_eq!(verdict(&with(RIGHT)), (Some(Verdict::Applied), None));
    assert_eq!(verdict(&with(OTHER)), (Some(Verdict::Applied), Some(Reason::Rewritten)));
    assert_eq!(verdict(&with(ZERO)), (Some(Verdict::Missing), None));
    for at in 0..4 {
        let mut wrong = OTHER;
        wrong[at] ^= 0x10;
        assert_eq!(verdict(&with(wrong)), (Some(Verdict::Mismatch), None), "byte {at}");
    }
    let of_no_form = Facts { loader: Loader::Listed(&[]), ..facts(Context::Later, OTHER) };
    assert_eq!(verdict(&of_no_form), (Some(Verdict::Unknown), Some(Reason::Rewritten)));
}

#[test]
fn an_entry_of_a_sorted_table_is_itself_but_for_the_loaders_bits() {
    let loader = |found, bits| Loader::Sorted { found, bits, other: None };
    let marked = {
        let mut bytes = RIGHT;
        bytes[0] |= 2;
        bytes
    };
    let with = |bytes, loader| Facts { loader, writable: true, ..facts(Context::Later, bytes) };
    assert_eq!(verdict(&with(RIGHT, loader(true, 2))), (Some(Verdict::Applied), None));
    assert_eq!(verdict(&with(marked, loader(true, 2))), (Some(Verdict::Applied), Some(Reason::Rewritten)));
    assert_eq!(verdict(&with(marked, loader(true, 0))), (Some(Verdict::Mismatch), None));
    assert_eq!(verdict(&with(OTHER, loader(true, 2))), (Some(Verdict::Mismatch), None));
    assert_eq!(verdict(&with(OTHER, loader(false, 2))), (Some(Verdict::Unknown), Some(Reason::Rewritten)));
    // The key's value in place of the trampoline's.
    let exchanged = Loader::Sorted { found: true, bits: 2, other: Some(S) };
    let trampoline = Facts { symbol: Ok(S + 0x100), recorded: None, ..with(marked, exchanged) };
    assert_eq!(verdict(&trampoline), (Some(Verdict::Applied), Some(Reason::Rewritten)));
    assert_eq!(verdict(&Facts { bytes: Some(OTHER), ..trampoline }), (Some(Verdict::Mismatch), None));
    let at_the_write = Facts { context: Context::Active, ..with(marked, loader(true, 2)) };
    assert_eq!(verdict(&at_the_write), (Some(Verdict::Mismatch), Some(Reason::WrittenAtRunTime)));
}

#[test]
fn what_has_been_freed_is_nobodys_word() {
    for bytes in [Some(RIGHT), Some(ZERO), Some(OTHER), None] {
        let freed = Facts { bytes, ..facts(Context::Freed, ZERO) };
        assert_eq!(verdict(&freed), (Some(Verdict::Unknown), Some(Reason::TargetFreed)));
        assert_eq!(judge(&freed).actual, None);
    }
    assert_eq!(verdict(&Facts { rtype: 0, ..facts(Context::Freed, ZERO) }), (None, None));
    let gone = judge(&Facts { bytes: Some(OTHER), ..facts(Context::Gone, ZERO) });
    assert_eq!((gone.verdict, gone.reason, gone.actual), (None, Some(Reason::TargetFreed), None));
}

#[test]
fn gated_on_an_object_that_is_not_listed() {
    // The file's own bytes, zero or not, or zero where something cleared them: nobody has written there.
    for (bytes, verdict) in
        [(OTHER, Verdict::Orphaned), (ZERO, Verdict::Orphaned), (RIGHT, Verdict::Mismatch)]
    {
        let orphan = Facts { original: OTHER, ..facts(Context::Orphan, bytes) };
        let judgement = judge(&orphan);
        assert_eq!(judgement.verdict, Some(verdict));
        let expected = (verdict == Verdict::Mismatch).then_some(Bytes::new(OTHER, 4));
        assert_eq!(judgement.expected, expected);
    }
}

#[test]
fn what_cannot_be_told() {
    let unreadable = Facts { bytes: None, ..facts(Context::Active, ZERO) };
    assert_eq!(verdict(&unreadable), (Some(Verdict::Unknown), Some(Reason::MemoryUnreadable)));
    let odd = Facts { rtype: 77, ..facts(Context::Active, ZERO) };
    assert_eq!(verdict(&odd), (Some(Verdict::Unknown), Some(Reason::TypeUnsupported)));
    assert_eq!(judge(&odd).actual.unwrap().as_slice().len(), 8);
    let none = Facts { rtype: 0, ..facts(Context::Active, OTHER) };
    assert_eq!(verdict(&none), (None, None));
    let far = Facts { rtype: 10, ..facts(Context::Active, RIGHT) };
    assert_eq!(verdict(&far), (Some(Verdict::Unknown), Some(Reason::Overflow)));
}

proptest! {
    /// Whatever the surroundings, `applied` needs the expected bytes and `cleared` zero ones.
    #[test]
    fn good_verdicts_need_their_bytes(bytes: [u8; 8], symbol: u64, addend: i64, place: u64,
        recorded: Option<u64>, rtype in prop::sample::select(vec![1u32, 2, 4, 10, 11, 24]), context in 0..6) {
        let context = [Context::Active, Context::NotEnabled, Context::Absent, Context::Failed, Context::Later,
            Context::Detached]
            [usize::try_from(context).unwrap()];
        let facts = Facts { arch: Arch::X86_64, rtype, addend, place, bytes: Some(bytes), original: [0; 8], third: Third::No,
            symbol: Ok(symbol), recorded, earlier: None, was_stale: false, was_pending: false,
            writable: false, loader: Loader::NotAsked, context };
        let size = Arch::X86_64.size(rtype).unwrap();
        match judge(&facts).verdict {
            Some(Verdict::Applied) => {
                let expected = Arch::X86_64.expected(rtype, symbol, addend, place).unwrap();
                prop_assert_eq!(expected.as_slice(), &bytes[..size]);
            }
            Some(Verdict::Cleared | Verdict::Pending) => prop_assert!(bytes[..size].iter().all(|&b| b == 0)),
            _ => {}
        }
    }
}
