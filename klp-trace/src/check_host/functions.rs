//! The functions that the patch replaces: can ftrace reach them?
//!
//! `klp_patch_func()` asks `ftrace_location()` for a place in each and fails with -EINVAL where there is none
//! (kernel/livepatch/patch.c, 6.1 to 7.3).

use super::symbols::few;
use super::{Answer, Check, Host, Patch, VMLINUX};
use crate::elf::ftrace_sites::Reach;
use crate::lint::sympos::{self, Function};

const ABOUT: &str = "functions";

/// Every answer about an object's functions; none where the patch replaces none of it.
pub(super) fn of(object: &str, patch: &Patch, host: &Host) -> Option<Check> {
    let functions: Vec<&Function> = patch.functions.iter().filter(|f| f.object == object).collect();
    if functions.is_empty() {
        return None;
    }
    let here = host.objects.get(object);
    let loaded = here.and_then(|o| o.loaded.as_ref());
    let file = here.and_then(|o| o.file.as_ref().ok());
    // What runs may be another build than the file.
    let file = file.filter(|file| loaded.is_none_or(|build| build.same(&file.build) == Some(true)));
    let told: Vec<Told> = match file {
        Some(file) => functions.iter().map(|f| by_file(f, &file.symbols, &file.reach)).collect(),
        None if loaded.is_some() || object == VMLINUX => functions.iter().map(|f| by_list(f, host)).collect(),
        // Its file is missing, which the questions about its build and symbols say.
        None => return None,
    };
    let place = file.map_or("available_filter_functions", |file| file.path.as_str());
    Some(answer(&told, place).of(object))
}

/// What is known of a function.
enum Told {
    Reached,
    Refused(String),
    NotAsked(String),
}

fn by_file(
    function: &Function,
    symbols: &crate::elf::symbols::ObjectFile,
    reach: &std::collections::BTreeMap<String, Vec<Reach>>,
) -> Told {
    let name = &function.name;
    let (coming, live) = sympos::answers(function.sympos, true, symbols.occurrences(name));
    // A symbol that is not there at its position is told by the questions about symbols.
    let Ok(at) = live.or(coming) else { return Told::Reached };
    let no_site = "has no ftrace site (notrace, assembly, or inlined everywhere)";
    match reach.get(name).and_then(|all| all.get(at)) {
        Some(Reach::Site) => Told::Reached,
        Some(Reach::NoSite) => Told::Refused(format!("{name} {no_site}")),
        Some(Reach::Data) => Told::Refused(format!("{name} is data, no function")),
        Some(Reach::Init) => Told::Refused(format!(
            "{name} is in .init, which is freed once the module is there: with the module first it is not found, with the \
             patch first livepatch keeps a pointer to freed memory"
        )),
        None => Told::NotAsked(format!("{name}: the file does not list its ftrace sites")),
    }
}

fn by_list(function: &Function, host: &Host) -> Told {
    let Function { object, name, .. } = function;
    let key = (object.clone(), name.clone());
    let listed = host.listed.as_ref().ok().and_then(|listed| listed.get(&key)).copied().unwrap_or(0);
    match &host.traceable {
        Err(why) => Told::NotAsked(format!("{name}: {why}")),
        Ok(_) if listed == 0 => Told::Reached,
        Ok(sites) => match sites.get(&key).copied().unwrap_or(0) {
            0 => Told::Refused(format!("{name} has no ftrace site")),
            some if some < listed => {
                Told::NotAsked(format!("{name}: {some} of the {listed} of that name have an ftrace site"))
            }
            _ => Told::Reached,
        },
    }
}

fn answer(told: &[Told], place: &str) -> Check {
    let refused: Vec<String> = told
        .iter()
        .filter_map(|t| if let Told::Refused(why) = t { Some(why.clone()) } else { None })
        .collect();
    let open: Vec<String> = told
        .iter()
        .filter_map(|t| if let Told::NotAsked(why) = t { Some(why.clone()) } else { None })
        .collect();
    if !refused.is_empty() {
        let what = format!(
            "by {place}, {}. The kernel fails with -EINVAL (\"failed to find location for function\"), whichever is loaded first",
            few(&refused)
        );
        return Check::new(ABOUT, Answer::No, what).remedy(
            "patch the functions that call it, as far as ftrace reaches them, and leave this one as it is",
        );
    }
    if !open.is_empty() {
        return Check::new(ABOUT, Answer::Unknown, format!("whether ftrace reaches all {}: {}", told.len(), few(&open)))
            .remedy(
                "run as root, with tracefs mounted: mount -t tracefs nodev /sys/kernel/tracing; of a module, name its \
                 file with --object-file",
            );
    }
    Check::new(
        ABOUT,
        Answer::Yes,
        format!("ftrace reaches all that are replaced ({}), by {place}", told.len()),
    )
}
