//! The criteria of Petr Mladek's list, each with what was measured and what cannot be measured here.

use serde::Serialize;

use super::gates::Gate;
use super::{Around, count, list};
use crate::lint::Facts;

/// One heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Criterion {
    /// As in the list.
    pub name: &'static str,
    /// What this patch, the files and this host tell.
    pub measured: Vec<Fact>,
    /// What they do not.
    pub not_measured: Vec<NotMeasured>,
}

/// Something that was measured, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Fact {
    /// The sentence.
    pub text: String,
    /// Whether it says that there is none.
    #[serde(skip)]
    pub none: bool,
}

impl Fact {
    /// A sentence that says, if `none`, that there is none.
    pub(super) fn counted(none: bool, text: String) -> Self {
        Self { text, none }
    }
}

impl From<String> for Fact {
    fn from(text: String) -> Self {
        Self { text, none: false }
    }
}

/// Something that cannot be measured here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotMeasured {
    /// What.
    pub what: String,
    /// Why, and what would tell.
    pub why: String,
}

fn not(what: &str, why: &str) -> NotMeasured {
    NotMeasured { what: what.to_owned(), why: why.to_owned() }
}

pub(super) fn of(facts: &Facts, around: &Around, gates: &[Gate]) -> Vec<Criterion> {
    let modules: Vec<&Gate> = gates.iter().filter(|g| g.is_module()).collect();
    vec![
        implementation(facts, gates, &modules),
        maintenance(facts, around, gates),
        risks(facts, &modules),
        hardening(facts, around, &modules),
        user_visible(around, &modules),
        creating(facts, gates),
    ]
}

fn implementation(facts: &Facts, gates: &[Gate], modules: &[&Gate]) -> Criterion {
    let late: usize = modules.iter().map(|g| g.relocations).sum();
    let early: usize = gates.iter().filter(|g| !g.is_module()).map(|g| g.relocations).sum();
    let mut types: Vec<&str> = facts
        .livepatch_sections()
        .filter(|s| s.module().is_some())
        .flat_map(|s| {
            s.entries.iter().map(|e| facts.machine.reloc(e.rtype).map_or("unknown types", |t| t.name))
        })
        .collect();
    types.sort_unstable();
    types.dedup();
    Criterion {
        name: "implementation cost",
        measured: vec![
            Fact::counted(
                late + early == 0,
                format!(
                    "{late} of {} need late patching (gated on {}); {early} are written when the patch is loaded, as any \
                 module's are",
                    count(late + early, "livepatch relocation"),
                    count(modules.len(), "module"),
                ),
            ),
            Fact::counted(
                types.is_empty(),
                format!("relocation types that must be written late, and cleared: {}", list(types)),
            ),
        ],
        not_measured: vec![not(
            "the code in the kernel",
            "it is the same for every patch: klp_module_coming(), klp_module_going(), clear_relocate_add() and their \
             callers",
        )],
    }
}

fn maintenance(facts: &Facts, around: &Around, gates: &[Gate]) -> Criterion {
    let special: Vec<&str> =
        gates.iter().flat_map(|g| g.special_sections.iter().map(String::as_str)).collect();
    let clears = match facts.machine.clears_from() {
        Some(version) => format!(
            "{} kernels clear late relocations from {version} on; before, a module cannot come back while the patch is loaded",
            facts.machine.name(false).replace('_', "-")
        ),
        None => "this architecture's kernels (up to 7.3) do not clear late relocations: what was written stays when a module goes"
            .to_owned(),
    };
    let (host, built) = &around.releases;
    Criterion {
        name: "maintenance cost",
        measured: vec![
            // Of what is written late: of no interest where nothing is.
            Fact::counted(gates.iter().all(|gate| gate.relocations == 0), clears),
            Fact::counted(
                special.is_empty(),
                format!("special sections written by livepatch relocations: {}", list(special)),
            ),
            Fact::counted(
                facts.leftovers.is_empty(),
                format!(
                    "leftovers of .klp.arch.* (architecture-specific late handling, gone in 5.8): {}",
                    list(facts.leftovers.iter().map(|(_, name)| name.as_str()))
                ),
            ),
        ],
        not_measured: vec![not(
            "bugs in the running kernel's late patching",
            &format!(
                "built for {built}, this host runs {host}: klp-trace audit and watch see them where the patch is loaded"
            ),
        )],
    }
}

