//! `cargo xtask matrix`: docs/failure-matrix.md, of what the last complete run of the scenarios saw.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

use super::recordings::{entries, name};
use crate::scenario::exchange::StepReport;
use crate::scenario::format::{self, Attach, Scenario};
use crate::scenario::journal::{Follower, Journal};
use crate::scenario::judge;
use crate::testbed::{self, Series};

/// The kernel's messages that tell how something went wrong; the others tell that something was done.
const TELLING: [&str; 9] = [
    "refusing to load module",
    "existing value is nonzero",
    "does not match expected",
    "not found in symbol table",
    "unresolvable symbol",
    "callback failed",
    "overflow in relocation",
    "forcing remaining tasks",
    "failed to initialize patch",
];

const HEAD: &str = "# The failure matrix

What each scenario of [tests/scenarios](../tests/scenarios/README.md) showed on real kernels: what the kernel did and said,
and what klp-trace said of it. A verdict stands for the relocations of one object, `->` for its change; addresses are left
out. The findings have [a page each](findings/README.md).

This page is written by `cargo xtask matrix` from what the last `cargo xtask test` left; probes were attached by fentry.

";

/// Writes the page.
pub fn run() -> anyhow::Result<()> {
    let all = format::load_all(&testbed::workspace().join("tests/scenarios"))?;
    let mut text = HEAD.to_owned();
    let series = Series::all();
    let columns: Vec<String> = series.iter().map(|series| format!("Linux {series}")).collect();
    let _ = writeln!(text, "| scenario | {} |\n|---|{}", columns.join(" | "), "---|".repeat(columns.len()));
    let mut rows = 0;
    for scenario in all.iter().filter(|scenario| scenario.watch && scenario.attach.contains(&Attach::Fentry))
    {
        let cells: Vec<String> =
            series.iter().map(|series| cell(scenario, *series)).collect::<Result<_, _>>()?;
        ensure!(
            cells.iter().any(|cell| cell != "-"),
            "{} was not run: run cargo xtask test first",
            scenario.name
        );
        let _ = writeln!(text, "| **{}**: {} | {} |", scenario.name, scenario.about, cells.join(" | "));
        rows += 1;
    }
    let path = testbed::workspace().join("docs/failure-matrix.md");
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{rows} scenarios in {}", path.display());
    Ok(())
}

/// A scenario on one series; a dash where it is not for that series.
fn cell(scenario: &Scenario, series: Series) -> anyhow::Result<String> {
    if !scenario.series.contains(&series) {
        return Ok("-".to_owned());
    }
    let group = testbed::cache_dir().join("scenarios").join(series.to_string()).join(&scenario.group);
    let folder = group.join("out").join(&scenario.name);
    ensure!(folder.is_dir(), "{} was not run on {series}: run cargo xtask test first", scenario.name);
    let mut lines = kernel(&folder)?;
    let mut follower = Follower::default();
    follower.advance(&folder.join("journal.ndjson"), u64::MAX)?;
    lines.extend(verdicts(&follower.journal));
    lines.extend(findings(&follower.journal));
    Ok(if lines.is_empty() { "nothing to say".to_owned() } else { lines.join("<br>") })
}

/// What the kernel refused, and how it said so; each once.
fn kernel(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut lines = Vec::new();
    let steps = entries(folder)?.into_iter().filter(|path| {
        name(path).starts_with("step-") && path.extension().is_some_and(|extension| extension == "json")
    });
    let number = |path: &Path| name(path)["step-".len()..].trim_end_matches(".json").parse::<usize>().ok();
    let mut steps: Vec<_> = steps.filter_map(|path| Some((number(&path)?, path))).collect();
    steps.sort();
    for (_, path) in steps {
        let step: StepReport = judge::read(&path)?;
        let mut said: Vec<String> = step
            .dmesg
            .iter()
            .filter(|line| TELLING.iter().any(|part| line.contains(part)))
            .map(|line| plain(line))
            .collect();
        if step.rc != 0 && step.run.starts_with("insmod ") {
            said.insert(0, format!("`{}` refused", step.run));
        }
        for line in said {
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    Ok(lines)
}

/// A message without the addresses of that boot, fit for a table.
fn plain(message: &str) -> String {
    let words = message.split(' ').map(|word| {
        let digits = word.trim_end_matches([',', ')']);
        let address = digits.len() >= 8 && digits.chars().all(|c| c.is_ascii_hexdigit());
        if address { word.replace(digits, "…") } else { word.to_owned() }
    });
    format!("“{}”", words.collect::<Vec<_>>().join(" ").replace('|', "\\|"))
}

/// Of each object of each patch, the verdicts that its relocations went through; where they differ, with how many.
fn verdicts(journal: &Journal) -> Vec<String> {
    let mut groups: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for (key, said) in &journal.relocs {
        let mut path = said.verdicts.clone();
        path.dedup();
        if !path.is_empty() {
            let group = format!("{}>{}", key.patch, said.object);
            *groups.entry(group).or_default().entry(path.join(" -> ")).or_default() += 1;
        }
    }
    let told = groups.into_iter().map(|(group, paths)| {
        let several = paths.len() > 1;
        let each =
            paths.into_iter().map(|(path, count)| if several { format!("{count} {path}") } else { path });
        format!("{group}: {}", each.collect::<Vec<_>>().join("; "))
    });
    told.collect()
}

fn findings(journal: &Journal) -> Vec<String> {
    let ids: BTreeSet<&str> = journal.findings.iter().map(|finding| finding.id.as_str()).collect();
    let link = |id: &str| format!("**[{id}](findings/{id}.md)**");
    let all: Vec<String> = ids.into_iter().map(link).collect();
    if all.is_empty() { Vec::new() } else { vec![all.join(", ")] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_left_out_and_words_stay() {
        let said = "module: x86/modules: Invalid relocation target, existing value is nonzero for type 2, loc \
                    00000000c9a3f1d2, val ffffffffc0481000";
        assert_eq!(
            plain(said),
            "“module: x86/modules: Invalid relocation target, existing value is nonzero for type 2, loc …, val …”"
        );
        assert_eq!(plain("a|b facade"), "“a\\|b facade”");
    }
}
