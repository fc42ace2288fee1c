//! The rules, each a small type. docs/lint.md has a paragraph on each, by its name.
//!
//! What the kernel does was read in kernel/livepatch/core.c (`klp_resolve_symbols()`, `klp_apply_section_relocs()`,
//! `klp_write_section_relocs()`), kernel/module/main.c (`apply_relocations()`, `rewrite_section_headers()`,
//! `simplify_symbols()`) and the architectures' `apply_relocate_add()`, 6.1 to 7.3.

mod entries;
mod fits;
mod gates;
mod overlap;
mod sections;
mod strays;
mod structures;
mod symbols;
mod targets;
mod unfinished;

use std::collections::BTreeMap;

use super::facts::{Facts, Section, Signs};
use super::finding::{Finding, Place, Report, Unchecked};
use crate::elf::built_for::Version;
use crate::elf::module::Rela;
use crate::model::{FindingId, Severity};

/// What a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// The finding that it makes.
    pub id: FindingId,
    /// Its own stable name.
    pub rule: &'static str,
    /// How much its findings matter; a rule may make some of a lesser severity.
    pub severity: Severity,
}

/// A rule that needs the file alone.
pub trait Rule: Sync {
    /// What it is.
    fn about(&self) -> About;
    /// Looks, and says what it found.
    fn check(&self, facts: &Facts, report: &mut Report);
}

/// Every rule that needs the file alone, in the order of docs/lint.md.
pub const ALL: &[&dyn Rule] = &[
    &gates::NotListed,
    &structures::ObjectName,
    &targets::Init,
    &targets::PerCpu,
    &targets::NotLoaded,
    &targets::Special,
    &targets::KlpArch,
    &sections::Unmarked,
    &sections::ModuleUnmarked,
    &sections::NotRela,
    &sections::Name,
    &sections::GateCut,
    &sections::NotAllocated,
    &sections::Ragged,
    &sections::TargetIndex,
    &sections::SymbolTable,
    &symbols::Index,
    &symbols::NotLivepatch,
    &symbols::Name,
    &symbols::OfVmlinux,
    &entries::UnknownType,
    &entries::Outside,
    &entries::NotZero,
    &overlap::Overlap,
    &strays::Stray,
    &fits::TooNarrow,
    &fits::CallWithoutNop,
    &structures::ObjectTooLong,
    &structures::FunctionTooLong,
    &structures::ObjectTwice,
    &structures::FunctionTwice,
    &unfinished::ConversionNotRun,
];

/// A rule of [`FindingId::Klp015`] that is an error.
const fn malformed(rule: &'static str) -> About {
    About { id: FindingId::Klp015, rule, severity: Severity::Error }
}

/// Whether the patch's kernel is older than a change. Where that cannot be told, the rule says that it was not asked.
fn before(about: About, change: Version, subject: &str, facts: &Facts, report: &mut Report) -> Option<bool> {
    match facts.built_for.before(change) {
        Ok(before) => Some(before),
        Err(why) => {
            report.not_checked(Unchecked { id: about.id, subject: subject.to_owned(), why, reason: None });
            None
        }
    }
}

/// What a rule says of one place; [`say`] adds what the rule is.
#[derive(Default)]
struct Said {
    section: Option<Place>,
    relocations: Vec<u32>,
    symbol: Option<String>,
    what: String,
    kernel: String,
    remedy: String,
}

impl Said {
    fn of(section: &Section) -> Self {
        Self { section: Some(Place { index: section.index, name: section.name.clone() }), ..Self::default() }
    }
}

fn say(about: About, said: Said) -> Finding {
    Finding {
        id: about.id,
        name: about.id.name(),
        rule: about.rule,
        severity: about.severity,
        allowed: false,
        reason: None,
        section: said.section,
        relocations: said.relocations,
        symbol: said.symbol,
        what: said.what,
        kernel: said.kernel,
        remedy: said.remedy,
    }
}

/// The entries of livepatch sections about which `key` has something to say, gathered by section and key: one finding
/// then names all relocations that have it. Sections without the sign are passed over.
fn gathered<'f, K: Ord>(
    facts: &'f Facts<'_>,
    sign: Signs,
    key: impl Fn(&'f Section<'f>, &Rela) -> Option<K>,
) -> Vec<(&'f Section<'f>, K, Vec<u32>)> {
    gathered_in(facts.livepatch_sections().filter(|s| s.signs.has(sign)), key)
}

/// The same of certain sections.
fn gathered_in<'f, K: Ord>(
    sections: impl Iterator<Item = &'f Section<'f>>,
    key: impl Fn(&'f Section<'f>, &Rela) -> Option<K>,
) -> Vec<(&'f Section<'f>, K, Vec<u32>)> {
    let mut all = Vec::new();
    for section in sections {
        let mut found: BTreeMap<K, Vec<u32>> = BTreeMap::new();
        for entry in section.entries.iter() {
            if let Some(key) = key(section, &entry) {
                found.entry(key).or_default().push(entry.index);
            }
        }
        all.extend(found.into_iter().map(|(key, indices)| (section, key, indices)));
    }
    all
}
