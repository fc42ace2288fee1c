//! `inspect --check-host`: reads what a host says of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::lint::{self, LintArgs};
use crate::arch;
use crate::check_host::{self, Build, File, Host, Object, Patch, Report};
use crate::cli::exit::Exit;
use crate::elf::module::{Module, Objects};
use crate::elf::{Error, names, notes, open, tree};
use crate::kernel::kallsyms::{Query, VMLINUX};
use crate::kernel::modules::Modules;
use crate::kernel::patch_file::Finder;
use crate::kernel::sysfs::Sysfs;
use crate::lint::Facts;
use crate::lint::facts::Symbol;

/// What clears late relocations, where it is.
const CLEARS: &str = "clear_relocate_add";

/// A host: this one, or files made for a test.
pub(super) struct Where {
    root: PathBuf,
    release: String,
    machine: String,
}

impl Where {
    /// The running host.
    pub(super) fn here() -> Self {
        let uname = rustix::system::uname();
        Self {
            root: PathBuf::from("/"),
            release: uname.release().to_string_lossy().into_owned(),
            machine: uname.machine().to_string_lossy().into_owned(),
        }
    }
}

/// Asks whether a host would take a livepatch.
pub(super) fn ask(
    module: &Module<'_>,
    objects: Option<&Objects<'_>>,
    args: &LintArgs,
    host: &Where,
) -> Result<Report, Error> {
    let facts = Facts::of(module, lint::listed(objects))?;
    let patch = Patch {
        name: names::display(&module.name()),
        machine: module.machine().name(module.is_big_endian()),
        vermagic: module.info(b"vermagic").map(names::display),
        versions: [&b"__versions"[..], b"__version_ext_crcs"].iter().any(|name| module.find(name).is_some()),
        depends: module.depends().map(names::display).collect(),
        functions: lint::functions(objects),
    };
    let mut found = crate::lint::check(&facts);
    args.policy().apply(&mut found);
    let host = read(&facts, &patch, args, host);
    Ok(check_host::ask(&facts, &patch, &host, &found))
}

/// The end that the answers lead to.
pub(super) fn exit(report: &Report, args: &LintArgs) -> Exit {
    use crate::model::Severity;
    use check_host::Answer;
    let fail_on = Severity::from(args.fail_on);
    let any = |answer| report.checks.iter().any(|check| check.answer == answer);
    if !report.livepatch {
        Exit::Precondition
    } else if any(Answer::No) || any(Answer::Warning) && fail_on <= Severity::Warning {
        Exit::Finding
    } else if any(Answer::Unknown) {
        Exit::Inconclusive
    } else {
        Exit::Clean
    }
}

fn read(facts: &Facts<'_>, patch: &Patch, args: &LintArgs, host: &Where) -> Host {
    let Where { root, release, machine } = host;
    let finder = Finder::new(root, release, args.object_file.clone());
    let sysfs = Sysfs::new(root);
    let wanted = wanted(facts, patch);
    let modules = modules(root);
    let objects: BTreeMap<String, Object> = wanted
        .iter()
        .filter(|(name, _)| *name != VMLINUX)
        .map(|(name, symbols)| {
            let loaded = modules.as_ref().is_ok_and(|m| m.contains_key(name));
            let object = Object {
                loaded: loaded.then(|| loaded_build(&sysfs, name)),
                file: file(&finder, name, symbols),
            };
            (name.clone(), object)
        })
        .collect();
    let counted = count(root, &wanted);
    Host {
        release: names::display(release.as_bytes()),
        machine: names::display(machine.as_bytes()),
        livepatch: if root.join("sys/kernel").is_dir() {
            Ok(sysfs.has_livepatch())
        } else {
            Err("sysfs is not mounted at /sys, which would say whether the kernel has livepatching"
                .to_owned())
        },
        vermagic: vermagic(root, release, &objects),
        patches: sysfs.patches().map_err(|error| error.to_string()),
        clears: counted.as_ref().map(|(_, has)| arch::clears(machine, *has)).map_err(Clone::clone),
        listed: counted.map(|(listed, _)| listed),
        modules,
        objects,
    }
}

