//! Whether a host would take a livepatch: by the patch's file, and by what the host says of itself. What is read is
//! handed in.
//!
//! The questions are the kernel's own, in its order: `check_modinfo()`, `add_unformed_module()`, `__klp_enable_patch()`
//! and `klp_init_object_loaded()`, the last for each object and in both orders of loading (6.1 to 7.3). What cannot be
//! read is unknown, with the reason; it is never taken for a yes.
#![forbid(unsafe_code)]

mod functions;
mod imports;
mod kernel;
mod objects;
mod symbols;
mod third;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::elf::ftrace_sites::Reach;
use crate::elf::symbols::ObjectFile;
use crate::kernel::modules::State;
use crate::kernel::sysfs;
use crate::lint::facts::Symbol;
use crate::lint::{self, Facts};

/// Names the form of the JSON; see docs/inspect.md.
pub const SCHEMA: &str = "klp-trace.check-host/1";

/// What the file says, beside the facts of lint. Texts are escaped.
#[derive(Debug, Clone)]
pub struct Patch {
    /// The module's name.
    pub name: String,
    /// Its architecture, as `uname -m` has it.
    pub machine: &'static str,
    /// `vermagic=`, as it stands.
    pub vermagic: Option<String>,
    /// Whether it has `__versions`: then the kernel does not compare the release.
    pub versions: bool,
    /// `depends=`, as the kernel spells modules' names.
    pub depends: Vec<String>,
    /// The undefined symbols that insmod has to find, livepatch's own and weak ones left out.
    pub imports: Vec<String>,
    /// The functions that it replaces.
    pub functions: Vec<lint::sympos::Function>,
}

/// What a host says of itself; each may be missing, with the reason. Texts are escaped.
#[derive(Debug, Clone)]
pub struct Host {
    /// `uname -r`.
    pub release: String,
    /// `uname -m`.
    pub machine: String,
    /// Whether it has livepatching.
    pub livepatch: Result<bool, String>,
    /// The vermagic of a module of this kernel, and the file that has it.
    pub vermagic: Result<(String, String), String>,
    /// The loaded modules.
    pub modules: Result<BTreeMap<String, State>, String>,
    /// The livepatches that are enabled.
    pub patches: Result<Vec<sysfs::Patch>, String>,
    /// How many symbols of a name an object has in `/proc/kallsyms`, for each that the patch asks for.
    pub listed: Result<BTreeMap<(String, String), usize>, String>,
    /// How many places of a function ftrace can reach, for each that the patch replaces in the kernel or a loaded module.
    pub traceable: Result<BTreeMap<(String, String), usize>, String>,
    /// The patch's ordinary symbols that are exported, and by which module; none: by the kernel itself.
    pub exports: Result<BTreeMap<String, Option<String>>, String>,
    /// Whether `kernel.ftrace_enabled` is 0.
    pub ftrace_disabled: bool,
    /// Whether `kernel.modules_disabled` is 1.
    pub modules_disabled: bool,
    /// Whether the kernel clears late relocations when their object goes.
    pub clears: Result<bool, String>,
    /// The objects that the patch has to do with, and what it depends on.
    pub objects: BTreeMap<String, Object>,
}

/// A module on a host.
#[derive(Debug, Clone)]
pub struct Object {
    /// What is loaded; none when it is not.
    pub loaded: Option<Build>,
    /// Whether `modules.builtin` has it: it never is a module.
    pub builtin: bool,
    /// The modules that hold it: `/sys/module/NAME/holders`.
    pub holders: Vec<String>,
    /// The file that modprobe would load; or why there is none.
    pub file: Result<File, String>,
}

/// A module's file.
#[derive(Debug, Clone)]
pub struct File {
    /// Where it is, escaped.
    pub path: String,
    /// Which build it is.
    pub build: Build,
    /// `vermagic=`, as it stands.
    pub vermagic: Option<String>,
    /// `depends=`, as the kernel spells modules' names.
    pub depends: Vec<String>,
    /// Those of its symbols that the patch asks for.
    pub symbols: ObjectFile,
    /// What ftrace can do with each of them, in the order of the symbol table.
    pub reach: BTreeMap<String, Vec<Reach>>,
}

