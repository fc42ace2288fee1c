//! The whole run: exit code, loss, and that each relocation was reported once for each change.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::scenario::exchange::RunReport;
use crate::scenario::format::Attach;
use crate::scenario::instance::Instance;
use crate::scenario::journal::Journal;

/// Killed by SIGKILL: no session_end is to be had.
pub const KILLED: i32 = 137;

/// Judges it; `steps_right` says that no step went wrong.
pub fn judge(
    instance: &Instance,
    report: &RunReport,
    journal: &Journal,
    steps_right: bool,
    wrong: &mut Vec<String>,
) {
    let left = instance.end.left.as_deref().unwrap_or_default();
    if report.left != left {
        wrong.push(format!("left behind: {}; expected {}", report.left.join(", "), left.join(", ")));
    }
    if !instance.watch || report.error.is_some() {
        return;
    }
    let expected = instance.end.exit.unwrap_or(0);
    if steps_right && report.exit != Some(expected) {
        wrong.push(format!("klp-trace ended with {:?}, expected {expected}", report.exit));
    }
    wrong.extend(journal.problems.iter().take(3).map(|problem| format!("the journal's {problem}")));
    if let Some(relocs) = instance.end.relocs.filter(|relocs| journal.relocs.len() != *relocs) {
        wrong.push(format!("it speaks of {} relocations, expected {relocs}", journal.relocs.len()));
    }
    for verdict in instance.end.passes.iter().flatten() {
        if !journal.relocs.values().any(|said| said.verdicts.contains(verdict)) {
            wrong.push(format!("no relocation was ever {verdict}"));
        }
    }
    mechanism(instance, journal, wrong);
    lost(instance, journal, expected == KILLED, wrong);
    if expected != KILLED {
        changes(instance, journal, steps_right, wrong);
    }
}

fn mechanism(instance: &Instance, journal: &Journal, wrong: &mut Vec<String>) {
    let wanted = match instance.attach {
        Attach::Fentry => "fentry",
        Attach::Kprobe => "kprobe",
    };
    let hooks = journal.session.as_ref().and_then(|session| session.get("session")?.get("hooks"));
    let hooks = hooks.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for name in ["klp_module_coming", "klp_module_going", "apply_relocate_add"] {
        let hook = hooks.iter().find(|hook| hook.get("name").and_then(Value::as_str) == Some(name));
        let mechanism = hook.and_then(|hook| hook.get("mechanism")).and_then(Value::as_str);
        if mechanism != Some(wanted) {
            wrong.push(format!("{name} is attached by {mechanism:?}, expected {wanted}"));
        }
    }
}

fn lost(instance: &Instance, journal: &Journal, killed: bool, wrong: &mut Vec<String>) {
    let total = journal.end.as_ref().and_then(|end| end.get("end")?.get("lost")?.as_u64());
    if total.is_none() && !killed {
        wrong.push("the journal's last line is no session_end with its losses".to_owned());
    }
    let lost = instance.end.lost.unwrap_or(false);
    if lost && journal.lost.is_empty() {
        wrong.push("no events_lost record, expected at least one".to_owned());
    }
    // A read that nothing but a question led to sees what is there now, without a lock: what the hooks should have seen
    // at the moment it happened, they have to see.
    if !lost && journal.demanded > 0 {
        wrong.push(format!("{} verdicts rest on reads that no hook made", journal.demanded));
    }
    if !lost && (!journal.lost.is_empty() || total.is_some_and(|total| total > 0)) {
        wrong.push(format!("events were lost: {total:?}, {:?}", journal.lost.iter().take(3)));
    }
}

/// Each relocation's verdicts: those of the steps, each once, each following on the one before.
fn changes(instance: &Instance, journal: &Journal, steps_right: bool, wrong: &mut Vec<String>) {
    let torn: usize = journal.relocs.values().map(|said| said.torn).sum();
    if torn > 0 {
        wrong.push(format!("{torn} records whose previous verdict is not the one recorded before"));
    }
    let repeated = journal.relocs.values().filter(|said| said.repeated > 0).count();
    if repeated > 0 {
        wrong.push(format!(
            "{repeated} relocations were reported without a change of their verdict or its reason"
        ));
    }
    if !steps_right || instance.end.detours.unwrap_or(false) {
        return;
    }
    for (group, loads) in &instance.sequences {
        for (load, expected) in loads.iter().enumerate() {
            let mut others: BTreeMap<&[String], usize> = BTreeMap::new();
            for (key, said) in &journal.relocs {
                let this = journal.load_number(key) == Some(load) && !said.verdicts.is_empty();
                let seen = after_load(&said.verdicts, expected);
                if this && format!("{}>{}", key.patch, said.object) == *group && seen != expected {
                    *others.entry(seen).or_default() += 1;
                }
            }
            for (sequence, count) in others.into_iter().take(3) {
                wrong.push(format!("{group}: {count} relocations went {sequence:?}, expected {expected:?}"));
            }
        }
    }
}

/// The verdicts from the end of the patch's load on. While its init has not run yet, its relocations are `pending`
/// even when their object is there; whether that moment is seen is a matter of timing.
fn after_load<'a>(verdicts: &'a [String], expected: &[String]) -> &'a [String] {
    match verdicts {
        [first, rest @ ..]
            if first == "pending" && expected.first().is_some_and(|first| first != "pending") =>
        {
            rest
        }
        all => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_before_the_patchs_init_is_not_held_against_it() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (seen, expected) = (words("pending applied stale"), words("applied stale"));
        assert_eq!(after_load(&seen, &expected), expected);
        assert_eq!(after_load(&expected, &expected), expected);
        let pending = words("pending applied");
        assert_eq!(after_load(&pending, &pending), pending);
        assert_ne!(after_load(&words("pending pending applied"), &words("applied")), words("applied"));
    }
}