fn risks(facts: &Facts, modules: &[&Gate]) -> Criterion {
    let third: usize = modules.iter().map(|g| g.symbols.third_module).sum();
    let in_code: usize = modules.iter().map(|g| g.in_code).sum();
    let in_data: usize = modules.iter().map(|g| g.in_data).sum();
    let lint = crate::lint::check(facts);
    Criterion {
        name: "risks",
        measured: vec![
            Fact::counted(
                in_code + in_data == 0,
                format!(
                    "late writes into code: {in_code}; into writable data, which the patch may change before a clear: {in_data}"
                ),
            ),
            Fact::counted(
                third == 0,
                format!(
                    "symbols looked up in a third module, which must be there when the gate comes: {third}"
                ),
            ),
            Fact::counted(
                lint.findings.is_empty(),
                format!("findings of klp-trace inspect in the file itself: {}", lint.findings.len()),
            ),
        ],
        not_measured: vec![not(
            "how often a module comes and goes, and how often it was refused",
            "it takes a record of the host: klp-trace watch --format ndjson",
        )],
    }
}

fn hardening(facts: &Facts, around: &Around, modules: &[&Gate]) -> Criterion {
    let total: usize = modules.iter().map(|g| g.symbols.total).sum();
    let exported: usize = modules.iter().map(|g| g.symbols.own_exported).sum();
    let unknown: usize = modules.iter().map(|g| g.symbols.unknown).sum();
    let statics: usize = modules.iter().map(|g| g.symbols.own_static).sum();
    let global: usize = modules.iter().map(|g| g.symbols.own_global).sum();
    let no_position = facts.symbols.iter().filter(|s| s.parts().is_some_and(|p| p.sympos == 0)).count();
    let mut not_measured: Vec<NotMeasured> = around
        .files
        .iter()
        .filter_map(|(object, file)| Some((object, file.as_ref().err()?)))
        .map(|(object, why)| not(&format!("whether symbols of {object} are static or exported"), why))
        .collect();
    // Where no symbol is asked for, there is nothing to be known of any.
    if facts.symbols.iter().all(|symbol| symbol.parts().is_none()) {
        not_measured.clear();
    } else if let Err(why) = &around.exported {
        not_measured.push(not("whether symbols of vmlinux are exported", why));
    }
    Criterion {
        name: "possible improvements and hardening",
        measured: vec![
            Fact::counted(
                total == 0,
                format!(
                    "of {} asked for late: {statics} static (only a livepatch relocation reaches them), {global} global but \
                 not exported, {exported} exported (an ordinary relocation and a dependency would do), {unknown} not known",
                    count(total, "symbol"),
                ),
            ),
            Fact::counted(
                no_position == 0,
                format!(
                    "symbols asked for without a position (the kernel refuses them as soon as a twin appears): {no_position}"
                ),
            ),
        ],
        not_measured,
    }
}

fn user_visible(around: &Around, modules: &[&Gate]) -> Criterion {
    let mut measured = vec![Fact::counted(
        modules.is_empty(),
        format!(
            "modules that cannot be loaded if their late patching fails: {}",
            list(modules.iter().map(|g| g.object.as_str()))
        ),
    )];
    let mut not_measured = vec![not(
        "how long loading a module takes longer, under klp_mutex",
        "it takes a running kernel with the patch",
    )];
    match &around.loaded {
        Ok(_) => {
            for (loaded, what) in [
                (true, "loaded on this host now, patched at once"),
                (false, "not loaded on this host now, patched late or never"),
            ] {
                let of = || modules.iter().filter(|g| g.loaded == Some(loaded)).map(|g| g.object.as_str());
                measured.push(Fact::counted(of().next().is_none(), format!("{what}: {}", list(of()))));
            }
        }
        Err(why) => not_measured.push(not("which of them are loaded on this host", why)),
    }
    Criterion { name: "user-visible effects", measured, not_measured }
}

fn creating(facts: &Facts, gates: &[Gate]) -> Criterion {
    let mixed = super::alternatives::mixed_targets(facts);
    Criterion {
        name: "complication and limits with creating livepatches",
        measured: vec![
            format!("objects in one patch: {}", list(gates.iter().map(|g| g.object.as_str()))).into(),
            Fact::counted(
                mixed.is_empty(),
                format!(
                    "sections that hold relocations of several gates, so that their code belongs to no single object: {}",
                    list(mixed.iter().map(String::as_str))
                ),
            ),
        ],
        not_measured: vec![not(
            "what had to be left out of the patch for late patching's sake (static keys, alternatives of modules)",
            "the source before and after the build would tell; the file does not",
        )],
    }
}
