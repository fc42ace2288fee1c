//! Which functions ftrace can reach, of the kernel and the loaded modules: `available_filter_functions` of tracefs, which root
//! alone may read.
//!
//! A line for each place: `<function>`, and for modules ` [<module>]` (kernel/trace/ftrace.c, `t_show`, 6.1 to 7.3). A place
//! has one name there; a function may have several (`__x64_sys_getpid` is an alias), so that where a name is missing the others
//! at its address are looked for in /proc/kallsyms.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use super::kallsyms::VMLINUX;

/// Object and function; both as the kernel writes them.
pub type Name = (String, String);

/// Where tracefs may be mounted.
const LISTS: [&str; 2] =
    ["sys/kernel/tracing/available_filter_functions", "sys/kernel/debug/tracing/available_filter_functions"];

/// How many places each of the functions has, under `root` (`/`, except in tests). `addresses` are the functions' own.
pub fn count(root: &Path, addresses: &BTreeMap<Name, Vec<u64>>) -> Result<BTreeMap<Name, usize>, String> {
    let mut counted = places(root, &addresses.keys().cloned().collect())?;
    let missing = |counted: &BTreeMap<Name, usize>| -> BTreeMap<Name, Vec<u64>> {
        let none = |(name, at): &(&Name, &Vec<u64>)| !at.is_empty() && !counted.contains_key(*name);
        addresses.iter().filter(none).map(|(name, at)| (name.clone(), at.clone())).collect()
    };
    let missing = missing(&counted);
    if missing.is_empty() {
        return Ok(counted);
    }
    if missing.values().flatten().any(|at| *at == 0) {
        return Err(
            "/proc/kallsyms hides its addresses, by which a function's other names are found".to_owned()
        );
    }
    let aliases = aliases(root, &missing)?;
    let under = places(root, &aliases.keys().cloned().collect())?;
    for (alias, of) in aliases {
        if let Some(places) = under.get(&alias) {
            *counted.entry(of).or_default() += places;
        }
    }
    Ok(counted)
}

fn places(root: &Path, wanted: &BTreeSet<Name>) -> Result<BTreeMap<Name, usize>, String> {
    let mut why = String::new();
    for list in LISTS {
        let path = root.join(list);
        match File::open(&path) {
            Ok(file) => {
                let mut counted = BTreeMap::new();
                for line in BufReader::new(file).lines() {
                    let line = line.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                    let mut words = line.split_whitespace();
                    let Some(name) = words.next() else { continue };
                    let module = words.next().and_then(|word| word.strip_prefix('[')?.strip_suffix(']'));
                    let key = (module.unwrap_or(VMLINUX).to_owned(), name.to_owned());
                    if wanted.contains(&key) {
                        *counted.entry(key).or_default() += 1;
                    }
                }
                return Ok(counted);
            }
            Err(error) if why.is_empty() => why = format!("cannot read {}: {error}", path.display()),
            Err(_) => {}
        }
    }
    Err(why)
}

/// The other names at the addresses of some functions, each with the function.
fn aliases(root: &Path, of: &BTreeMap<Name, Vec<u64>>) -> Result<BTreeMap<Name, Name>, String> {
    let path = root.join("proc/kallsyms");
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut found = BTreeMap::new();
    for line in BufReader::new(File::open(&path).map_err(failed)?).lines() {
        let line = line.map_err(failed)?;
        let mut words = line.split_whitespace();
        let (Some(at), Some(_), Some(name)) = (words.next(), words.next(), words.next()) else { continue };
        let Ok(at) = u64::from_str_radix(at, 16) else { continue };
        let module =
            words.next().and_then(|word| word.strip_prefix('[')?.strip_suffix(']')).unwrap_or(VMLINUX);
        for (function, _) in of.iter().filter(|((object, _), all)| object == module && all.contains(&at)) {
            if function.1 != name {
                found.insert((module.to_owned(), name.to_owned()), function.clone());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(addresses: bool) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put(LISTS[1], "cmdline_proc_show\n__do_sys_getpid\ntwice\ntwice\nshow [tmod]\nshow [other]\n");
        let all = "ffff10 T cmdline_proc_show\nffff20 T __do_sys_getpid\nffff20 T __x64_sys_getpid\nffff30 t hidden\n\
                   ffff40 t show\t[tmod]\n";
        put("proc/kallsyms", &if addresses { all.to_owned() } else { all.replace("ffff", "0000") });
        root
    }

    fn counted(root: &Path, object: &str, name: &str, at: u64) -> Result<Option<usize>, String> {
        let name = (object.to_owned(), name.to_owned());
        count(root, &[(name.clone(), vec![at])].into()).map(|counted| counted.get(&name).copied())
    }

    #[test]
    fn a_function_counts_under_any_of_its_names() {
        let root = host(true);
        let of = |object: &str, name: &str, at| counted(root.path(), object, name, at).unwrap();
        assert_eq!(of("vmlinux", "cmdline_proc_show", 0xff_ff10), Some(1));
        assert_eq!(of("vmlinux", "twice", 0xff_ff50), Some(2));
        assert_eq!(of("vmlinux", "__x64_sys_getpid", 0xff_ff20), Some(1));
        assert_eq!(of("vmlinux", "hidden", 0xff_ff30), None);
        assert_eq!(of("tmod", "show", 0xff_ff40), Some(1));
        assert_eq!(of("vmlinux", "show", 0xff_ff60), None);
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        let root = host(false);
        assert_eq!(counted(root.path(), "vmlinux", "cmdline_proc_show", 0), Ok(Some(1)));
        assert!(counted(root.path(), "vmlinux", "__x64_sys_getpid", 0).unwrap_err().contains("hides"));
        let nothing = tempfile::tempdir().unwrap();
        let why = counted(nothing.path(), "vmlinux", "cmdline_proc_show", 1).unwrap_err();
        assert!(why.contains("sys/kernel/tracing"), "{why}");
    }
}
