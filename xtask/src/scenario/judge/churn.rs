//! Whether each verdict of each audit was true at some instant of that audit, by the log of what was done meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::scenario::exchange::{Churn, ChurnAudit};
use crate::scenario::instance::Instance;
use crate::scenario::journal::{Follower, Journal, Said};

/// Of one kind of defect so many are shown.
const SHOWN: usize = 3;
/// Fewer audits show nothing.
const AUDITS: usize = 5;

/// The verdicts of one state, by `patch>object`; a patch that is not loaded is not in it.
type State = BTreeMap<String, String>;

/// Judges it; the files are in `folder`.
pub fn judge(
    instance: &Instance,
    cycle: &[State],
    seen: &Churn,
    folder: &Path,
    wrong: &mut Vec<String>,
) -> anyhow::Result<()> {
    for turn in seen.turns.iter().filter(|turn| turn.rc != 0).take(SHOWN) {
        wrong.push(format!(
            "command {} of the cycle: exit code {}: {}",
            turn.place + 1,
            turn.rc,
            turn.output.trim()
        ));
    }
    // Those that found a livepatch: the others prove nothing.
    let (mut audits, mut settled) = (0, 0);
    let mut met: BTreeSet<String> = BTreeSet::new();
    for audit in &seen.audits {
        let mut follower = Follower::default();
        follower.advance(&folder.join(&audit.journal), u64::MAX)?;
        let mut here = follower.journal.problems.clone();
        if ![0, 1, 5].contains(&audit.rc) || follower.journal.end.is_none() {
            here.push(format!("exit code {}, or no session_end", audit.rc));
        }
        let held_still = one(instance, cycle, seen, audit, &follower.journal, &mut here);
        audits += usize::from(held_still.is_some());
        settled += usize::from(held_still == Some(true));
        let verdicts = follower.journal.relocs.values().map(|said| said.verdict().to_owned());
        met.extend(verdicts.filter(|verdict| !verdict.is_empty()));
        wrong.extend(here.into_iter().take(SHOWN).map(|what| format!("{}: {what}", audit.journal)));
    }
    if audits < AUDITS {
        wrong.push(format!("{audits} audits of a livepatch, expected at least {AUDITS}"));
    }
    if settled * 2 < audits {
        wrong.push(format!("{settled} of {audits} audits settled, expected at least half"));
    }
    // Audits that all fell into one state would show nothing either.
    for verdict in cycle.iter().flat_map(BTreeMap::values).filter(|verdict| !met.contains(*verdict)) {
        wrong.push(format!("no audit met a relocation that was {verdict}"));
    }
    println!(
        "    {settled} of {audits} audits of a livepatch settled, of {}; they met {met:?}",
        seen.audits.len()
    );
    Ok(())
}

/// One audit; whether it settled, `None` when it found no livepatch.
fn one(
    instance: &Instance,
    cycle: &[State],
    seen: &Churn,
    audit: &ChurnAudit,
    journal: &Journal,
    wrong: &mut Vec<String>,
) -> Option<bool> {
    let states = possible(cycle, seen, audit.span);
    let mut settled = true;
    let mut groups: BTreeMap<String, Vec<&Said>> = BTreeMap::new();
    for (key, said) in journal.relocs.iter().filter(|(_, said)| !said.verdicts.is_empty()) {
        groups.entry(format!("{}>{}", key.patch, said.object)).or_default().push(said);
    }
    for (group, relocs) in &groups {
        let (patch, object) = group.split_once('>').unwrap_or((group, ""));
        let all =
            instance.relocs.get(patch).into_iter().flatten().filter(|reloc| reloc.object == object).count();
        if relocs.len() != all {
            wrong.push(format!("{group}: {} relocations, the file has {all}", relocs.len()));
        }
        for said in relocs {
            let verdict = said.verdict();
            if verdict == "unknown" && said.reason.as_deref() == Some("unsettled") {
                settled = false;
            } else if !states.iter().any(|state| state.get(group).is_some_and(|word| word == verdict)) {
                let possible: BTreeSet<_> = states.iter().map(|state| state.get(group)).collect();
                wrong.push(format!("{group} is {verdict} ({:?}), possible was {possible:?}", said.reason));
            }
        }
    }
    for group in cycle.iter().flat_map(BTreeMap::keys).collect::<BTreeSet<_>>() {
        let missing = !groups.contains_key(group) && !states.iter().any(|state| !state.contains_key(group));
        if missing {
            wrong.push(format!("nothing is said of {group}, which was loaded all the while"));
        }
    }
    (!groups.is_empty()).then_some(settled)
}

/// The states that held at some instant of `span`. A command leads from one state to the next at some instant between
/// its beginning and its end. While it brings in a patch, that patch's relocations are `pending`: before its init.
fn possible(cycle: &[State], seen: &Churn, span: (u64, u64)) -> Vec<State> {
    let mut states = Vec::new();
    // A cycle ends as it began.
    let mut before = (0, cycle.last().cloned().unwrap_or_default());
    let overlaps = |from: u64, to: u64| from <= span.1 && span.0 <= to;
    for turn in &seen.turns {
        let after = cycle.get(turn.place).cloned().unwrap_or_default();
        if overlaps(before.0, turn.span.1) {
            states.push(before.1.clone());
        }
        if overlaps(turn.span.0, turn.span.1) {
            let coming = after.keys().filter(|group| !before.1.contains_key(*group));
            let pending: State = coming.map(|group| (group.clone(), "pending".to_owned())).collect();
            if !pending.is_empty() {
                states.push(pending);
            }
        }
        before = (turn.span.0, after);
    }
    if overlaps(before.0, u64::MAX) {
        states.push(before.1);
    }
    states
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::exchange::Turn;

    fn state(verdict: &str) -> State {
        State::from([("lp>t".to_owned(), verdict.to_owned())])
    }

    #[test]
    fn a_state_holds_from_its_commands_beginning_to_the_next_ones_end() {
        let cycle = [state("applied"), state("cleared"), State::new()];
        let turn = |place, span| Turn { place, span, ..Turn::default() };
        let seen =
            Churn { turns: vec![turn(0, (10, 20)), turn(1, (30, 40)), turn(2, (50, 60))], audits: vec![] };
        let at = |from, to| possible(&cycle, &seen, (from, to));
        assert_eq!(at(1, 5), [State::new()]);
        assert_eq!(at(12, 15), [State::new(), state("pending"), state("applied")]);
        assert_eq!(at(22, 25), [state("applied")]);
        assert_eq!(at(32, 33), [state("applied"), state("cleared")]);
        assert_eq!(at(61, 70), [State::new()]);
        assert_eq!(at(22, 45), [state("applied"), state("cleared")]);
    }
}
