//! The demands of a policy that are not about findings: states, counts, order, limits.

use super::{
    Check, ObjectState, Observed, PatchState, Policy, Rule, Status, Subject,
    count::Met,
    file::{CountRule, ObjectRule, PatchRule, covers},
    limit::{Limit, shown},
    observed::Longest,
    order::{Order, told},
};
use crate::model::{Hook, Verdict};
use std::fmt::Write as _;

/// Every such demand, in the order of the file.
pub(super) fn all(policy: &Policy, seen: &Observed) -> Vec<Check> {
    let mut checks: Vec<Check> = policy.patch.iter().map(|rule| patch(rule, seen)).collect();
    checks.extend(policy.object.iter().map(|rule| object(rule, seen)));
    checks.extend(policy.count.iter().flat_map(|rule| counts(rule, seen)));
    checks.extend(policy.order.iter().map(|rule| order(rule, seen)));
    if let Some(limit) = &policy.limits.longest_apply {
        let under_way = Vec::new();
        checks.push(longest("apply", limit, &seen.applies, under_way, seen, &[Hook::ApplyRelocateAdd]));
    }
    if let Some(limit) = &policy.limits.longest_transition {
        let end = seen.span().map_or(0, |(_, end)| end);
        let patches = seen.patches.iter();
        let under_way = patches.filter_map(|(name, patch)| {
            patch.transition.map(|began| (end.saturating_sub(began), format!("patch {name}")))
        });
        let hooks = [Hook::KlpInitTransition, Hook::KlpCompleteTransition];
        checks.push(longest("transition", limit, &seen.transitions, under_way.collect(), seen, &hooks));
    }
    checks
}

fn word<T: std::fmt::Debug>(state: T) -> String {
    format!("{state:?}").to_lowercase()
}

fn patch(rule: &PatchRule, seen: &Observed) -> Check {
    let known = seen.patches.get(rule.name.as_str()).filter(|patch| patch.loaded);
    let wanted = word(rule.state);
    let (actual, status) = match (known, rule.state) {
        (None, PatchState::Absent) => ("absent", Status::Pass),
        (None, _) => ("absent", Status::Fail),
        (Some(_), PatchState::Absent) => ("loaded", Status::Fail),
        (Some(_), PatchState::Loaded) => ("loaded", Status::Pass),
        (Some(patch), _) if patch.transition.is_some() => ("in transition", Status::Unknown),
        (Some(patch), PatchState::Enabled | PatchState::Disabled) => match patch.enabled {
            None => ("loaded; whether it is enabled was not seen", Status::Unknown),
            Some(enabled) => {
                let met = enabled == (rule.state == PatchState::Enabled);
                (if enabled { "enabled" } else { "disabled" }, if met { Status::Pass } else { Status::Fail })
            }
        },
    };
    let mut check = Check::new(Rule::Patch, format!("patch {} is {wanted}", rule.name), status)
        .difference(wanted, actual);
    check.place.patch = Some(rule.name.as_str().into());
    if status != Status::Pass {
        check.what = format!("patch {} is {actual}", rule.name);
    }
    check
}

fn object(rule: &ObjectRule, seen: &Observed) -> Check {
    let there =
        if rule.name == "vmlinux" { Some(true) } else { seen.objects.get(rule.name.as_str()).copied() };
    let wanted = word(rule.state);
    let (actual, status) = match there {
        None => ("not known: no loaded livepatch waits for it, so nothing was said of it", Status::Unknown),
        Some(there) => {
            let met = there == (rule.state == ObjectState::Loaded);
            (if there { "loaded" } else { "absent" }, if met { Status::Pass } else { Status::Fail })
        }
    };
    let mut check = Check::new(Rule::Object, format!("object {} is {wanted}", rule.name), status)
        .difference(wanted, actual);
    check.place.object = Some(rule.name.as_str().into());
    if status != Status::Pass {
        check.what = format!("object {} is {actual}", rule.name);
    }
    check
}

