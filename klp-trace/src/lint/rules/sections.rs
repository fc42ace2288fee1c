//! KLP015, sections: name, type, flags, links.

use super::{About, Rule, Said, malformed, say};
use crate::elf::klp::SHF_RELA_LIVEPATCH;
use crate::lint::facts::{Facts, Section};
use crate::lint::finding::Report;
use crate::lint::kernel::REBUILD;
use crate::model::Severity;

const SHT_RELA: u32 = 4;
const SHT_REL: u32 = 9;
const SHT_SYMTAB: u32 = 2;
const SHF_ALLOC: u64 = 2;
/// `sizeof(Elf64_Rela)`.
const ENTRY: u64 = 24;

/// Says the same of every section that `wrong` picks.
fn each(
    about: About,
    facts: &Facts,
    report: &mut Report,
    wrong: impl Fn(&Section) -> bool,
    said: impl Fn(&Section) -> Said,
) {
    let found = facts.sections.iter().filter(|s| wrong(s));
    report.findings.extend(found.map(|s| {
        let mut said = Said { section: Said::of(s).section, ..said(s) };
        // Without an entry nothing is read and nothing written: the file is odd, and no harm comes of it.
        let severity = if s.is_empty() { about.severity.min(Severity::Warning) } else { about.severity };
        if s.is_empty() {
            said = Said { kernel: NOTHING.to_owned(), ..said };
        }
        say(About { severity, ..about }, said)
    }));
}

/// What the kernel does with a section that has no entries.
const NOTHING: &str = "finds no entry in the section: it reads nothing and writes nothing";

/// Named `.klp.rela.*`, without the flag.
pub(super) struct Unmarked;

impl Rule for Unmarked {
    fn about(&self) -> About {
        malformed("section-unmarked")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        each(
            self.about(),
            facts,
            report,
            |s| !s.is_marked(),
            |s| {
                Said {
            relocations: s.entries.iter().map(|e| e.index).collect(),
            what: format!(
                "the section is named like a livepatch's but has no SHF_RELA_LIVEPATCH (sh_flags {:#x}, wanted {:#x})",
                s.flags,
                s.flags | SHF_RELA_LIVEPATCH
            ),
            kernel: "takes it for an ordinary relocation section and writes it once, when the patch is loaded, with 0 for \
                     the value of every livepatch symbol (simplify_symbols() leaves them alone); nothing is said, and \
                     the code then reads and calls addresses around 0"
                .to_owned(),
            remedy: format!("set the flag; {REBUILD}"),
            ..Said::default()
        }
            },
        );
    }
}

/// Livepatch sections in a module that is not marked as a livepatch.
pub(super) struct ModuleUnmarked;

impl Rule for ModuleUnmarked {
    fn about(&self) -> About {
        malformed("module-unmarked")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        if facts.marked || facts.livepatch_sections().next().is_none() {
            return;
        }
        let nothing = facts.livepatch_sections().all(Section::is_empty);
        let severity = if nothing { Severity::Warning } else { Severity::Error };
        report.findings.push(say(
            About { severity, ..self.about() },
            Said {
                what: "the file has livepatch relocations, but its .modinfo has no livepatch=Y".to_owned(),
                kernel: "loads it as an ordinary module that keeps neither its symbols nor its section headers; \
                         klp_enable_patch() refuses it (\"module is not marked as a livepatch module\", -EINVAL), and \
                         nothing gated on a module is ever written"
                    .to_owned(),
                remedy: "add MODULE_INFO(livepatch, \"Y\") to its source and build it again".to_owned(),
                ..Said::default()
            },
        ));
    }
}

/// The flag on a section that is no table of relocations with addends.
pub(super) struct NotRela;

impl Rule for NotRela {
    fn about(&self) -> About {
        malformed("section-type")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        each(
            self.about(),
            facts,
            report,
            |s| s.is_marked() && s.sh_type != SHT_RELA,
            |s| {
                Said {
            what: format!("the section has SHF_RELA_LIVEPATCH, its type is {}, not SHT_RELA (4)", s.sh_type),
            kernel: "does not look at the type: it reads whatever the section holds as entries of Elf64_Rela, and \
                     resolves and writes what they seem to say"
                .to_owned(),
            remedy: format!("make it SHT_RELA, or take the flag away; {REBUILD}"),
            ..Said::default()
        }
            },
        );
    }
}

/// A name that does not begin `.klp.rela.<object>`.
pub(super) struct Name;

impl Rule for Name {
    fn about(&self) -> About {
        malformed("section-name")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        // The name is read before the entries, if there are any or not.
        for section in facts.sections.iter().filter(|s| s.is_marked() && s.gate.is_none()) {
            let said = Said {
                what: "the section has SHF_RELA_LIVEPATCH, and its name is not .klp.rela.<object>.<section>".to_owned(),
                kernel: "reads the name with \".klp.rela.%55[^.]\" and refuses to load the patch: insmod fails with \
                         -EINVAL (\"section … has an incorrectly formatted name\")"
                    .to_owned(),
                remedy: "name it .klp.rela.<object>.<section>, the object being vmlinux or the module that is patched"
                    .to_owned(),
                ..Said::of(section)
            };
            report.findings.push(say(self.about(), said));
        }
    }
}

