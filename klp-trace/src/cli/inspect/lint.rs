//! Lint in `inspect`: the rules, the files of the patched modules, what counts.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::arch::Machine;
use crate::cli::args::FailOn;
use crate::cli::exit::Exit;
use crate::elf::ftrace_sites::Sites;
use crate::elf::module::{Module, Objects};
use crate::elf::symbols::ObjectFile;
use crate::elf::{Error, names, open};
use crate::kernel::patch_file::{Finder, Found, FoundFile, Rejected};
use crate::lint::policy::{Policy, Selector};
use crate::lint::sympos::{self, Function};
use crate::lint::{self, Facts, Listed, Report, built_in, third};

/// What is asked of lint.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct LintArgs {
    /// Look symbols up in this file of a patched module (.ko, plain, .xz, .zst, .gz), or in a folder; may be repeated
    ///
    /// Without it, /lib/modules/RELEASE is searched, RELEASE being the kernel that the patch was built for.
    #[arg(long, value_name = "FILE|DIR")]
    pub object_file: Vec<PathBuf>,

    /// Show findings of this id or rule, such as KLP012 or klp-arch-leftover, but do not count them; may be repeated
    #[arg(long, value_name = "ID|RULE")]
    pub allow: Vec<Selector>,

    /// Count findings of this id or rule as errors; may be repeated, and wins over --allow
    #[arg(long, value_name = "ID|RULE")]
    pub deny: Vec<Selector>,

    /// Exit with 1 when there is a finding of this severity or worse: info, warning, error
    #[arg(long, value_name = "SEVERITY", value_enum, default_value_t, hide_possible_values = true)]
    pub fail_on: FailOn,

    /// Exit with 5 when something was not checked, and with 1 when there is no livepatch among the files
    #[arg(long)]
    pub strict: bool,
}

impl LintArgs {
    /// Which findings count.
    pub(super) fn policy(&self) -> Policy {
        Policy { allow: self.allow.clone(), deny: self.deny.clone() }
    }

    /// The end that a report leads to.
    pub fn exit(&self, report: &Report) -> Exit {
        let policy = self.policy();
        if report.worst() >= Some(self.fail_on.into()) {
            Exit::Finding
        } else if self.strict && report.unchecked.iter().any(|u| u.reason.is_none() && !policy.allows(u.id)) {
            Exit::Inconclusive
        } else {
            Exit::Clean
        }
    }
}

/// Asks every rule; `None` of a module that has nothing of a livepatch.
pub fn check(
    module: &Module<'_>,
    objects: Option<&Objects<'_>>,
    args: &LintArgs,
) -> Result<Option<Report>, Error> {
    let facts = Facts::of(module, listed(objects))?;
    if !module.is_livepatch() && facts.sections.is_empty() && facts.unfinished.is_empty() {
        return Ok(None);
    }
    let mut report = lint::check(&facts);
    let finder = finder(module, args);
    let machine = module.machine();
    let functions = functions(objects);
    let mut find = |object: &str, wanted: &dyn Fn() -> BTreeSet<String>| match finder.built_in(object) {
        Some(list) => {
            Err(format!("it is built into the kernel ({}), there is no file of it", names::path(&list)))
        }
        None => file_of(&finder, machine, object, wanted).map(|found| {
            let replaced = functions.iter().filter(|f| f.object == object).map(|f| f.name.clone());
            with_reach(found, &replaced.collect())
        }),
    };
    sympos::check(&facts, &functions, &mut find, &mut report);
    third::check(&facts, &third::imports(module), &mut find, &mut report);
    let built_in = |object: &str| finder.built_in(object).map(|list| names::path(&list));
    built_in::check(&facts, &built_in, &mut report);
    args.policy().apply(&mut report);
    Ok(Some(report))
}

/// Where modules' files are looked for.
pub(super) fn finder(module: &Module<'_>, args: &LintArgs) -> Finder {
    Finder::new(Path::new("/"), &release(module), args.object_file.clone())
}

/// The objects that the patch lists.
pub(super) fn listed(objects: Option<&Objects<'_>>) -> Listed {
    Listed::of(objects)
}

/// The functions that it replaces.
pub(super) fn functions(objects: Option<&Objects<'_>>) -> Vec<Function> {
    Listed::of(objects).functions()
}

/// The kernel that the patch was built for: the first word of its vermagic.
pub(super) fn release(module: &Module<'_>) -> String {
    let vermagic = module.info(b"vermagic").unwrap_or_default();
    names::display(vermagic.split(|b| *b == b' ').next().unwrap_or_default())
}

/// An object's file with the symbols of some names.
fn file_of(
    finder: &Finder,
    machine: Machine,
    object: &str,
    wanted: &dyn Fn() -> BTreeSet<String>,
) -> Result<FoundFile<ObjectFile>, String> {
    let mut found = finder.object(object, None, LazyCell::new(wanted));
    let (fit, other) = std::mem::take(&mut found.files).into_iter().partition(|f| f.file.machine == machine);
    found.files = fit;
    let why = "it is of another architecture".to_owned();
    found
        .rejected
        .extend(other.into_iter().map(|f: FoundFile<_>| Rejected { path: f.path, why: why.clone() }));
    best(&found).cloned()
}

/// An object's file with what ftrace can do with the functions that are replaced, if it lists any place of ftrace at all.
fn with_reach(found: FoundFile<ObjectFile>, functions: &BTreeSet<String>) -> ObjectFile {
    if functions.is_empty() {
        return found.file;
    }
    let Ok(contents) = open::module(&found.path) else { return found.file };
    let Ok(module) = Module::parse(&contents.bytes, &found.path, contents.decompressed) else {
        return found.file;
    };
    match Sites::read(&module) {
        Ok(sites) if !sites.is_empty() => found.file.with_reach(sites.of_names(&module, functions)),
        _ => found.file,
    }
}

/// Where an object's file is.
pub(super) fn path_of(finder: &Finder, object: &str) -> Result<PathBuf, String> {
    best(&finder.object(object, None, &BTreeSet::new())).map(|found| found.path.clone())
}

pub(super) fn best(found: &Found<ObjectFile>) -> Result<&FoundFile<ObjectFile>, String> {
    found.best().ok_or_else(|| match found.rejected.first() {
        Some(rejected) => format!(
            "its file could not be used ({}: {}); name it with --object-file",
            names::path(&rejected.path),
            rejected.why
        ),
        None => "its file was not found; name it with --object-file".to_owned(),
    })
}
