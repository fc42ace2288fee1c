//! A session held against a policy.

use super::{
    Allow, Check, Group, Observed, Place, Policy, Rule, Status,
    file::{Deny, covers},
    observed::{FINDINGS, Found, KEPT, Section},
    rules,
};
use crate::{
    journal::{Finding, Totals},
    model::{FindingId, Severity, Verdict},
};
use jiff::civil::Date;
use std::fmt::Write as _;

/// Holds a session against a policy. `today` (UTC) decides which allowances have run out.
pub fn judge(policy: &Policy, seen: &Observed, today: Date) -> Vec<Group> {
    let (findings, used) = findings(policy, seen, today);
    let relocations = relocations(policy, seen, &findings);
    let mut demanded = rules::all(policy, seen);
    demanded.extend(allowances(policy, &used, today));
    let mut groups = vec![
        Group::new("findings", findings),
        Group::new("relocations", relocations),
        Group::new("session", vec![loss(policy, seen)]),
    ];
    if !demanded.is_empty() {
        groups.push(Group::new("policy", demanded));
    }
    groups
}

fn title(id: FindingId) -> String {
    format!("{id} {}", id.name())
}

/// A check for each finding, and one for each kind of which there is none. Which allowances were used comes back too.
fn findings(policy: &Policy, seen: &Observed, today: Date) -> (Vec<Check>, Vec<bool>) {
    let mut used = vec![false; policy.allow.len()];
    let mut checks = Vec::new();
    for id in FindingId::ALL {
        let of_kind: Vec<&Found> = seen.findings.iter().filter(|found| found.finding.id == *id).collect();
        let beyond = seen.beyond.get(id);
        if of_kind.is_empty() && beyond.is_none() {
            checks.push(Check::new(Rule::Finding(*id), title(*id), Status::Pass));
        }
        for found in of_kind {
            checks.push(one_finding(policy, seen, found, today, &mut used));
        }
        checks.extend(beyond.map(|(number, severity)| those_beyond(policy, *id, *number, *severity)));
    }
    (checks, used)
}

/// One check for the findings that were too many to be kept. No allowance covers what is not known one by one, and whether they
/// hold at the end is not known either.
fn those_beyond(policy: &Policy, id: FindingId, number: u64, severity: Severity) -> Check {
    let denied = policy.deny.iter().any(|rule| rule.rule.is_none() && rule.id.is_none_or(|of| of == id));
    let counts = severity >= policy.findings.fail_on.unwrap_or(Severity::Error);
    let status = if denied || counts { Status::Fail } else { Status::Pass };
    let mut check = Check::new(Rule::Finding(id), format!("{}: {number} more", title(id)), status)
        .what(format!("{number} more were made than the {FINDINGS} findings that are listed one by one"));
    check.severity = severity;
    check
}

fn one_finding(policy: &Policy, seen: &Observed, found: &Found, today: Date, used: &mut [bool]) -> Check {
    let Found { finding, over } = found;
    let patch = finding.patch.as_ref().map(|patch| &patch.name);
    let object = finding.object.as_ref().map(|object| &object.name);
    let mut name = title(finding.id);
    if let Some(patch) = patch {
        let _ = write!(name, ": patch {patch}");
    }
    if let Some(object) = object {
        name.push_str(if patch.is_some() { ", object " } else { ": object " });
        name.push_str(object);
    }
    let (names, id) = ((patch.map(|name| &**name), object.map(|name| &**name)), finding.id);
    // A rule of inspect's is about a file.
    let denied = policy.deny.iter().filter(|rule| rule.rule.is_none());
    let denied = denied.into_iter().find(|rule| is_about(rule.id, (&rule.patch, &rule.object), id, names));
    let allowing = policy
        .allow
        .iter()
        .zip(used)
        .filter(|(rule, _)| rule.rule.is_none())
        .filter(|(rule, _)| is_about(Some(rule.id), (&rule.patch, &rule.object), id, names));
    let mut allowed = None;
    let mut expired = None;
    for (rule, used) in allowing {
        *used = true;
        match rule.expires.filter(|last| today > last.0) {
            Some(_) => expired = Some(rule),
            None => allowed = allowed.or(Some(rule.reason.clone())),
        }
    }
    let fail_on = policy.findings.fail_on.unwrap_or(Severity::Error);
    // KLP013 repeats what the demand on losses decides.
    let counts = finding.severity >= fail_on
        && !(id == FindingId::Klp013 && loss_allowed(policy, seen))
        && (over.is_none() || !policy.findings.fail_on_open);
    let status = match (denied, &allowed) {
        (Some(_), _) => Status::Fail,
        (None, None) if counts => Status::Fail,
        (None, _) => Status::Pass,
    };
    let mut check = Check::new(Rule::Finding(id), name, status)
        .what(&finding.message)
        .why(&finding.why)
        .action(&finding.action);
    check.severity = finding.severity;
    check.allowed = allowed.filter(|_| denied.is_none());
    check.place = place(seen, finding);
    check.relocations = u64::from(finding.relocations);
    (check.states, check.listed) = states(seen, finding);
    check.over = *over;
    check.finding = Some(Box::new(finding.clone()));
    remark(&mut check, denied, expired);
    check
}