fn counts(rule: &CountRule, seen: &Observed) -> Vec<Check> {
    let sections = seen.sections.values().filter(|section| {
        covers(rule.patch.as_ref(), Some(&section.patch))
            && covers(rule.object.as_ref(), Some(&section.object))
    });
    let mut totals = crate::journal::Totals::new();
    for (verdict, number) in sections.flat_map(super::observed::Section::verdicts) {
        *totals.entry(verdict).or_default() += number;
    }
    let mut of = String::new();
    for (word, pattern) in [("patch", &rule.patch), ("object", &rule.object)] {
        if let Some(pattern) = pattern {
            let _ = write!(of, "{word} {pattern}, ");
        }
    }
    let unknown = totals.get(&Verdict::Unknown).copied().unwrap_or(0);
    let one = |count: &super::Count| {
        let number = match count.verdict {
            Some(verdict) => totals.get(&verdict).copied().unwrap_or(0),
            None => totals.values().sum(),
        };
        // What is unknown may be of any verdict.
        let more = if matches!(count.verdict, None | Some(Verdict::Unknown)) { 0 } else { unknown };
        let status = match count.met(number, number.saturating_add(more)) {
            Met::Yes => Status::Pass,
            Met::No => Status::Fail,
            Met::CannotTell => Status::Unknown,
        };
        let what = count.verdict.map_or("total", Verdict::word);
        let mut check = Check::new(Rule::Count, format!("{of}{count}"), status);
        check.difference = Some((count.to_string(), format!("{what} {number}")));
        check.what = format!("there are: {}", super::judge::numbers(&totals));
        check
    };
    rule.that.iter().map(one).collect()
}

fn order(rule: &Order, seen: &Observed) -> Check {
    let story = seen.story(&rule.subject);
    let lacking = match rule.subject {
        Subject::Object(_) => None,
        Subject::Patch(_) => unattached(seen, &[Hook::KlpInitTransition, Hook::KlpCompleteTransition]),
    };
    let status = if !seen.losses.is_empty() || lacking.is_some() {
        Status::Unknown
    } else if rule.matches(story) {
        Status::Pass
    } else {
        Status::Fail
    };
    let mut check = Check::new(Rule::Order, format!("{}: {}", rule.subject, rule.steps()), status);
    check.difference = Some((rule.steps(), told(story)));
    match &rule.subject {
        Subject::Object(name) => check.place.object = Some(name.clone()),
        Subject::Patch(name) => check.place.patch = Some(name.clone()),
    }
    match status {
        Status::Fail => check.what = "it did not happen in this order".into(),
        Status::Unknown => {
            check.what = "the order cannot be told".into();
            check.why =
                lacking.unwrap_or_else(|| "records were lost, steps of the story may be among them".into());
        }
        Status::Pass | Status::Skip => {}
    }
    check
}

/// Says which of these hooks are not attached, if any is not.
fn unattached(seen: &Observed, hooks: &[Hook]) -> Option<String> {
    let missing: Vec<_> =
        hooks.iter().filter(|hook| !seen.attached.contains(hook)).map(|hook| hook.name()).collect();
    (!missing.is_empty()).then(|| format!("not attached: {}", missing.join(", ")))
}

fn longest(
    what: &str,
    limit: &Limit,
    seen_longest: &Longest,
    under_way: Vec<(u64, String)>,
    seen: &Observed,
    hooks: &[Hook],
) -> Check {
    let name = format!("no {what} takes longer than {limit}");
    let finished = seen_longest.nanos.map(|nanos| (nanos, seen_longest.of.clone()));
    let unfinished = !under_way.is_empty();
    let worst = under_way.into_iter().chain(finished).max();
    let lacking = unattached(seen, hooks);
    let (status, said) = match &worst {
        Some((nanos, of)) if *nanos > limit.nanos => (Status::Fail, format!("{} for {of}", shown(*nanos))),
        _ if lacking.is_some() => (Status::Unknown, lacking.unwrap_or_default()),
        _ if !seen.losses.is_empty() => {
            (Status::Unknown, "records were lost, a longer one may be among them".into())
        }
        Some((nanos, of)) if unfinished => {
            (Status::Unknown, format!("{} so far for {of}, not at its end", shown(*nanos)))
        }
        Some((nanos, of)) => {
            (Status::Pass, format!("{} at most, for {of}, of {} timed", shown(*nanos), seen_longest.number))
        }
        None => (Status::Skip, format!("no {what} was seen")),
    };
    let mut check = Check::new(Rule::Limit, name, status).what(said);
    if let Some((nanos, _)) = worst {
        check.difference = Some((format!("at most {limit}"), shown(nanos)));
    }
    check
}
