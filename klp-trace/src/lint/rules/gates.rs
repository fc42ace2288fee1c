//! KLP007: sections that the kernel will never apply.

use super::{About, Rule, Said, say};
use crate::lint::facts::Facts;
use crate::lint::finding::{Report, Unchecked};
use crate::model::{FindingId, Severity};

/// A gate that is neither vmlinux nor an object that the patch lists.
pub(super) struct NotListed;

impl Rule for NotListed {
    fn about(&self) -> About {
        About { id: FindingId::Klp007, rule: "gate-not-listed", severity: Severity::Error }
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        for section in facts.livepatch_sections().filter(|s| !s.entries.is_empty()) {
            // A name longer than the kernel reads has a rule of its own.
            let Some(module) = section.module().filter(|_| section.gate.as_ref().is_some_and(|g| !g.cut))
            else {
                continue;
            };
            let listed = &facts.objects.names;
            if listed.iter().any(|object| object == module) {
                continue;
            }
            if let Some(why) = &facts.objects.incomplete {
                let (id, subject, why) = (self.about().id, module.to_owned(), why.clone());
                report.not_checked(Unchecked { id, subject, why, reason: None });
                continue;
            }
            let dashes = if module.contains('-') {
                "; the kernel spells module names with underscores, so no module is called so"
            } else {
                ""
            };
            let list = if listed.is_empty() { "none".to_owned() } else { listed.join(", ") };
            report.findings.push(say(
                self.about(),
                Said {
                    relocations: section.entries.iter().map(|e| e.index).collect(),
                    what: format!(
                        "the section is gated on {module}, which the patch does not list (it lists: {list}){dashes}"
                    ),
                    kernel: "never applies the section and says nothing: klp_init_object_loaded() asks for the sections of \
                         listed objects alone. The patch loads, shows as enabled, and its code runs with the \
                         unrelocated bytes: a call goes to the instruction behind it, a pointer is 0"
                        .to_owned(),
                    remedy: format!(
                        "list {module} among the patch's objects, or gate the section on the listed object whose \
                         patched code uses it. objtool klp post-link of 6.19 to 7.1 named sections after the symbol's \
                         module: build with 7.2 or later"
                    ),
                    ..Said::of(section)
                },
            ));
        }
    }
}