/// Says which rule of the policy decided.
fn remark(check: &mut Check, denied: Option<&Deny>, expired: Option<&Allow>) {
    if let Some(rule) = denied {
        let reason = rule.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let _ = write!(check.what, " (denied by the policy{reason})");
    } else if let (Status::Fail, Some(Allow { expires: Some(last), reason, .. })) = (check.status, expired) {
        let _ = write!(check.what, " (the policy allowed it until {last}: {reason})");
    }
}

fn is_about(
    id: Option<FindingId>,
    (patch, object): (&Option<String>, &Option<String>),
    of: FindingId,
    (patch_name, object_name): (Option<&str>, Option<&str>),
) -> bool {
    id.is_none_or(|id| id == of) && covers(patch.as_ref(), patch_name) && covers(object.as_ref(), object_name)
}

fn place(seen: &Observed, finding: &Finding) -> Place {
    let patch = finding.patch.as_ref().map(|patch| &patch.name);
    Place {
        patch: patch.cloned(),
        object: finding.object.as_ref().map(|object| object.name.clone()),
        section: finding.section.as_ref().map(|section| section.name.clone()),
        file: patch.and_then(|name| seen.patches.get(name)).and_then(|patch| patch.file.clone()),
    }
}

/// The relocations that a finding covers, as they are now: those of its sections that have its kind of verdict; where it covers
/// one, that one. And how many there are, of which these are the first.
fn states(seen: &Observed, finding: &Finding) -> (Vec<crate::journal::RelocState>, u64) {
    let (Some(patch), Some(only)) = (&finding.patch, &finding.section) else { return (Vec::new(), 0) };
    let covered =
        |index: u32| index == only.index || finding.sections.iter().any(|section| section.index == index);
    let of = |state: &&crate::journal::RelocState| match (&finding.first, state.verdict) {
        (Some(first), _) if finding.relocations == 1 => first.index == state.reloc.index,
        (_, Some(verdict)) => is_of(finding.id, verdict),
        (_, None) => false,
    };
    let number = usize::try_from(finding.relocations).unwrap_or(usize::MAX);
    let mut whole = true;
    let states: Vec<_> = seen
        .sections
        .iter()
        .filter(|((address, index), section)| {
            *address == patch.address.0
                && covered(*index)
                && finding.object.as_ref().is_none_or(|object| object.name == section.object)
        })
        .inspect(|(_, section)| whole &= section.has_kept_all())
        .flat_map(|(_, section)| section.notable.values())
        .filter(of)
        .take(number.min(KEPT))
        .cloned()
        .collect();
    let kept = u64::try_from(states.len()).unwrap_or(u64::MAX);
    // Of those that are not kept, nobody knows which are of the finding's kind still; the finding says how many were.
    let all = if whole && states.len() < number.min(KEPT) { kept } else { u64::from(finding.relocations) };
    (states, all)
}

/// Whether a finding is about relocations of a verdict.
fn is_of(id: FindingId, verdict: Verdict) -> bool {
    match id {
        FindingId::Klp001 | FindingId::Klp003 | FindingId::Klp004 => verdict == Verdict::Stale,
        FindingId::Klp002 => matches!(verdict, Verdict::Stale | Verdict::Mismatch),
        FindingId::Klp005 => verdict == Verdict::Missing,
        FindingId::Klp006 => verdict == Verdict::Mismatch,
        FindingId::Klp007 => verdict == Verdict::Orphaned,
        _ => verdict.is_bad(),
    }
}

/// A check for each section of the patches that are loaded at the end.
fn relocations(policy: &Policy, seen: &Observed, findings: &[Check]) -> Vec<Check> {
    if seen.sections.is_empty() {
        let check = Check::new(Rule::Verdicts, "every relocation is judged", Status::Skip);
        return vec![check.what("no livepatch with relocations is loaded")];
    }
    let unknown: u64 = seen.totals().get(&Verdict::Unknown).copied().unwrap_or(0);
    let tolerable = unknown <= policy.limits.unknown;
    seen.sections.values().map(|section| one_section(seen, section, findings, tolerable)).collect()
}

