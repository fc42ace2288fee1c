//! KLP012: sections that the kernel cannot write to, or has done with when it does.

use super::{About, Rule, Said, before, say};
use crate::elf::built_for::{EARLY_VMLINUX, PER_CPU};
use crate::elf::target;
use crate::lint::facts::{Facts, Section, Target};
use crate::lint::finding::{Finding, Place, Report};
use crate::model::{FindingId, Severity};

const SHF_ALLOC: u64 = 2;

const fn unsafe_target(rule: &'static str) -> About {
    About { id: FindingId::Klp012, rule, severity: Severity::Error }
}

/// What the rule says of each livepatch section with entries whose target it picks.
fn each(
    about: About,
    facts: &Facts,
    wrong: impl Fn(&Section, &Target) -> bool,
    said: impl Fn(&Section, &Target) -> (String, String, String),
) -> Vec<Finding> {
    let with_target = facts.livepatch_sections().filter(|s| !s.entries.is_empty());
    let found = with_target.filter_map(|s| Some((s, s.target.as_ref()?))).filter(|(s, t)| wrong(s, t));
    found
        .map(|(section, target)| {
            let (what, kernel, remedy) = said(section, target);
            let relocations = section.entries.iter().map(|e| e.index).collect();
            say(about, Said { relocations, what, kernel, remedy, ..Said::of(section) })
        })
        .collect()
}

/// `.init*` gated on a module: freed when the module comes later.
pub(super) struct Init;

fn is_init(target: &Target) -> bool {
    target.flags & SHF_ALLOC != 0 && target::is_init(&target.name)
}

impl Rule for Init {
    fn about(&self) -> About {
        unsafe_target("target-in-init")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        report.findings.extend(each(
            self.about(),
            facts,
            |s, t| s.module().is_some() && is_init(t),
            |s, t| {
                let module = s.module().unwrap_or_default();
                (
                    format!("the section writes to {}, gated on {module}", t.name),
                    format!(
                        "frees {} when the patch's init is done. If {module} is there before, it writes in time; each \
                         time {module} comes later, it is refused over what is in that memory now, or the kernel \
                         overwrites it silently; and each time {module} goes, kernels that clear relocations read \
                         it: an oops",
                        t.name
                    ),
                    format!("keep code and data that refer to {module} out of __init and __initdata"),
                )
            },
        ));
    }
}

/// `.data..percpu`, whose copy in the file is a template.
pub(super) struct PerCpu;

impl Rule for PerCpu {
    fn about(&self) -> About {
        unsafe_target("target-per-cpu")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let of = |s: &Section, t: &Target, module: bool| {
            target::is_per_cpu(&t.name) && s.module().is_some() == module
        };
        let early = each(self.about(), facts, |s, t| of(s, t, false), |_, _| Default::default());
        let never = early.is_empty()
            || before(self.about(), PER_CPU, ".data..percpu, gated on vmlinux", facts, report) == Some(true);
        report.findings.extend(each(
            self.about(),
            facts,
            |s, t| of(s, t, true) || never && of(s, t, false),
            |s, t| {
                let kernel = match s.module() {
                    None => "takes the section's SHF_ALLOC away and, before 6.16, passes over relocations of what is not \
                             allocated: they are never written, and nothing is said"
                        .to_owned(),
                    Some(module) => format!(
                        "copies the section to each processor when the patch is loaded, and frees the template: when \
                         {module} is there, it writes to the freed template, and no processor's copy is relocated"
                    ),
                };
                (
                    format!("the section writes to {}, the template of per-CPU variables", t.name),
                    kernel,
                    "set the per-CPU pointers at run time, in the patch's init or in a callback".to_owned(),
                )
            },
        ));
    }
}

/// A target that is not loaded.
pub(super) struct NotLoaded;

impl Rule for NotLoaded {
    fn about(&self) -> About {
        unsafe_target("target-not-loaded")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        // rewrite_section_headers() takes SHF_ALLOC away from these two.
        let unloaded =
            |t: &Target| t.flags & SHF_ALLOC == 0 || [".modinfo", "__versions"].contains(&t.name.as_str());
        report.findings.extend(each(
            self.about(),
            facts,
            |_, t| unloaded(t) && !target::is_per_cpu(&t.name),
            |s, t| {
                let kernel = match s.module() {
                    None => "passes the section over when the patch is loaded, and says nothing".to_owned(),
                    Some(module) => format!(
                        "passes the section over when the patch is loaded; when {module} is there, it writes to where \
                         the file's image was, which is freed (x86: BUG in text_poke; elsewhere, into whatever is \
                         there now)"
                    ),
                };
                (
                    format!("the section writes to {}, which is not loaded (no SHF_ALLOC)", t.name),
                    kernel,
                    "leave relocations of sections that are not loaded (debug information) in ordinary sections"
                        .to_owned(),
                )
            },
        ));
    }
}

/// A section that has been read when a module comes.
pub(super) struct Special;

impl Rule for Special {
    fn about(&self) -> About {
        unsafe_target("target-special")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        report.findings.extend(each(
            self.about(),
            facts,
            |s, t| s.module().is_some() && target::is_special(&t.name),
            |s, t| {
                let module = s.module().unwrap_or_default();
                (
                    format!("the section writes to the special section {}, gated on {module}", t.name),
                    target::special(&t.name).unwrap_or_default().to_owned(),
                    format!(
                        "keep what makes such entries for symbols of {module} out of the patched code: its static keys \
                         (static_key_enabled() instead of static_branch_likely()), static calls, tracepoints, \
                         alternatives"
                    ),
                )
            },
        ));
    }
}

/// What tools for kernels before 5.8 made.
pub(super) struct KlpArch;

impl Rule for KlpArch {
    fn about(&self) -> About {
        About { severity: Severity::Warning, ..unsafe_target("klp-arch-leftover") }
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let Some((_, first)) = facts.leftovers.first() else { return };
        if before(self.about(), EARLY_VMLINUX, first, facts, report) != Some(false) {
            return;
        }
        for (index, name) in &facts.leftovers {
            report.findings.push(say(
                self.about(),
                Said {
                    section: Some(Place { index: *index, name: name.clone() }),
                    what: format!("{name} was made for kernels before 5.8"),
                    kernel: "ignores it since 5.8 (RHEL 8: since 4.18.0-284): the alternatives or paravirt sites that it \
                             lists are never applied, and the patched code keeps their defaults"
                        .to_owned(),
                    remedy: "build the patch with a kpatch-build that knows its kernel".to_owned(),
                    ..Said::default()
                },
            ));
        }
    }
}
