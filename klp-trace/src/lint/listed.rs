//! The objects that a patch lists, with their functions, as the rules look at them.

use super::sympos::Function;
use crate::elf::module::Objects;
use crate::elf::{limits, names};
use crate::kernel::kallsyms::VMLINUX;

/// The objects that a patch lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Their names, escaped; `vmlinux` is the kernel itself.
    pub names: Vec<String>,
    /// Why there may be more; `None`: these are all.
    pub incomplete: Option<String>,
    /// What is known of each, in the order of `names`; none where nothing but the names is known.
    pub objects: Vec<Object>,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its name, escaped; of a very long one, the beginning.
    pub name: String,
    /// Bytes of its name.
    pub bytes: usize,
    /// Whether it is the kernel itself, not a module of that name.
    pub is_kernel: bool,
    /// The functions that are replaced; none of an object that has callbacks alone.
    pub functions: Vec<Replaced>,
}

/// A function that is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Its name, escaped; of a very long one, the beginning.
    pub name: String,
    /// Bytes of its name.
    pub bytes: usize,
    /// Which of that name; 0: the only one.
    pub sympos: u64,
}

impl Listed {
    /// What a file tells; `None`: nothing, its code makes the list.
    pub fn of(objects: Option<&Objects<'_>>) -> Self {
        let Some(found) = objects else {
            let why = "the file does not tell which objects it patches; its code lists them";
            return Self { incomplete: Some(why.to_owned()), ..Self::default() };
        };
        let objects: Vec<Object> = found.list.iter().map(object).collect();
        Self {
            names: objects.iter().map(|o| o.name.clone()).collect(),
            incomplete: found
                .incomplete
                .map(|why| format!("the list of patched objects may be incomplete: {why}")),
            objects,
        }
    }

    /// The functions that are replaced, those whose names no kernel reads left out.
    pub fn functions(&self) -> Vec<Function> {
        let of = |object: &Object| {
            let readable = object.functions.iter().filter(|f| f.bytes <= LONGEST);
            let function = |f: &Replaced| Function {
                object: object.name.clone(),
                name: f.name.clone(),
                sympos: f.sympos,
            };
            readable.map(function).collect::<Vec<_>>()
        };
        self.objects.iter().flat_map(of).collect()
    }
}

/// Bytes of a function's name that the newest kernels read (`KSYM_NAME_LEN` is 512 from 6.1 on).
pub const LONGEST: usize = 511;

fn object(found: &crate::elf::module::PatchedObject<'_>) -> Object {
    let functions = found.functions.iter();
    Object {
        name: if found.is_kernel { VMLINUX.to_owned() } else { shown(found.name) },
        bytes: found.name.len(),
        is_kernel: found.is_kernel,
        functions: functions
            .map(|f| Replaced { name: shown(f.name), bytes: f.name.len(), sympos: f.sympos })
            .collect(),
    }
}

/// A name, escaped; of a very long one, the beginning tells which.
fn shown(name: &[u8]) -> String {
    let limit = usize::try_from(limits::SYMBOL_NAME_BYTES).unwrap_or(usize::MAX);
    match name.get(..limit) {
        Some(begin) if name.len() > limit => format!("{}…", names::display(begin)),
        _ => names::display(name),
    }
}
