//! `--object-file`: what is named must be of use. What cannot be read, and what is no module, is said before anything is
//! inspected.

use std::path::{Path, PathBuf};

use crate::arch::Machine;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::elf::module::Module;
use crate::elf::{Error, Rule, open};

/// The files that were named, with their architectures; folders are left out.
pub type Named = Vec<(PathBuf, Machine)>;

/// Reads each; the worst of what is wrong, if anything is.
pub fn read(paths: &[PathBuf]) -> Result<Named, Failure> {
    let mut named = Vec::new();
    let mut failed: Option<Failure> = None;
    for path in paths {
        match machine(path) {
            Ok(Some(machine)) => named.push((path.clone(), machine)),
            Ok(None) => {}
            Err(failure) => {
                failed = Some(match failed {
                    Some(first) if first.exit().worse(failure.exit()) == first.exit() => first,
                    _ => failure,
                });
            }
        }
    }
    failed.map_or(Ok(named), Err)
}

/// A file's architecture; `None` of a folder.
fn machine(path: &Path) -> Result<Option<Machine>, Failure> {
    let hint =
        "name the file of a module that the patch is for (.ko, .ko.xz, .ko.zst, .ko.gz), or a folder with it";
    let failed = |exit, why: String| {
        Err(Failure::new(exit, anyhow::anyhow!("--object-file cannot be used: {why}")).hint(hint))
    };
    if path.is_dir() {
        return match std::fs::read_dir(path) {
            Ok(_) => Ok(None),
            Err(error) => failed(Exit::Runtime, format!("{}: {error}", path.display())),
        };
    }
    let contents = match open::module(path) {
        Ok(contents) => contents,
        Err(error) => return failed(Exit::Runtime, error.to_string()),
    };
    let module = match Module::parse(&contents.bytes, path, contents.decompressed) {
        Ok(module) => module,
        Err(error) => return failed(exit(&error), error.to_string()),
    };
    if module.find(b".modinfo").is_none() && module.find(b".gnu.linkonce.this_module").is_none() {
        let why = "an object file, but no module (neither .modinfo nor .gnu.linkonce.this_module)";
        return failed(Exit::Usage, format!("{}: {why}", path.display()));
    }
    Ok(Some(module.machine()))
}

/// What is no module was named wrongly; a damaged one cannot be read.
fn exit(error: &Error) -> Exit {
    match error.rule {
        Rule::TooShort { .. }
        | Rule::NotElf
        | Rule::Not64Bit
        | Rule::DataEncoding { .. }
        | Rule::NoLivepatching { .. }
        | Rule::ByteOrder { .. }
        | Rule::NotRelocatable { .. }
        | Rule::NoSections
        | Rule::SymbolTables { count: 0 } => Exit::Usage,
        _ => Exit::Runtime,
    }
}

/// Those that are of no architecture for which there is a patch.
pub fn unused<'n>(named: &'n Named, patches: &[Machine]) -> impl Iterator<Item = &'n (PathBuf, Machine)> {
    let concerned = !patches.is_empty();
    let patches = patches.to_vec();
    named.iter().filter(move |(_, machine)| concerned && !patches.contains(machine))
}
