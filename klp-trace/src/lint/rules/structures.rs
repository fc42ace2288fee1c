//! KLP007 and KLP015, the patch's own list: names that no module can have, names too long, the same twice.

use std::collections::{BTreeMap, BTreeSet};

use super::{About, Rule, Said, before, malformed, say};
use crate::elf::built_for::LONG_NAMES;
use crate::kernel::kallsyms::VMLINUX;
use crate::lint::facts::{Facts, Symbol};
use crate::lint::finding::{Report, Unchecked};
use crate::lint::listed::{self, Object};
use crate::model::{FindingId, Severity};

/// `MODULE_NAME_LEN` is 56 on 64 bits, the end among them.
const LONGEST_OBJECT: usize = 55;
/// `KSYM_NAME_LEN` was 128 before 6.1.
const SHORT_NAME: usize = 127;
/// Names that are listed in one finding; the others are counted.
const NAMED: usize = 5;

/// A name that no module has.
pub(super) struct ObjectName;

/// Why no module is called so: `KBUILD_MODNAME` is the file's name without `.ko`, dashes and commas as underscores, and
/// an identifier of C (scripts/Makefile.lib).
fn impossible(name: &str) -> Option<&'static str> {
    let odd = name.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '_')?;
    Some(match odd {
        '-' => "the kernel spells module names with underscores, never with dashes",
        '.' => "a module's name has no dot, and not the .ko of its file",
        _ => "a module's name has letters, digits and underscores alone",
    })
}

