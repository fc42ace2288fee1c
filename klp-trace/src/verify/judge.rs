//! One relocation: from the bytes that are there to a verdict.

use crate::{
    arch::{Arch, NoExpectation},
    model::{Bytes, Reason, Verdict},
};

/// What is known of the relocation's surroundings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// The object is there and the relocation should have been written.
    Active,
    /// The object is there; the patch has not been enabled, so nothing should have been written yet.
    NotEnabled,
    /// The object is there and the patch is disabled or replaced: the kernel no longer writes or clears its relocations, so
    /// they are of this load of the object or of an earlier one.
    Detached,
    /// The object is not there, or is leaving.
    Absent,
    /// The object's load failed after the kernel had begun to write: it is as good as absent.
    Failed,
    /// Gated on an object that the patch does not list: the kernel never writes it.
    Orphan,
    /// The kernel has freed the target (the patch's .init, after its init): the memory may be anybody's.
    Freed,
    /// A relocation against vmlinux, read after the loader went on to rewrite the code it stands in.
    Later,
}

/// Everything that the verdict of one relocation rests on.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// The architecture.
    pub arch: Arch,
    /// ELF64_R_TYPE, by the ELF witness.
    pub rtype: u32,
    /// r_addend, by the ELF witness.
    pub addend: i64,
    /// The target's address.
    pub place: u64,
    /// The eight bytes there; none when the kernel refused the read.
    pub bytes: Option<[u8; 8]>,
    /// The eight bytes there before anything was written, by the ELF witness.
    pub original: [u8; 8],
    /// The symbol's value by an independent lookup, or why there is none.
    pub symbol: Result<u64, Reason>,
    /// The symbol's value as the kernel recorded it (0: never resolved). Only ever compared with.
    pub recorded: Option<u64>,
    /// The value that an earlier load of the object left or should have left there.
    pub earlier: Option<Bytes>,
    /// Whether it was stale before this read.
    pub was_stale: bool,
    /// Whether it was pending before this read: it was never written, whatever the kernel has resolved since.
    pub was_pending: bool,
    /// Whether the relocated section is writable at run time.
    pub writable: bool,
    /// The surroundings.
    pub context: Context,
}

/// The verdict of one relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict; none for R_*_NONE.
    pub verdict: Option<Verdict>,
    /// Why, where that needs saying.
    pub reason: Option<Reason>,
    /// The bytes that should be there, where there is an expectation.
    pub expected: Option<Bytes>,
    /// The bytes that are there.
    pub actual: Option<Bytes>,
}

impl Judgement {
    /// `unknown`, for `reason`.
    pub const fn unknown(reason: Reason, actual: Option<Bytes>) -> Self {
        Self { verdict: Some(Verdict::Unknown), reason: Some(reason), expected: None, actual }
    }
}

/// Judges one relocation by the rules of docs/verdicts.md.
pub fn judge(facts: &Facts) -> Judgement {
    let Some(size) = facts.arch.size(facts.rtype) else {
        return Judgement::unknown(Reason::TypeUnsupported, facts.bytes.map(|bytes| Bytes::new(bytes, 8)));
    };
    let actual = facts.bytes.map(|bytes| Bytes::new(bytes, size));
    if size == 0 {
        return Judgement { verdict: None, reason: None, expected: None, actual };
    }
    if facts.context == Context::Freed {
        return Judgement::unknown(Reason::TargetFreed, None);
    }
    let Some(actual) = actual else { return Judgement::unknown(Reason::MemoryUnreadable, None) };
    let seen = Seen { actual, original: Bytes::new(facts.original, size), facts };
    let (verdict, reason, expected) = match facts.context {
        Context::Active => seen.active(),
        Context::NotEnabled => seen.not_enabled(),
        Context::Detached => seen.detached(),
        Context::Absent | Context::Freed => seen.absent(None),
        Context::Failed => seen.absent(Some(Reason::FailedLoad)),
        Context::Later => seen.later(),
        Context::Orphan => seen.orphan(),
    };
    Judgement { verdict: Some(verdict), reason, expected, actual: Some(actual) }
}

/// Verdict, its reason, and the bytes expected.
type Conclusion = (Verdict, Option<Reason>, Option<Bytes>);

struct Seen<'a> {
    actual: Bytes,
    original: Bytes,
    facts: &'a Facts,
}

