//! `inspect --check-host`: reads what a host says of itself.

mod listed;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::lint::{self, LintArgs};
use crate::arch;
use crate::check_host::{self, Build, File, Host, Object, Patch, Report};
use crate::cli::exit::Exit;
use crate::elf::ftrace_sites::Sites;
use crate::elf::module::{Module, Objects};
use crate::elf::{Error, names, notes, open, tree};
use crate::kernel::kallsyms::VMLINUX;
use crate::kernel::modules::Modules;
use crate::kernel::patch_file::Finder;
use crate::kernel::sysfs::Sysfs;
use crate::lint::Facts;
use crate::lint::facts::Symbol;

use listed::Wanted;

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
        depends: depends(module),
        imports: imports(module),
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
                builtin: finder.built_in(name).is_some(),
                holders: holders(root, name),
                file: file(&finder, name, symbols),
            };
            (name.clone(), object)
        })
        .collect();
    let listed = listed::read(root, &wanted, patch);
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
        clears: listed.as_ref().map(|listed| arch::clears(machine, listed.clears)).map_err(Clone::clone),
        exports: listed.as_ref().map_err(Clone::clone).and_then(|listed| listed.exports.clone()),
        traceable: listed.as_ref().map_err(Clone::clone).and_then(|listed| listed.traceable.clone()),
        listed: listed.map(|listed| listed.counts),
        ftrace_disabled: is_off(root, "ftrace_enabled", "0"),
        modules_disabled: is_off(root, "modules_disabled", "1"),
        modules,
        objects,
    }
}

/// `depends=`, as the kernel spells modules' names: modpost writes files' names, which may have dashes.
fn depends(module: &Module<'_>) -> Vec<String> {
    module.depends().map(|name| names::display(&names::normal(name))).collect()
}

/// The undefined symbols that insmod has to find. What other loaders than x86's put in themselves is left out
/// (`ignore_undef_symbol()`, kernel/module/main.c; ppc64's table of contents).
fn imports(module: &Module<'_>) -> Vec<String> {
    const WEAK: u8 = 2;
    const MADE: [&[u8]; 2] = [b"_GLOBAL_OFFSET_TABLE_", b".TOC."];
    let undefined = module.symbols().filter(|s| s.shndx == 0 && s.info >> 4 != WEAK);
    let names = undefined.filter_map(|s| s.name).filter(|name| !name.is_empty() && !MADE.contains(name));
    names.map(names::display).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The names that are asked for, by object; dependencies and patched objects with none among them.
fn wanted(facts: &Facts<'_>, patch: &Patch) -> Wanted {
    let mut wanted = Wanted::new();
    for parts in facts.symbols.iter().filter_map(Symbol::parts) {
        wanted.entry(parts.object.to_string()).or_default().insert(parts.name.to_string());
    }
    for function in &patch.functions {
        wanted.entry(function.object.clone()).or_default().insert(function.name.clone());
    }
    for object in check_host::concerned(facts, patch) {
        wanted.entry(object.to_owned()).or_default();
    }
    for module in &patch.depends {
        wanted.entry(module.clone()).or_default();
    }
    wanted
}

/// Whether a switch of /proc/sys/kernel stands so that it refuses livepatches.
fn is_off(root: &Path, switch: &str, off: &str) -> bool {
    std::fs::read_to_string(root.join("proc/sys/kernel").join(switch)).is_ok_and(|text| text.trim() == off)
}

/// The modules that hold a module.
fn holders(root: &Path, name: &str) -> Vec<String> {
    if name.is_empty() || name.starts_with('.') || name.contains('/') {
        return Vec::new();
    }
    let Ok(entries) = root.join("sys/module").join(name).join("holders").read_dir() else {
        return Vec::new();
    };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    names.map(|name| names::path(Path::new(&name))).collect()
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
        depends: depends(&module),
        // Nothing where the file's lists cannot be read.
        reach: Sites::read(&module).map(|sites| sites.of_names(&module, wanted)).unwrap_or_default(),
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

#[cfg(test)]
mod tests;
