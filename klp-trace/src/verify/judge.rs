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
    /// The object is being loaded or unloaded: what is there is of this load, already or still, or of an earlier one.
    OnItsWay,
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
    /// Against vmlinux in the patch's .init, or per-CPU from 6.16 on: written before its init ran, or the patch would not be
    /// loaded, and freed since.
    Gone,
    /// A relocation against vmlinux, read after the loader went on to rewrite the code it stands in.
    Later,
}

/// Where the module stands that has a relocation's symbol, if that is neither the object that gates the section nor the kernel:
/// nothing keeps it loaded for the relocation's sake, and nothing is written anew when it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Third {
    /// The symbol is the object's or the kernel's.
    No,
    /// It is loaded, or it is not known that it is not.
    There,
    /// It is not loaded.
    Gone,
}

/// What the loader may have made of a relocation against vmlinux since it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loader<'a> {
    /// Anything where there is code, nothing in data: no more was looked at.
    NotAsked,
    /// It stands in a table that the kernel sorts.
    Sorted {
        /// It was looked for in the whole table.
        found: bool,
        /// Bits of the value that the loader sets itself.
        bits: u64,
        /// The value of the symbol that it may have put in this one's place.
        other: Option<u64>,
    },
    /// It stands in code that the patch's tables list: what they allow there.
    Listed(&'a [Bytes]),
}

/// Everything that the verdict of one relocation rests on.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
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
    /// Whether the symbol is in a module of its own, and where that stands.
    pub third: Third,
    /// What the loader may have made of it since.
    pub loader: Loader<'a>,
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
pub fn judge(facts: &Facts<'_>) -> Judgement {
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
    if facts.context == Context::Gone {
        // There is nothing that could be right or wrong, and nobody will write there.
        return Judgement { verdict: None, reason: Some(Reason::TargetFreed), expected: None, actual: None };
    }
    let Some(actual) = actual else { return Judgement::unknown(Reason::MemoryUnreadable, None) };
    let seen = Seen { actual, original: Bytes::new(facts.original, size), facts };
    let (verdict, reason, expected) = match facts.context {
        Context::Active => seen.active(),
        Context::NotEnabled => seen.not_enabled(),
        Context::Detached | Context::OnItsWay => seen.detached(),
        Context::Absent | Context::Freed | Context::Gone => seen.absent(None),
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
    facts: &'a Facts<'a>,
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
        if self.facts.third == Third::Gone {
            return self.dangling();
        }
        let third = self.facts.third == Third::There;
        let expected = match self.facts.symbol.and_then(|symbol| self.formula(symbol)) {
            Ok(expected) => expected,
            // The module is another build, and has no such symbol any more.
            Err(Reason::SymbolNotFound) if third && (self.is_earlier() || self.is_recorded()) => {
                return (Verdict::Stale, Some(Reason::SymbolMoved), None);
            }
            Err(reason) => return (Verdict::Unknown, Some(reason), None),
        };
        let (verdict, reason) = if self.actual == expected {
            (Verdict::Applied, None)
        } else if self.actual.is_zero() {
            (Verdict::Missing, None)
        } else if third && (self.is_earlier() || self.is_recorded()) {
            (Verdict::Stale, Some(Reason::SymbolMoved))
        } else if self.is_earlier() {
            (Verdict::Stale, None)
        } else if self.is_recorded() {
            (Verdict::Mismatch, Some(Reason::WrongSymbol))
        } else {
            (Verdict::Mismatch, self.changed())
        };
        (verdict, reason, Some(expected))
    }

    /// The module that has the symbol is gone: what was written for it is still there, or somebody wrote since.
    fn dangling(&self) -> Conclusion {
        if self.actual.is_zero() {
            (Verdict::Missing, None, None)
        } else if self.is_earlier() || self.is_recorded() {
            (Verdict::Stale, Some(Reason::SymbolModuleGone), None)
        } else {
            (Verdict::Mismatch, self.changed(), None)
        }
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
            of_third @ (_, Some(reason), _) if reason.is_of_third() => of_third,
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

    /// The loader may have gone on to sort, to mark or to rewrite what it had relocated (alternatives, returns, call thunks,
    /// static calls). Where nothing says what it may have made of it, only agreement can be concluded.
    fn later(&self) -> Conclusion {
        let conclusion = self.active();
        let wrong = matches!(conclusion.0, Verdict::Mismatch | Verdict::Missing | Verdict::Stale);
        let expected = conclusion.2;
        let rewritten = |verdict| (verdict, Some(Reason::Rewritten), expected);
        match self.facts.loader {
            _ if !wrong || conclusion.1.is_some_and(Reason::is_of_third) => conclusion,
            // What the tables say of a symbol that is gone is no longer to be relied on.
            Loader::Sorted { .. } | Loader::Listed(_) if self.facts.third == Third::Gone => {
                rewritten(Verdict::Unknown)
            }
            Loader::Sorted { bits, .. } if self.is_but_for(bits, expected) => rewritten(Verdict::Applied),
            Loader::Sorted { bits, other: Some(other), .. }
                if self.is_but_for(bits, self.formula(other).ok()) =>
            {
                rewritten(Verdict::Applied)
            }
            // The instruction beside the place is of no form that is known, or the table was not looked through: what it became
            // cannot be told.
            Loader::Sorted { found: false, .. } | Loader::Listed([]) => rewritten(Verdict::Unknown),
            // No code of the patch writes there.
            Loader::Sorted { found: true, .. } => {
                (conclusion.0, conclusion.1.filter(|why| *why != Reason::WrittenAtRunTime), expected)
            }
            Loader::Listed(allowed) if allowed.contains(&self.actual) => rewritten(Verdict::Applied),
            Loader::NotAsked if !self.facts.writable => rewritten(Verdict::Unknown),
            Loader::Listed(_) | Loader::NotAsked => conclusion,
        }
    }

    /// Whether the bytes are the expected ones in all bits but these.
    fn is_but_for(&self, bits: u64, expected: Option<Bytes>) -> bool {
        expected.is_some_and(|expected| self.actual.without(bits) == expected.without(bits))
    }
}

#[cfg(test)]
mod tests;