/// What a module of that file would be called.
fn meant(name: &str) -> String {
    let name = [".xz", ".zst", ".gz"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    name.strip_suffix(".ko").unwrap_or(name).replace(['-', ',', '.'], "_")
}

impl Rule for ObjectName {
    fn about(&self) -> About {
        About { id: FindingId::Klp007, rule: "object-name", severity: Severity::Error }
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let listed = || facts.objects.objects.iter().filter(|o| !o.is_kernel);
        if listed().any(|o| o.name == VMLINUX) {
            report.findings.push(say(
                self.about(),
                Said {
                    what: "a struct klp_object is named \"vmlinux\": that is no module, and the kernel itself is the object \
                           without a name"
                        .to_owned(),
                    kernel: "waits for a module called vmlinux, which never comes: the patch loads, shows as enabled, and \
                             none of that object's functions is replaced"
                        .to_owned(),
                    remedy: "leave .name out (NULL); kpatch-build and klp-build do so themselves".to_owned(),
                    ..Said::default()
                },
            ));
        }
        let mut names: BTreeMap<&str, (bool, &'static str)> = BTreeMap::new();
        // One that is too long has a rule of its own.
        let patched = listed().filter(|o| o.bytes <= LONGEST_OBJECT).map(|o| o.name.as_str());
        let names_alone = facts.objects.names.iter().filter(|_| facts.objects.objects.is_empty());
        let gates = facts.livepatch_sections().filter_map(|s| s.module());
        for name in patched.chain(names_alone.map(String::as_str)).chain(gates) {
            if let Some(why) = impossible(name) {
                names.insert(name, (true, why));
            }
        }
        for object in facts.symbols.iter().filter_map(Symbol::parts).map(|parts| parts.object) {
            if let Some(why) = impossible(object) {
                names.entry(object).or_insert((false, why));
            }
        }
        for (name, (patched, why)) in names {
            let kernel = if patched {
                format!(
                    "waits for a module called {name}, which never comes: the patch loads, shows as enabled, and nothing of \
                     it is patched or relocated (patched is 0 for ever); a symbol of {name} is refused with -EINVAL"
                )
            } else {
                format!("finds no module called {name} and refuses what asks for its symbols with -EINVAL")
            };
            report.findings.push(say(
                self.about(),
                Said {
                    what: format!("{name} is the name of no module: {why}"),
                    kernel,
                    remedy: format!("name it as lsmod does ({})", meant(name)),
                    ..Said::default()
                },
            ));
        }
    }
}

/// A name of more bytes than the kernel takes.
pub(super) struct ObjectTooLong;

impl Rule for ObjectTooLong {
    fn about(&self) -> About {
        malformed("object-name-too-long")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let long = |o: &&Object| !o.is_kernel && o.bytes > LONGEST_OBJECT;
        for object in facts.objects.objects.iter().filter(long) {
            report.findings.push(say(
                self.about(),
                Said {
                    what: format!(
                        "the object {} has a name of {} bytes; a module's has at most {LONGEST_OBJECT}",
                        object.name, object.bytes
                    ),
                    kernel: "refuses the patch with -EINVAL (klp_init_object(): the name does not fit MODULE_NAME_LEN)"
                        .to_owned(),
                    remedy: "name the object as lsmod does".to_owned(),
                    ..Said::default()
                },
            ));
        }
    }
}

/// A function's name of more bytes than the kernel takes.
pub(super) struct FunctionTooLong;

impl Rule for FunctionTooLong {
    fn about(&self) -> About {
        malformed("function-name-too-long")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        for object in &facts.objects.objects {
            let longer = |limit: usize| object.functions.iter().filter(move |f| f.bytes > limit);
            // Between the two limits, the kernel's version counts.
            let between = longer(SHORT_NAME).any(|f| f.bytes <= listed::LONGEST);
            let old = between && before(self.about(), LONG_NAMES, &object.name, facts, report) == Some(true);
            let limit = if old { SHORT_NAME } else { listed::LONGEST };
            let names: Vec<&str> = longer(limit).map(|f| f.name.as_str()).collect();
            if names.is_empty() {
                continue;
            }
            report.findings.push(say(
                self.about(),
                Said {
                    what: format!(
                        "functions of {} have names of more than {limit} bytes: {}",
                        object.name,
                        few(&names)
                    ),
                    kernel: "refuses the patch with -EINVAL (klp_init_func(): the name does not fit KSYM_NAME_LEN)"
                        .to_owned(),
                    remedy: "no symbol of a kernel has such a name: correct it".to_owned(),
                    ..Said::default()
                },
            ));
        }
    }
}

/// An object that is listed twice.
pub(super) struct ObjectTwice;

impl Rule for ObjectTwice {
    fn about(&self) -> About {
        malformed("object-twice")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
        for name in facts.objects.objects.iter().map(|o| o.name.as_str()) {
            if !seen.insert(name) {
                twice.insert(name);
            }
        }
        if twice.is_empty() {
            return;
        }
        let names: Vec<&str> = twice.into_iter().collect();
        if facts.objects.incomplete.is_some() {
            report.not_checked(Unchecked {
                id: self.about().id,
                subject: few(&names),
                why: "it is found twice in what may be two lists".to_owned(),
                reason: None,
            });
            return;
        }
        report.findings.push(say(
            self.about(),
            Said {
                what: format!("the patch lists an object twice: {}", few(&names)),
                kernel: "makes a folder in sysfs for each and refuses the second of a name: insmod fails with -EEXIST"
                    .to_owned(),
                remedy: "list each object once, with all its functions".to_owned(),
                ..Said::default()
            },
        ));
    }
}

/// A function that is replaced twice.
pub(super) struct FunctionTwice;

impl Rule for FunctionTwice {
    fn about(&self) -> About {
        malformed("function-twice")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        for object in &facts.objects.objects {
            let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
            for function in object.functions.iter().filter(|f| f.bytes <= listed::LONGEST) {
                // The folder of position 0 is called 1 as well.
                if !seen.insert((function.name.as_str(), function.sympos.max(1))) {
                    twice.insert(function.name.as_str());
                }
            }
            if twice.is_empty() {
                continue;
            }
            let names: Vec<&str> = twice.into_iter().collect();
            report.findings.push(say(
                self.about(),
                Said {
                    what: format!(
                        "the patch replaces a function of {} twice: {} (positions 0 and 1 are the same to sysfs)",
                        object.name,
                        few(&names)
                    ),
                    kernel: "makes a folder in sysfs for each and refuses the second: insmod fails with -EEXIST".to_owned(),
                    remedy: "list each function once; of several of one name, give each its position, counted from 1"
                        .to_owned(),
                    ..Said::default()
                },
            ));
        }
    }
}

/// Some of the names, and how many more there are.
fn few(names: &[&str]) -> String {
    let named = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_no_module_has() {
        for good in ["nfsd", "kvm_intel", "8021q", "3c59x", "A"] {
            assert_eq!(impossible(good), None, "{good}");
        }
        for (bad, right) in [
            ("kvm-intel", "kvm_intel"),
            ("zfs.ko", "zfs"),
            ("nf-x.ko.zst", "nf_x"),
            ("a,b", "a_b"),
            ("a.b", "a_b"),
        ] {
            assert!(impossible(bad).is_some(), "{bad}");
            assert_eq!(meant(bad), right);
        }
        for odd in ["a b", "a/b", "a\\x01", "ä", "a…"] {
            assert!(impossible(odd).is_some(), "{odd}");
        }
    }
}