/// An object of more than 55 bytes.
pub(super) struct GateCut;

impl Rule for GateCut {
    fn about(&self) -> About {
        malformed("section-gate-too-long")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let cut = |s: &Section| s.is_marked() && s.gate.as_ref().is_some_and(|gate| gate.cut);
        each(self.about(), facts, report, cut, |s| Said {
            what: "the object in the section's name is longer than the 55 bytes that the kernel reads"
                .to_owned(),
            kernel: format!(
                "takes the first 55 bytes for the object ({}). A module's name has at most 55: none of the whole name \
                 can exist, and the section is silently applied to none or to the wrong one",
                s.module().unwrap_or_default()
            ),
            remedy: "name the section after the patched module, as lsmod spells it".to_owned(),
            ..Said::default()
        });
    }
}

/// A livepatch section that is not kept in memory.
pub(super) struct NotAllocated;

impl Rule for NotAllocated {
    fn about(&self) -> About {
        malformed("section-not-loaded")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let from = report.findings.len();
        each(
            self.about(),
            facts,
            report,
            |s| s.is_marked() && s.flags & SHF_ALLOC == 0,
            |s| {
                Said {
            what: format!("the livepatch section has no SHF_ALLOC (sh_flags {:#x})", s.flags),
            kernel: match s.module() {
                None => "applies it all the same: entries gated on vmlinux are read while the file's image is there. \
                         The format asks for SHF_ALLOC (Documentation/livepatch/module-elf-format.rst)"
                    .to_owned(),
                Some(module) => format!(
                    "keeps no copy of the section and frees the file's image before the patch's init runs: when \
                     {module} is there, it reads the entries from freed memory, and crashes or writes at random"
                ),
            },
            remedy: format!("set SHF_ALLOC on the section; {REBUILD}"),
            ..Said::default()
        }
            },
        );
        // Gated on vmlinux it breaks a rule of the format and nothing else.
        for finding in report.findings.iter_mut().skip(from) {
            let index = finding.section.as_ref().map(|s| s.index);
            let harmless = facts.sections.iter().any(|s| Some(s.index) == index && s.module().is_none());
            if harmless {
                finding.severity = Severity::Warning;
            }
        }
    }
}

/// A size that is not a whole number of entries, or another size of entry.
pub(super) struct Ragged;

impl Rule for Ragged {
    fn about(&self) -> About {
        malformed("section-size")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let odd = |s: &Section| s.is_marked() && (!s.size.is_multiple_of(ENTRY) || s.entsize != ENTRY);
        each(self.about(), facts, report, odd, |s| Said {
            what: format!(
                "the section has {} bytes in entries of {}; entries take {ENTRY} bytes, and their number is whole. Its \
                 entries were not looked at",
                s.size, s.entsize
            ),
            kernel: format!(
                "does not look at sh_entsize: it takes {} entries of {ENTRY} bytes and ignores the last {} bytes",
                s.size / ENTRY,
                s.size % ENTRY
            ),
            remedy: format!("the file is damaged, or was made by a broken tool: {REBUILD}"),
            ..Said::default()
        });
    }
}

/// `sh_info` that names nothing to be written to.
pub(super) struct TargetIndex;

impl Rule for TargetIndex {
    fn about(&self) -> About {
        malformed("target-index")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let table = |s: &Section| {
            s.target.as_ref().is_some_and(|t| [SHT_RELA, SHT_REL, SHT_SYMTAB].contains(&t.sh_type))
        };
        each(
            self.about(),
            facts,
            report,
            |s| s.is_marked() && (s.target.is_none() || table(s)),
            |s| Said {
                what: match &s.target {
                    Some(target) => format!(
                        "sh_info is {}: the target {} is itself a table of relocations or symbols",
                        s.info, target.name
                    ),
                    None => format!("sh_info is {}, which is no section to write to", s.info),
                },
                kernel: match (s.module(), &s.target) {
                    (_, Some(_)) => "writes into the table".to_owned(),
                    (None, None) => "silently passes the section over when the patch is loaded".to_owned(),
                    (Some(module), None) => format!(
                        "does not check it again when {module} is there: it reads an address from behind the section \
                     headers, and writes to it"
                    ),
                },
                remedy: format!("set sh_info to the index of the section that is to be relocated; {REBUILD}"),
                ..Said::default()
            },
        );
    }
}

/// `sh_link` that is not the symbol table.
pub(super) struct SymbolTable;

impl Rule for SymbolTable {
    fn about(&self) -> About {
        About { severity: Severity::Warning, ..malformed("symbol-table-link") }
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        each(
            self.about(),
            facts,
            report,
            |s| s.is_marked() && s.link != facts.symtab,
            |s| {
                Said {
            what: format!("sh_link is {}, the symbol table is section {}", s.link, facts.symtab),
            kernel: "does not look at sh_link and takes the module's one symbol table; every other reader of the file \
                     (readelf, klp-trace watch) takes what sh_link says, or refuses the file"
                .to_owned(),
            remedy: format!("set sh_link to {}; {REBUILD}", facts.symtab),
            ..Said::default()
        }
            },
        );
    }
}
