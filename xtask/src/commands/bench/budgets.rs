//! `cargo xtask bench budgets`: instructions, which are the same on every machine, held against `tests/budgets.toml`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use super::{measure, script};
use crate::scenario::exchange::{Bench, Measured};
use crate::testbed::{self, Series, run_output};

/// More than this above a budget is too much, in hundredths. Figures repeat within one.
const ROOM: f64 = 3.0;

/// The same on another kernel or with another toolchain, where commands are held against the script.
const ELSEWHERE: f64 = 15.0;

/// What finds the same out, and is counted beside.
const SCRIPT: &str = "script";

/// The command that replaces them.
const RENEW: &str = "cargo xtask bench budgets --write";

/// `tests/budgets.toml`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// What was counted on one kernel, with a klp-trace that one toolchain built.
    budget: Vec<Budget>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    kernel: String,
    rustc: String,
    /// Millions of instructions, by command.
    millions: BTreeMap<String, f64>,
}

/// Counts, and compares or replaces.
pub(super) fn run(series: Series, write: bool) -> anyhow::Result<()> {
    let (python, more) = script()?;
    let measured = measure(series, Bench::Count { python }, more, 1536, true)?;
    let counted = Budget {
        kernel: testbed::kernel(series, false)?.release,
        rustc: run_output(Command::new("rustc").arg("--version"), "ask for rustc's version")?
            .trim()
            .to_owned(),
        millions: least(&measured),
    };
    let mut table: Table = match std::fs::read_to_string(path()) {
        Ok(text) => toml::from_str(&text).context("tests/budgets.toml cannot be read")?,
        Err(_) if write => Table::default(),
        Err(error) => return Err(error).context("tests/budgets.toml"),
    };
    show(&counted);
    let same = |budget: &Budget| (&budget.kernel, &budget.rustc) == (&counted.kernel, &counted.rustc);
    if write {
        table.budget.retain(|budget| !same(budget));
        table.budget.push(counted);
        return std::fs::write(path(), text(&table)).context("cannot write tests/budgets.toml");
    }
    let wrong = match (table.budget.iter().find(|budget| same(budget)), table.budget.last()) {
        (Some(budget), _) => compare(budget, &counted, ROOM),
        // Another kernel's instructions are not these; but the script's are not either.
        (None, Some(latest)) => {
            println!(
                "no budget for {} with {}; the latest one, by the script's: {RENEW}",
                counted.kernel, counted.rustc
            );
            compare(&latest.by_script()?, &counted.by_script()?, ELSEWHERE)
        }
        (None, None) => vec!["tests/budgets.toml has no budget".to_owned()],
    };
    ensure!(wrong.is_empty(), "{}\nIf that is what it has to cost: {RENEW}", wrong.join("\n"));
    Ok(())
}

impl Budget {
    /// As thousandths of what the script takes.
    fn by_script(&self) -> anyhow::Result<Self> {
        let script = *self.millions.get(SCRIPT).context("the script was not counted")?;
        let share = |(what, takes): (&String, &f64)| (what.clone(), takes / script * 1000.0);
        Ok(Self { millions: self.millions.iter().map(share).collect(), ..self.clone() })
    }
}

fn path() -> PathBuf {
    testbed::workspace().join("tests/budgets.toml")
}

fn least(measured: &Measured) -> BTreeMap<String, f64> {
    let least = |all: &Vec<f64>| all.iter().copied().fold(f64::INFINITY, f64::min);
    // A tenth of a million is far below what figures differ by.
    measured.iter().map(|(what, all)| (what.clone(), (least(all) * 10.0).round() / 10.0)).collect()
}

/// What takes more than it may, or is not in both.
fn compare(budget: &Budget, counted: &Budget, room: f64) -> Vec<String> {
    let mut wrong = Vec::new();
    for (what, may) in &budget.millions {
        match counted.millions.get(what) {
            None => wrong.push(format!("{what}: not counted any more")),
            Some(takes) if *takes > may * (1.0 + room / 100.0) => wrong.push(format!(
                "{what}: {takes:.1} M instructions, {:+.1} % above its budget of {may:.1} M",
                (takes / may - 1.0) * 100.0
            )),
            Some(_) => {}
        }
    }
    let new = counted.millions.keys().filter(|what| !budget.millions.contains_key(*what));
    wrong.extend(new.map(|what| format!("{what}: has no budget")));
    wrong
}

fn show(counted: &Budget) {
    println!("\nmillions of instructions on {}", counted.kernel);
    let script = counted.millions.get(SCRIPT);
    for (what, takes) in &counted.millions {
        let ratio =
            script.map(|script| format!("{:8.2} of the script's", takes / script)).unwrap_or_default();
        println!("{takes:10.1}  {what:22}{ratio}");
    }
}

fn text(table: &Table) -> String {
    let mut text = format!(
        "# Millions of instructions that commands take in a VM whose clock counts them; the audits are of 20,000 relocations.\n\
         # More than {ROOM:.0} % above is red. Written by: {RENEW}\n"
    );
    for budget in &table.budget {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n[[budget]]\nkernel = \"{}\"\nrustc = \"{}\"\n\n[budget.millions]\n",
            budget.kernel, budget.rustc
        );
        for (what, takes) in &budget.millions {
            let _ = writeln!(text, "\"{what}\" = {takes:.1}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(millions: &[(&str, f64)]) -> Budget {
        let millions = millions.iter().map(|(what, takes)| ((*what).to_owned(), *takes)).collect();
        Budget { kernel: "6.12".to_owned(), rustc: "rustc 1".to_owned(), millions }
    }

    #[test]
    fn three_in_a_hundred_more_are_too_many() {
        let may = budget(&[("a", 100.0)]);
        assert!(compare(&may, &budget(&[("a", 103.0)]), ROOM).is_empty());
        assert!(compare(&may, &budget(&[("a", 50.0)]), ROOM).is_empty());
        assert_eq!(compare(&may, &budget(&[("a", 103.1)]), ROOM).len(), 1);
        assert_eq!(compare(&may, &budget(&[]), ROOM).len(), 1);
        assert_eq!(compare(&may, &budget(&[("a", 1.0), ("b", 1.0)]), ROOM).len(), 1);
    }

    #[test]
    fn on_another_kernel_the_script_is_the_measure() {
        let share = |a, script| budget(&[("a", a), (SCRIPT, script)]).by_script().unwrap();
        assert!(compare(&share(100.0, 1000.0), &share(200.0, 2000.0), ELSEWHERE).is_empty());
        assert_eq!(compare(&share(100.0, 1000.0), &share(120.0, 1000.0), ELSEWHERE).len(), 1);
        assert!(budget(&[("a", 1.0)]).by_script().is_err());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let table = Table { budget: vec![budget(&[("audit kcore csv", 130.5), ("script", 7.0)])] };
        let read: Table = toml::from_str(&text(&table)).unwrap();
        assert_eq!(read.budget, table.budget);
    }
}
