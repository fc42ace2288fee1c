//! What the tool foretold against what the kernel did.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use serde::Deserialize;

use super::{Case, Order, Seen, Table};

/// How often each answer was given.
pub type Counts = BTreeMap<&'static str, usize>;

/// The tool's answers, as far as they are held against anything.
#[derive(Debug, Deserialize)]
struct Report {
    answer: String,
    checks: Vec<Check>,
}

#[derive(Debug, Deserialize)]
struct Check {
    about: String,
    #[serde(default)]
    object: String,
    answer: String,
    what: String,
}

/// What is wrong, and how often each answer was given.
pub fn judge(cases: &[Case], seen: &[Seen], table: &Table, series: &str) -> (Vec<String>, Counts) {
    let mut wrong = Vec::new();
    let mut counts = Counts::from([("yes", 0), ("warning", 0), ("unknown", 0), ("no", 0)]);
    let mut met = BTreeSet::new();
    for case in cases {
        for with in [true, false] {
            let rounds: Vec<&Seen> = seen.iter().filter(|s| s.case == case.name && s.with == with).collect();
            let expected = if with || !case.first.is_empty() { 2 } else { 0 };
            let place = format!("{}{}", case.name, if with { "" } else { ", what it needs absent" });
            if rounds.len() != expected {
                wrong.push(format!("{place}: {} of {expected} rounds were run", rounds.len()));
                continue;
            }
            match round(case, &rounds, table, series, &mut met) {
                Ok(answers) => {
                    for (answer, complaints) in answers {
                        wrong.extend(complaints.into_iter().map(|what| format!("{place}: {what}")));
                        if let Some(count) = counts.get_mut(answer.as_str()) {
                            *count += 1;
                        }
                    }
                }
                Err(error) => wrong.push(format!("{place}: {error:#}")),
            }
        }
    }
    let here = |series: &str, all: &[String]| all.iter().any(|one| one == series);
    for (number, row) in table.unknown.iter().enumerate().filter(|(_, row)| here(series, &row.series)) {
        if !met.contains(&number) {
            wrong.push(format!(
                "{} on {series}: the table has “{}” as unknown, which is unknown no more: take the row out",
                row.case, row.reason
            ));
        }
    }
    (wrong, counts)
}

/// The answers in both orders, each with what is wrong about it.
fn round(
    case: &Case,
    rounds: &[&Seen],
    table: &Table,
    series: &str,
    met: &mut BTreeSet<usize>,
) -> anyhow::Result<Vec<(String, Vec<String>)>> {
    // In each order, why the kernel does not do what the patch is for.
    let mut faults: BTreeMap<Order, Option<String>> = BTreeMap::new();
    for seen in rounds {
        faults.insert(seen.order.context("no order")?, fault(case, seen, table));
    }
    let any = faults.values().flatten().next();
    let mut answers = Vec::new();
    for seen in rounds {
        let report: Report = serde_json::from_str(&seen.report)
            .with_context(|| format!("not a report (exit code {}): {}", seen.rc, seen.report))?;
        let order = seen.order.map_or("", Order::words);
        let mut wrong = Vec::new();
        match (report.answer.as_str(), any) {
            ("yes" | "warning", Some(why)) => {
                wrong.push(format!("{order}: the answer is {}, and yet {why}", report.answer));
            }
            ("no", None) => wrong
                .push(format!("{order}: the answer is no, and yet the kernel takes it: {}", noes(&report))),
            ("unknown", _) => {
                for check in report.checks.iter().filter(|check| check.answer == "unknown") {
                    let fits = |row: &super::table::Unknown| {
                        row.case == case.name
                            && row.series.iter().any(|one| one == series)
                            && check.what.contains(&row.reason)
                    };
                    match table.unknown.iter().position(fits) {
                        Some(row) => {
                            met.insert(row);
                        }
                        None => wrong.push(format!(
                            "{order}: unknown, which is not in tests/agreement.toml: {} {}: {}",
                            check.object, check.about, check.what
                        )),
                    }
                }
            }
            ("yes" | "warning" | "no", _) => {}
            (other, _) => bail!("an answer {other:?}"),
        }
        // A question about one order is held against that order.
        for check in report.checks.iter().filter(|check| check.answer == "no") {
            for (of, fault) in &faults {
                if check.about.ends_with(of.words()) && fault.is_none() {
                    wrong.push(format!(
                        "asked with the {order}: “{}” is no ({}), and yet the kernel takes it so",
                        check.about, check.what
                    ));
                }
            }
        }
        answers.push((report.answer, wrong));
    }
    Ok(answers)
}

fn noes(report: &Report) -> String {
    let noes = report.checks.iter().filter(|check| check.answer == "no");
    noes.map(|check| format!("{} {}: {}", check.object, check.about, check.what))
        .collect::<Vec<_>>()
        .join("; ")
}

/// Why the patch is not in use as it should be; none where it is.
fn fault(case: &Case, seen: &Seen, table: &Table) -> Option<String> {
    if !seen.inserted {
        return table.spared.get(&case.name).map(|spared| format!("it is not inserted: {}", spared.why));
    }
    if let Some((file, words)) = seen.refused.first() {
        return Some(format!("insmod {file} fails: {}", words.trim()));
    }
    if let Some((object, _)) = seen.patched.iter().find(|(_, patched)| !**patched) {
        return Some(format!("{object} is not patched"));
    }
    // A section that waits for an object that the patch does not list is never written.
    if let Some(gate) = case.gates.iter().find(|gate| !seen.patched.contains_key(*gate)) {
        return Some(format!("livepatch knows no object {gate}, for which relocations wait"));
    }
    if seen.patched.is_empty() {
        return Some("livepatch lists no object of it".to_owned());
    }
    let (proof, text) = (table.proof.get(&case.name)?, seen.proof.as_deref().unwrap_or_default());
    let wrong = !text.contains(&proof.has) || proof.has_not.as_ref().is_some_and(|not| text.contains(not));
    wrong.then(|| format!("{} holds {text:?}", proof.read))
}

#[cfg(test)]
mod tests;