/// What tells one build of a module from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Build {
    /// `NT_GNU_BUILD_ID`, in hexadecimal.
    pub build_id: Option<String>,
    /// A sum over the sources.
    pub srcversion: Option<String>,
}

/// The answer to a question; the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// Seen to be so.
    Yes,
    /// It loads; something later will not go well.
    Warning,
    /// Cannot be told.
    Unknown,
    /// The kernel would refuse it, or it would not do what it should.
    No,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Check {
    /// What is asked, in a word or two; stable.
    pub about: &'static str,
    /// The object that is asked about; none for the patch as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The answer.
    pub answer: Answer,
    /// What was seen, and what the kernel makes of it.
    pub what: String,
    /// What to do; not where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Every answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Report {
    /// The format.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// The patch's module name.
    pub patch: String,
    /// `uname -r` of the host.
    pub kernel: String,
    /// The worst of the answers.
    pub answer: Answer,
    /// Whether the kernel has livepatching, as far as that is known.
    #[serde(skip)]
    pub livepatch: bool,
    /// The questions.
    pub checks: Vec<Check>,
}

impl Check {
    fn new(about: &'static str, answer: Answer, what: impl Into<String>) -> Self {
        Self { about, object: None, answer, what: what.into(), remedy: None }
    }

    fn remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }

    fn of(self, object: &str) -> Self {
        Self { object: Some(object.to_owned()), ..self }
    }
}

/// Asks everything. `lint` is what lint says of the file, its symbols looked up in the files of this host's modules.
pub fn ask(facts: &Facts, patch: &Patch, host: &Host, lint: &lint::Report) -> Report {
    let mut checks = vec![kernel::livepatching(host), kernel::machine(patch, host)];
    checks.push(kernel::vermagic(patch, host));
    checks.push(kernel::name(patch, host));
    checks.extend(kernel::switches(host));
    checks.extend(kernel::depends(patch, host));
    checks.push(imports::check(patch, host));
    checks.push(kernel::transition(host));
    checks.push(symbols::file(lint, facts));
    if host.livepatch == Ok(false) {
        // What its kernel would do with symbols and objects is no question.
        return report(patch, host, checks);
    }
    let concerned = concerned(facts, patch);
    for (name, object) in host.objects.iter().filter(|(name, _)| concerned.contains(name.as_str())) {
        checks.push(objects::build(name, object, host));
        checks.extend(symbols::of(name, facts, patch, host));
        checks.extend(functions::of(name, patch, host));
        checks.extend(objects::next_load(name, facts, patch, host));
    }
    checks.extend(symbols::of(VMLINUX, facts, patch, host));
    checks.extend(functions::of(VMLINUX, patch, host));
    checks.extend(third::checks(facts, patch, host));
    report(patch, host, checks)
}

/// The objects that the patch patches, writes for, or asks symbols of: not those that it merely depends on.
pub fn concerned<'f>(facts: &'f Facts<'_>, patch: &'f Patch) -> BTreeSet<&'f str> {
    let symbols = facts.symbols.iter().filter_map(Symbol::parts).map(|parts| parts.object);
    let gates = facts.livepatch_sections().filter_map(|s| s.gate.as_ref()).map(|gate| gate.object.as_str());
    let functions = patch.functions.iter().map(|function| function.object.as_str());
    let listed = facts.objects.names.iter().map(String::as_str);
    symbols.chain(gates).chain(functions).chain(listed).collect()
}

fn report(patch: &Patch, host: &Host, checks: Vec<Check>) -> Report {
    Report {
        schema: SCHEMA,
        patch: patch.name.clone(),
        kernel: host.release.clone(),
        answer: checks.iter().map(|c| c.answer).max().unwrap_or(Answer::Unknown),
        livepatch: host.livepatch != Ok(false),
        checks,
    }
}

const VMLINUX: &str = "vmlinux";

#[cfg(test)]
mod tests;
