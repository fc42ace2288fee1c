//! What was proposed in place of late patching, and what this patch would have to become.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::criteria::{Fact, NotMeasured};
use super::gates::Gate;
use super::{Around, count, list};
use crate::lint::Facts;

/// A proposal of the debate, for this patch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alternative {
    /// Its name.
    pub name: &'static str,
    /// What would have to be shipped.
    pub contains: Vec<Fact>,
    /// What it would stop or leave unpatched on this host.
    pub blocks: Vec<Fact>,
    /// What cannot be told here.
    pub not_measured: Vec<NotMeasured>,
}

pub(super) fn of(facts: &Facts, around: &Around, gates: &[Gate]) -> Vec<Alternative> {
    let modules: Vec<&Gate> = gates.iter().filter(|g| g.is_module()).collect();
    vec![
        loaded_only(around, gates, &modules),
        split(facts, gates, &modules),
        replaced_modules(around, gates, &modules),
    ]
}

fn names<'g>(gates: impl IntoIterator<Item = &'g &'g Gate>) -> String {
    list(gates.into_iter().map(|g| g.object.as_str()))
}

fn sums<'g>(gates: impl IntoIterator<Item = &'g Gate>) -> String {
    let (mut functions, mut relocations) = (0, 0);
    for gate in gates {
        functions += gate.functions;
        relocations += gate.relocations;
    }
    format!("{} and {}", count(functions, "function"), count(relocations, "livepatch relocation"))
}

/// Patch what is loaded, and nothing that comes later.
fn loaded_only(around: &Around, gates: &[Gate], modules: &[&Gate]) -> Alternative {
    let name = "a patch of the loaded objects alone";
    let why = match &around.loaded {
        Ok(_) => None,
        Err(why) => Some(NotMeasured { what: "which objects are loaded".to_owned(), why: why.clone() }),
    };
    if let Some(why) = why {
        return Alternative { name, contains: Vec::new(), blocks: Vec::new(), not_measured: vec![why] };
    }
    let kept = gates.iter().filter(|g| g.loaded == Some(true));
    let absent: Vec<&Gate> = modules.iter().copied().filter(|g| g.loaded == Some(false)).collect();
    Alternative {
        name,
        contains: vec![format!("on this host now: {} of {}", sums(kept), sums(gates.iter())).into()],
        blocks: vec![
            if absent.is_empty() {
                "nothing: every object is loaded".to_owned()
            } else {
                format!(
                    "{}: must be kept from loading unpatched, or be loaded first although nobody uses them",
                    names(&absent)
                )
            }
            .into(),
            "unloading of a patched module: it must stay, or its next load is unpatched".to_owned().into(),
        ],
        not_measured: vec![NotMeasured {
            what: "what other hosts of the fleet have loaded".to_owned(),
            why: "each would need a patch of its own set; run this there".to_owned(),
        }],
    }
}

/// One livepatch for each object, loaded and unloaded with it.
fn split(facts: &Facts, gates: &[Gate], modules: &[&Gate]) -> Alternative {
    let third: usize = modules.iter().map(|g| g.symbols.third_module).sum();
    let mixed = mixed_targets(facts);
    let each = gates.iter().map(|g| format!("{}: {}", g.object, sums([g])).into());
    Alternative {
        name: "one livepatch for each object",
        contains: std::iter::once(count(gates.len(), "livepatch module").into()).chain(each).collect(),
        blocks: vec![
            format!(
                "the load of each of {} until its own livepatch is there too: the loader or modprobe must bring it",
                names(modules)
            )
            .into(),
            Fact::counted(mixed.is_empty(), format!(
                "sections that belong to several objects, and would have to be copied or taken apart: {}",
                list(mixed.iter().map(String::as_str))
            )),
            Fact::counted(third == 0, format!("symbols of a third module, so that one livepatch depends on another object: {third}")),
        ],
        not_measured: vec![NotMeasured {
            what: "whether the change is whole when only some of them are loaded".to_owned(),
            why: "what the objects say to one another is in the source, not in the file".to_owned(),
        }],
    }
}

/// Joe Lawrence's blue sky: a livepatch for what is loaded, new modules for what is not, the old ones refused.
fn replaced_modules(around: &Around, gates: &[Gate], modules: &[&Gate]) -> Alternative {
    let known: Vec<&Gate> = modules.iter().copied().filter(|g| g.file_bytes.is_some()).collect();
    let bytes: u64 = known.iter().filter_map(|g| g.file_bytes).sum();
    let vmlinux: Vec<&Gate> = gates.iter().filter(|g| !g.is_module()).collect();
    let without: Vec<&str> = around
        .files
        .iter()
        .filter(|(_, file)| file.as_ref().is_ok_and(|file| !file.srcversion))
        .map(|(object, _)| object.as_str())
        .collect();
    let loaded: Vec<&Gate> = modules.iter().copied().filter(|g| g.loaded == Some(true)).collect();
    let mut not_measured: Vec<NotMeasured> = around
        .files
        .iter()
        .filter_map(|(object, file)| Some((object, file.as_ref().err()?)))
        .map(|(object, why)| NotMeasured {
            what: format!("size and srcversion of {object}"),
            why: why.clone(),
        })
        .collect();
    if let Err(why) = &around.loaded {
        not_measured.push(NotMeasured {
            what: "which modules are loaded, and so cannot be replaced".to_owned(),
            why: why.clone(),
        });
    }
    Alternative {
        name: "replaced modules, and refusal of known-vulnerable srcversions",
        contains: vec![
            Fact::counted(vmlinux.is_empty(), format!("a livepatch of vmlinux with {}", sums(vmlinux.iter().copied()))),
            format!("new files of {} ({bytes} bytes today, of the {} whose file is here)", names(modules), known.len()).into(),
            format!("the list of srcversions to refuse, one for each of {} and each build of it in use", names(modules)).into(),
        ],
        blocks: vec![
            Fact::counted(without.is_empty(), format!("cannot be refused by srcversion, since their files have none: {}", list(without))),
            Fact::counted(loaded.is_empty(), format!("loaded here, so not replaced until they are unloaded: {}", names(&loaded))),
            "old and new module files side by side, whose globals differ; modules from elsewhere (KMP, DKMS) with a \
             srcversion of their own"
                .to_owned()
                .into(),
        ],
        not_measured,
    }
}

/// Target sections that relocations of more than one gate write to.
pub(super) fn mixed_targets(facts: &Facts) -> BTreeSet<String> {
    let mut by_target: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for section in facts.livepatch_sections().filter(|s| !s.entries.is_empty()) {
        if let (Some(target), Some(gate)) = (&section.target, &section.gate) {
            by_target.entry(&target.name).or_default().insert(&gate.object);
        }
    }
    by_target.into_iter().filter(|(_, gates)| gates.len() > 1).map(|(target, _)| target.to_owned()).collect()
}
