//! KLP015, entries: what the architecture's `apply_relocate_add()` refuses, and what it writes all the same.

use super::{About, Rule, Said, gathered, malformed, say};
use crate::arch::Machine;
use crate::lint::facts::{Facts, Signs};
use crate::lint::finding::Report;
use crate::lint::kernel::{REBUILD, refused, when};

const ENOEXEC: &str = "-ENOEXEC";

/// A type that the module loader does not know.
pub(super) struct UnknownType;

impl Rule for UnknownType {
    fn about(&self) -> About {
        malformed("unsupported-type")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let unknown = gathered(facts, Signs::UNKNOWN_TYPE, |_, e| {
            Some(e.rtype).filter(|t| facts.machine.reloc(*t).is_none())
        });
        for (section, rtype, relocations) in unknown {
            let said = Said {
                relocations,
                what: format!("its type is {rtype}, which the {} module loader does not know", name(facts.machine)),
                kernel: format!(
                    "{} (\"Unknown rela relocation: {rtype}\"); the section's relocations before it are written by \
                     then, and stay so",
                    refused(section, ENOEXEC)
                ),
                remedy: "compile the patch with the kernel's own flags (-mcmodel=kernel, no -fpic): other code models \
                         make types that no module may have"
                    .to_owned(),
                ..Said::of(section)
            };
            report.findings.push(say(self.about(), said));
        }
    }
}

/// A place outside the target section.
pub(super) struct Outside;

impl Rule for Outside {
    fn about(&self) -> About {
        malformed("offset-outside-target")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let outside = gathered(facts, Signs::OUTSIDE, |s, e| s.is_outside(e, facts.size(e)).then_some(()));
        for (section, (), relocations) in outside {
            let Some(target) = &section.target else { continue };
            let first =
                relocations.first().and_then(|i| section.entries.iter().nth(usize::try_from(*i).ok()?));
            let said = Said {
                what: format!(
                    "it writes outside its target: offset {:#x}, while {} has {:#x} bytes",
                    first.map_or(0, |e| e.offset),
                    target.name,
                    target.size
                ),
                kernel: format!(
                    "does not check the offset: {}, it writes into whatever memory lies behind the section{}",
                    when(section),
                    if facts.machine.writes_over_zero_alone() {
                        ", unless that is not zero: then it refuses the section with -ENOEXEC (\"existing value is \
                         nonzero\")"
                    } else {
                        ""
                    }
                ),
                remedy: format!("the file is damaged, or was made by a broken tool: {REBUILD}"),
                relocations,
                ..Said::of(section)
            };
            report.findings.push(say(self.about(), said));
        }
    }
}

/// Bytes that are not zero before they are written.
pub(super) struct NotZero;

impl Rule for NotZero {
    fn about(&self) -> About {
        malformed("target-not-zero")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        if !facts.machine.writes_over_zero_alone() {
            return;
        }
        let nonzero = gathered(facts, Signs::NOT_ZERO, |s, e| s.is_nonzero(e, facts.size(e)).then_some(()));
        for (section, (), relocations) in nonzero {
            let Some(target) = &section.target else { continue };
            let said = Said {
                relocations,
                what: format!("the bytes that it is to write are not zero in the file's {}", target.name),
                kernel: format!("{} (\"existing value is nonzero\")", refused(section, ENOEXEC)),
                remedy: format!(
                    "the addend belongs in the entry (RELA), not in the section. The file may have been relocated \
                     already, by a link or by kpatch's or objtool's tools run twice: {REBUILD}"
                ),
                ..Said::of(section)
            };
            report.findings.push(say(self.about(), said));
        }
    }
}

fn name(machine: Machine) -> &'static str {
    // The order of bytes matters to no rule.
    machine.name(machine == Machine::S390x)
}