fn one_section(seen: &Observed, section: &Section, findings: &[Check], tolerable: bool) -> Check {
    let Section { patch, object, name, .. } = section;
    let verdicts = section.verdicts();
    let bad: u64 = verdicts.iter().filter(|(verdict, _)| verdict.is_bad()).map(|(_, number)| number).sum();
    let unknown = verdicts.get(&Verdict::Unknown).copied().unwrap_or(0);
    // A bad verdict is what a finding says of it, once the policy has had its word; one without a finding is not let pass.
    let covering = findings.iter().filter(|check| {
        check.place.patch.as_ref() == Some(patch) && check.place.object.as_ref() == Some(object)
    });
    let (mut covered, mut failed) = (false, false);
    for check in covering {
        covered = true;
        failed |= check.status == Status::Fail;
    }
    let status = if bad > 0 && (failed || !covered) {
        Status::Fail
    } else if unknown > 0 && !tolerable {
        Status::Unknown
    } else {
        Status::Pass
    };
    let mut check = Check::new(Rule::Verdicts, format!("patch {patch}, object {object}, {name}"), status);
    check.what = numbers(&verdicts);
    check.relocations = section.total;
    check.place = Place {
        patch: Some(patch.clone()),
        object: Some(object.clone()),
        section: Some(name.clone()),
        file: seen.patches.get(patch).and_then(|patch| patch.file.clone()),
    };
    if status > Status::Skip {
        check.states = section.notable.values().cloned().collect();
        check.listed = bad + unknown;
        if status == Status::Unknown {
            check.why = reasons(section);
            check.action = "docs/verdicts.md says for each reason what helps".into();
        }
    }
    check
}

/// `stale 12, applied 4`, worst first.
pub(super) fn numbers(verdicts: &Totals) -> String {
    let words: Vec<_> =
        verdicts.iter().rev().map(|(verdict, number)| format!("{verdict} {number}")).collect();
    if words.is_empty() { "none that is judged".to_owned() } else { words.join(", ") }
}

/// Why relocations of a section are `unknown`.
fn reasons(section: &Section) -> String {
    let mut reasons: Vec<_> =
        section.notable.values().filter_map(|state| state.reason).map(crate::model::Reason::word).collect();
    reasons.sort_unstable();
    reasons.dedup();
    if reasons.is_empty() { "never-read".to_owned() } else { reasons.join(", ") }
}

fn loss_allowed(policy: &Policy, seen: &Observed) -> bool {
    seen.lost <= policy.limits.loss && seen.losses.iter().all(|lost| lost.count > 0)
}

fn loss(policy: &Policy, seen: &Observed) -> Check {
    let name = match policy.limits.loss {
        0 => "no record was lost".to_owned(),
        allowed => format!("at most {allowed} records were lost"),
    };
    let status = if loss_allowed(policy, seen) { Status::Pass } else { Status::Unknown };
    let mut check = Check::new(Rule::Loss, name, status);
    if !seen.losses.is_empty() {
        let number = if seen.lost > 0 { seen.lost.to_string() } else { "an unknown number of".to_owned() };
        let mut hooks: Vec<_> = seen.losses.iter().map(|lost| lost.hook.name()).collect();
        hooks.sort_unstable();
        hooks.dedup();
        check.what = format!("{number} records were lost, of {}", hooks.join(", "));
        check.why = "what they would have said cannot be judged".into();
        check.action = "run it again, with a larger --ring-size if the ring was full".into();
    }
    check
}

/// Allowances that have run out, or that nothing needed: so that a policy does not gather dust.
fn allowances(policy: &Policy, used: &[bool], today: Date) -> Vec<Check> {
    let mut checks = Vec::new();
    for (rule, used) in policy.allow.iter().zip(used).filter(|(rule, _)| rule.rule.is_none()) {
        let mut name = format!("allowance of {}", rule.id);
        for (word, pattern) in [("patch", &rule.patch), ("object", &rule.object)] {
            if let Some(pattern) = pattern {
                let _ = write!(name, ", {word} {pattern}");
            }
        }
        let expired = rule.expires.filter(|last| today > last.0);
        let check = match (expired, used) {
            (Some(last), _) => {
                Check::new(Rule::Allowance, name, Status::Skip).what(format!("it ended with {last}"))
            }
            (None, false) => Check::new(Rule::Allowance, name, Status::Skip).what("nothing needed it"),
            (None, true) => Check::new(Rule::Allowance, name, Status::Pass).what(rule.reason.clone()),
        };
        checks.push(check);
    }
    checks
}