/// The names that are asked for, by object; dependencies and patched objects with none among them.
fn wanted(facts: &Facts<'_>, patch: &Patch) -> BTreeMap<String, BTreeSet<String>> {
    let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for parts in facts.symbols.iter().filter_map(Symbol::parts) {
        wanted.entry(parts.object.to_string()).or_default().insert(parts.name.to_string());
    }
    for function in &patch.functions {
        wanted.entry(function.object.clone()).or_default().insert(function.name.clone());
    }
    let gates = facts.livepatch_sections().filter_map(|s| s.gate.as_ref()).map(|gate| &gate.object);
    for object in facts.objects.names.iter().chain(gates).chain(&patch.depends) {
        wanted.entry(object.clone()).or_default();
    }
    wanted
}

fn modules(root: &Path) -> Result<BTreeMap<String, crate::kernel::modules::State>, String> {
    if !root.join("proc/modules").exists() {
        return Err(
            "there is no /proc/modules: procfs is not mounted, or the kernel loads no modules".to_owned()
        );
    }
    let modules = Modules::read(root).map_err(|error| error.to_string())?;
    Ok(modules.iter().map(|m| (names::display(m.name.as_bytes()), m.state)).collect())
}

/// What sysfs says of a loaded module's build.
fn loaded_build(sysfs: &Sysfs, name: &str) -> Build {
    let note = sysfs.build_id_note(name).ok().flatten();
    Build {
        build_id: note.and_then(|note| notes::build_id(&note).ok().flatten()).map(|id| notes::hex(&id)),
        srcversion: sysfs.srcversion(name).ok().flatten().map(|text| names::display(text.as_bytes())),
    }
}

/// The file that modprobe would load, read for the symbols.
fn file(finder: &Finder, name: &str, wanted: &BTreeSet<String>) -> Result<File, String> {
    let found = finder.object(name, None, wanted);
    let best = lint::best(&found)?;
    let contents = open::module(&best.path).map_err(|error| error.to_string())?;
    let module =
        Module::parse(&contents.bytes, &best.path, contents.decompressed).map_err(|e| e.to_string())?;
    Ok(File {
        path: names::path(&best.path),
        build: build(&module),
        vermagic: module.info(b"vermagic").map(names::display),
        symbols: best.file.clone(),
    })
}

fn build(module: &Module<'_>) -> Build {
    Build {
        build_id: module.build_id().map(notes::hex),
        srcversion: module.info(b"srcversion").map(names::display),
    }
}

/// The vermagic of the running kernel's modules: that of an object's file, else of any module in its folder.
fn vermagic(
    root: &Path,
    release: &str,
    objects: &BTreeMap<String, Object>,
) -> Result<(String, String), String> {
    let of_object = objects.values().filter_map(|o| o.file.as_ref().ok()).find_map(|file| {
        let vermagic = file.vermagic.clone()?;
        (vermagic.split(' ').next() == Some(release)).then(|| (vermagic, file.path.clone()))
    });
    if let Some(found) = of_object {
        return Ok(found);
    }
    let folder = root.join("lib/modules").join(release).join("kernel");
    let shown = names::path(&folder);
    for path in tree::modules(&folder).files.iter().take(TRIED) {
        let Ok(contents) = open::module(path) else { continue };
        let Ok(module) = Module::parse(&contents.bytes, path, contents.decompressed) else { continue };
        if let Some(vermagic) = module.info(b"vermagic") {
            return Ok((names::display(vermagic), names::path(path)));
        }
    }
    Err(format!("there is no module in {shown} that would tell"))
}

/// Files that are opened to find one with a vermagic.
const TRIED: usize = 8;

/// How many symbols of each name the kernel lists, and whether it has what clears.
type Counted = (BTreeMap<(String, String), usize>, bool);

fn count(root: &Path, wanted: &BTreeMap<String, BTreeSet<String>>) -> Result<Counted, String> {
    let mut query = Query::new();
    query.want(VMLINUX, CLEARS);
    let all = || wanted.iter().flat_map(|(object, symbols)| symbols.iter().map(move |name| (object, name)));
    for (object, name) in all() {
        query.want(names::bytes(object), names::bytes(name));
    }
    let found = query.count(root).map_err(|error| error.to_string())?;
    if !found.present(VMLINUX) {
        return Err("/proc/kallsyms lists nothing of the kernel itself".to_owned());
    }
    let count =
        |object: &String, name: &String| found.addresses(names::bytes(object), names::bytes(name)).len();
    let listed = all().map(|(object, name)| ((object.clone(), name.clone()), count(object, name))).collect();
    Ok((listed, !found.addresses(VMLINUX, CLEARS).is_empty()))
}

#[cfg(test)]
mod tests;