impl Seen<'_> {
    fn formula(&self, symbol: u64) -> Result<Bytes, Reason> {
        let Facts { arch, rtype, addend, place, .. } = *self.facts;
        arch.expected(rtype, symbol, addend, place).map_err(|none| match none {
            NoExpectation::Overflow { .. } => Reason::Overflow,
            NoExpectation::Unsupported { .. } => Reason::TypeUnsupported,
        })
    }

    /// The bytes are what the kernel last wrote or meant to write, by its own record. Good enough to recognise an
    /// earlier value, never to call a value right.
    fn is_recorded(&self) -> bool {
        let Facts { arch, rtype, addend, place, .. } = *self.facts;
        let recorded = self.facts.recorded.filter(|&value| value != 0);
        recorded.is_some_and(|value| arch.stored(rtype, value, addend, place) == Some(self.actual))
    }

    fn is_earlier(&self) -> bool {
        self.facts.earlier == Some(self.actual)
    }

    fn ever_written(&self) -> bool {
        self.facts.earlier.is_some() || self.facts.recorded.is_some_and(|value| value != 0)
    }

    fn changed(&self) -> Option<Reason> {
        self.facts.writable.then_some(Reason::WrittenAtRunTime)
    }

    fn active(&self) -> Conclusion {
        let expected = match self.facts.symbol.and_then(|symbol| self.formula(symbol)) {
            Ok(expected) => expected,
            Err(reason) => return (Verdict::Unknown, Some(reason), None),
        };
        let (verdict, reason) = if self.actual == expected {
            (Verdict::Applied, None)
        } else if self.actual.is_zero() {
            (Verdict::Missing, None)
        } else if self.is_earlier() {
            (Verdict::Stale, None)
        } else if self.is_recorded() {
            (Verdict::Mismatch, Some(Reason::WrongSymbol))
        } else {
            (Verdict::Mismatch, self.changed())
        };
        (verdict, reason, Some(expected))
    }

    fn not_enabled(&self) -> Conclusion {
        if self.actual.is_zero() || (!self.ever_written() && self.actual == self.original) {
            return (Verdict::Pending, Some(Reason::NotEnabled), None);
        }
        self.active()
    }

    /// Right for the object as it is, or left by an earlier load of it. Zero is neither: it was never written, or cleared.
    fn detached(&self) -> Conclusion {
        if self.actual.is_zero() {
            return self.absent(None);
        }
        match self.active() {
            right @ ((Verdict::Applied | Verdict::Unknown, ..) | (_, Some(Reason::WrittenAtRunTime), _)) => {
                right
            }
            (_, _, expected) if self.is_earlier() || self.is_recorded() => (Verdict::Stale, None, expected),
            wrong => wrong,
        }
    }

    fn absent(&self, failed: Option<Reason>) -> Conclusion {
        let zero = Some(Bytes::new([0; 8], self.actual.as_slice().len()));
        let never_written = self.facts.was_pending || !self.ever_written();
        if never_written && (self.actual == self.original || self.actual.is_zero()) {
            (Verdict::Pending, None, None)
        } else if self.actual.is_zero() {
            (Verdict::Cleared, None, zero)
        } else if self.is_earlier() || self.is_recorded() {
            // What was stale before was not left by this load.
            (Verdict::Stale, failed.filter(|_| !self.facts.was_stale), zero)
        } else {
            (Verdict::Mismatch, self.changed(), zero)
        }
    }

    /// Nobody writes it: whatever is there beside what the file holds is somebody else's.
    fn orphan(&self) -> Conclusion {
        if self.actual == self.original || self.actual.is_zero() {
            (Verdict::Orphaned, None, None)
        } else {
            (Verdict::Mismatch, self.changed(), Some(self.original))
        }
    }

    /// Only agreement can be concluded: the loader may have rewritten the code since (alternatives, returns, call
    /// thunks, static calls).
    fn later(&self) -> Conclusion {
        match self.active() {
            (Verdict::Mismatch | Verdict::Missing | Verdict::Stale, _, expected) if !self.facts.writable => {
                (Verdict::Unknown, Some(Reason::Rewritten), expected)
            }
            conclusion => conclusion,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const S: u64 = 0xffff_ffff_c026_6028;
    const P: u64 = 0xffff_ffff_c080_104b;
    const PC32: u32 = 2;
    /// Seen on a 6.12 kernel for the S and P above and A = -5.
    const RIGHT: [u8; 8] = [0xd8, 0x4f, 0xa6, 0xff, 0x90, 0x90, 0x90, 0x90];

    fn facts(context: Context, bytes: [u8; 8]) -> Facts {
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
            context,
        }
    }

    fn verdict(facts: &Facts) -> (Option<Verdict>, Option<Reason>) {
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
        assert_eq!(
            verdict(&refused),
            (Some(Stale), None),
            "the value of an earlier load, not of the failed one"
        );
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
    fn what_has_been_freed_is_nobodys_word() {
        for bytes in [Some(RIGHT), Some(ZERO), Some(OTHER), None] {
            let freed = Facts { bytes, ..facts(Context::Freed, ZERO) };
            assert_eq!(verdict(&freed), (Some(Verdict::Unknown), Some(Reason::TargetFreed)));
            assert_eq!(judge(&freed).actual, None);
        }
        assert_eq!(verdict(&Facts { rtype: 0, ..facts(Context::Freed, ZERO) }), (None, None));
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
            let facts = Facts { arch: Arch::X86_64, rtype, addend, place, bytes: Some(bytes), original: [0; 8],
                symbol: Ok(symbol), recorded, earlier: None, was_stale: false, was_pending: false,
                writable: false, context };
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
}
