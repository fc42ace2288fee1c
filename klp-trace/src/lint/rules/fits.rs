//! KLP015: what can never be written as it was meant: values that do not fit, calls that ppc64 cannot patch.

use super::{About, Rule, Said, gathered_in, malformed, say};
use crate::arch::Machine;
use crate::lint::facts::{Facts, Section};
use crate::lint::finding::Report;
use crate::lint::kernel::{refused, when};

/// A type too narrow for an address of the kernel or of a module.
pub(super) struct TooNarrow;

/// Whether an addend may bring an address into the type's range after all.
fn may_fit(machine: Machine, addend: i64) -> bool {
    let Some((low, high)) = machine.near_symbols() else {
        // No kernel there has its symbols within 2 GiB of what fits.
        return i32::try_from(addend).is_err();
    };
    // The value is one of 0 to 4 GiB, counted in 64 bits: so the symbol is one of a window of that size.
    let (around, window) = (1i128 << 64, 1i128 << 32);
    let begin = (-i128::from(addend)).rem_euclid(around);
    let meets = |(from, to): (i128, i128)| begin < to && from < begin + window;
    meets((low, high)) || meets((low + around, high + around))
}

impl Rule for TooNarrow {
    fn about(&self) -> About {
        malformed("type-too-narrow")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let narrow = gathered_in(facts.livepatch_sections(), |_, e| {
            let refused = facts.machine.too_narrow(e.rtype)?;
            facts.machine.reloc(e.rtype)?;
            (!may_fit(facts.machine, e.addend)).then_some((e.rtype, refused))
        });
        for (section, (rtype, is_refused), relocations) in narrow {
            let name = facts.machine.reloc(rtype).map_or("its type", |t| t.name);
            let said = Said {
                relocations,
                what: format!(
                    "{name} cannot hold an address of the kernel or of a module, which are all above 4 GiB"
                ),
                kernel: if is_refused {
                    format!("{} (the value overflows)", refused(section, "-ENOEXEC"))
                } else {
                    format!("writes the lower bits alone, {}, and says nothing", when(section))
                },
                remedy: format!(
                    "compile the patch with {}; in data, use a pointer of 64 bits",
                    facts.machine.narrow_remedy().unwrap_or("the kernel's own flags")
                ),
                ..Said::of(section)
            };
            report.findings.push(say(self.about(), said));
        }
    }
}

/// A call out of the module on ppc64 with nothing behind it that the kernel could make the TOC's restore of.
pub(super) struct CallWithoutNop;

const R_PPC64_REL24: u32 = 10;
const NOP: u32 = 0x6000_0000;
/// `ld r2,24(r1)`.
const RESTORE_TOC: u32 = 0xe841_0018;

/// What is wrong with a call at an offset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Call {
    /// `bl`, and neither a nop nor the restore follows.
    NoNop,
    /// `b`: a sibling call, which does not come back here.
    Sibling,
}

fn wrong_call(section: &Section, offset: u64) -> Option<Call> {
    let branch = section.word(offset)?;
    // Opcode 18, relative; the lowest bit is the link.
    match branch & 0xfc00_0003 {
        0x4800_0000 => Some(Call::Sibling),
        0x4800_0001 => {
            let follows = offset.checked_add(4).and_then(|at| section.word(at));
            (!matches!(follows, Some(NOP | RESTORE_TOC))).then_some(Call::NoNop)
        }
        _ => None,
    }
}

impl Rule for CallWithoutNop {
    fn about(&self) -> About {
        malformed("call-without-nop")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        if facts.machine != Machine::Ppc64 {
            return;
        }
        let wrong = gathered_in(facts.livepatch_sections(), |section, e| {
            (e.rtype == R_PPC64_REL24).then(|| wrong_call(section, e.offset)).flatten()
        });
        for (section, call, relocations) in wrong {
            let (what, kernel) = match call {
                Call::NoNop => (
                    "a call out of the module (bl) is followed by neither nop nor ld r2,24(r1)",
                    format!("{} (\"Expected nop after call\")", refused(section, "-ENOEXEC")),
                ),
                Call::Sibling => (
                    "a sibling call (b) leaves the module: it cannot be followed by the restore of the TOC",
                    format!(
                        "accepts it {}; the callee returns to the caller's caller with the other module's TOC in r2, which \
                         then reads and writes by a wrong base",
                        when(section)
                    ),
                ),
            };
            let said = Said {
                relocations,
                what: what.to_owned(),
                kernel,
                remedy: "compile the patch with -fno-optimize-sibling-calls (kpatch-build and the kernel's livepatch \
                         selftests do), and let the linker leave the nop behind each bl"
                    .to_owned(),
                ..Said::of(section)
            };
            report.findings.push(say(self.about(), said));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_addend_may_bring_an_address_into_range() {
        let fits = |addend| may_fit(Machine::X86_64, addend);
        assert!(!fits(0) && !fits(-4) && !fits(0x1000) && !fits(i64::MAX));
        // The kernel's first byte, and a module's last, less what is above 4 GiB.
        assert!(fits(0x8000_0000) && fits(-0xffff_ffff_i64 - 1 + 0x1_8000_0000));
        assert!(fits(0x0100_0001) && !fits(0x00ff_ffff));
        assert!(!may_fit(Machine::S390x, 8) && may_fit(Machine::S390x, -0x3ff_0000_0000));
        assert_eq!(Machine::X86_64.too_narrow(11), None);
        assert_eq!(Machine::Ppc64.too_narrow(1), Some(false));
    }
}
