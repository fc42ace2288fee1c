//! The scenario files.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use super::exchange::AuditBy;
use super::stress::Stress;
use crate::testbed::{CPU, Series};

/// One scenario file.
#[expect(clippy::struct_excessive_bools, reason = "switches of a file, independent of each other")]
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file's name without `.toml`; filled in after reading.
    #[serde(skip)]
    pub name: String,
    /// One sentence for people.
    pub about: String,
    /// Scenarios of one group share a boot.
    #[serde(default = "core")]
    pub group: String,
    /// The series it runs on; all when none is given.
    #[serde(default = "every_series", deserialize_with = "series_list")]
    pub series: Vec<Series>,
    /// The series on which it runs without `--full`, by its first mechanism alone: for variants of a kind that one kernel
    /// shows. With `--full`, and where `--scenario` names it, it runs as if this were not given, as it does when it is empty.
    #[serde(default, deserialize_with = "series_list")]
    pub ci_series: Vec<Series>,
    /// The mechanisms it runs with, one run each.
    #[serde(default = "every_attach")]
    pub attach: Vec<Attach>,
    /// Whether it runs by kprobe on each of its series. Else, where it runs by fentry too, it does so on the newest alone,
    /// and on all of them with `--full`.
    #[serde(default)]
    pub kprobe_everywhere: bool,
    /// Whether `klp-trace watch` runs beside the steps.
    #[serde(default = "yes")]
    pub watch: bool,
    /// More arguments for `klp-trace watch`.
    #[serde(default)]
    pub args: Vec<String>,
    /// Whether `klp-trace watch` runs as nobody, with the capabilities that `klp-trace doctor` names and no other.
    #[serde(default)]
    pub unprivileged: bool,
    /// Whether `klp-trace watch` runs in a PID namespace of its own, with a /proc of its own.
    #[serde(default)]
    pub pid_namespace: bool,
    /// Whether `klp-trace watch` writes text too, and the journal beside it: the text must end with the exit code, and name
    /// every finding of the journal.
    #[serde(default)]
    pub text: bool,
    /// What the group's VM is like; every scenario of a group must say the same.
    #[serde(default)]
    pub vm: Vm,
    /// Shell commands run before klp-trace is started; each must succeed.
    #[serde(default)]
    pub before: Vec<String>,
    /// What is done, in order.
    #[serde(rename = "step", default)]
    pub steps: Vec<Step>,
    /// In place of steps: what they are drawn from.
    pub stress: Option<Stress>,
    /// How `klp-trace audit` is run once all steps are done and klp-trace has ended; each must come to the verdicts that
    /// klp-trace came to last.
    #[serde(default = "by_file")]
    pub audits: Vec<AuditBy>,
    /// What the whole run must come to.
    #[serde(default)]
    pub end: End,
    /// The same for single series: a field given here replaces the one of `end`.
    #[serde(default)]
    pub end_on: BTreeMap<String, End>,
}

/// How probes are attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attach {
    /// Without an option; the session must say fentry.
    Fentry,
    /// With `--attach kprobe`.
    Kprobe,
}

/// The VM of a group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Vm {
    /// QEMU's `-cpu`.
    pub cpu: String,
    /// Processors.
    pub smp: u8,
    /// Memory in MiB.
    pub memory: u32,
    /// Added to the kernel's command line.
    pub append: String,
    /// Programs of Debian packages in its `/usr/local/bin`: package, path of the program in it.
    pub tools: Vec<(String, String)>,
}

impl Default for Vm {
    fn default() -> Self {
        Self { cpu: CPU.to_owned(), smp: 1, memory: 1024, append: String::new(), tools: Vec::new() }
    }
}

/// One thing done, and what must come of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// `insmod M`, `rmmod M`, `disable P`, `kill-during CMD…`, else a shell command; see [`crate::guest`].
    pub run: String,
    /// What `cargo xtask demo` says before it.
    #[serde(default)]
    pub say: String,
    /// The same for single series.
    #[serde(default)]
    pub say_on: BTreeMap<String, String>,
    /// What must come of it.
    #[serde(default)]
    pub expect: Expect,
    /// The same for single series: a field given here replaces the one of `expect`.
    #[serde(default)]
    pub on: BTreeMap<String, Expect>,
    /// Of `churn`: what is done over and over.
    #[serde(default)]
    pub cycle: Vec<Turn>,
}

/// One command of a cycle, and the state it leads to. A cycle ends as it began.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// The command.
    pub run: String,
    /// By `patch>object`, the verdict of all relocations once it has been done; none where the patch is not loaded.
    #[serde(default)]
    pub verdicts: BTreeMap<String, String>,
}

/// What must come of a step; a field that is not given has the default it names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The command's exit code; 0.
    pub rc: Option<i32>,
    /// By `patch>object`, every relocation that there is; as it was after the step before.
    pub verdicts: Option<BTreeMap<String, Verdicts>>,
    /// The findings made in this step, no other; none.
    pub findings: Option<BTreeMap<String, Found>>,
    /// The findings closed in this step, no other, each with what ended it (`end` in the journal); any.
    pub closed: Option<BTreeMap<String, Ends>>,
    /// Each is part of an `events_lost` record of this step; none.
    pub lost: Option<Vec<String>>,
    /// Each is part of a line of the kernel's log of this step; none.
    pub dmesg: Option<Vec<String>>,
    /// None is part of any such line; besides those forbidden everywhere.
    pub dmesg_not: Option<Vec<String>>,
    /// Each is part of what the command wrote; none.
    pub output: Option<Vec<String>>,
    /// None is part of what the command wrote.
    pub output_not: Option<Vec<String>>,
    /// Of how many relocations the memory has changed since klp-trace watch saw it, no hook having fired; 0.
    pub unseen: Option<usize>,
    /// Whether the step ends while a transition is under way; false: its end is awaited.
    pub stalled: Option<bool>,
    /// Of an audit, by `patch>object`: verdicts that are not those of klp-trace watch at that time; it says the same.
    pub audit: Option<BTreeMap<String, Verdicts>>,
    /// The findings of an audit, no other; any.
    pub audit_findings: Option<BTreeMap<String, Found>>,
}

/// What ended the findings of an id.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Ends {
    /// One or more of them, all this.
    All(String),
    /// These, each of one or more.
    Each(Vec<String>),
}

impl Ends {
    /// They.
    pub fn words(&self) -> &[String] {
        match self {
            Self::All(end) => std::slice::from_ref(end),
            Self::Each(ends) => ends,
        }
    }
}

/// The verdicts of one patch's relocations gated on one object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Verdicts {
    /// All have this one.
    All(String),
    /// So many have each; the sum must be all.
    Counts(BTreeMap<String, usize>),
}

/// Findings of one id.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Found {
    /// How many; 0 means one or more.
    pub count: usize,
    /// Part of each one's message, reason or action.
    pub text: Vec<String>,
    /// Each is part of that of one of them, at least.
    pub some: Vec<String>,
}

impl Default for Found {
    fn default() -> Self {
        Self { count: 1, text: Vec::new(), some: Vec::new() }
    }
}

/// What a whole run must come to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// The exit code of `klp-trace watch`; 0.
    pub exit: Option<i32>,
    /// Whether records must have been lost; false: none may have been.
    pub lost: Option<bool>,
    /// By `patch>object`, the verdicts that each relocation goes through, each reported once; what follows from
    /// the steps' verdicts.
    pub sequence: Option<BTreeMap<String, Vec<String>>>,
    /// Whether verdicts between those that the steps end with are allowed (`unknown` while records are lost).
    pub detours: Option<bool>,
    /// Verdicts that some relocation must have had on the way.
    pub passes: Option<Vec<String>>,
    /// How many relocations the session may speak of; any number.
    pub relocs: Option<usize>,
    /// What cannot be put back, such as `module M`; nothing.
    pub left: Option<Vec<String>>,
    /// By `patch>object`, verdicts of the audits at the end that are not those of klp-trace watch.
    pub audit: Option<BTreeMap<String, Verdicts>>,
}

fn core() -> String {
    "core".to_owned()
}

fn every_series() -> Vec<Series> {
    Series::all().to_vec()
}

fn every_attach() -> Vec<Attach> {
    vec![Attach::Fentry, Attach::Kprobe]
}

fn by_file() -> Vec<AuditBy> {
    vec![AuditBy::File]
}

const fn yes() -> bool {
    true
}

fn series_list<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Series>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    names.iter().map(|name| name.parse().map_err(serde::de::Error::custom)).collect()
}

/// Reads every scenario of a folder, in the order of their names, and checks that they can be meant.
pub fn load_all(folder: &Path) -> anyhow::Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        scenarios.push(parse(&name, &text).with_context(|| path.display().to_string())?);
    }
    scenarios.sort_by(|a, b| a.name.cmp(&b.name));
    ensure!(!scenarios.is_empty(), "no scenarios in {}", folder.display());
    for pair in scenarios.iter().flat_map(|a| scenarios.iter().map(move |b| (a, b))) {
        if pair.0.group == pair.1.group && pair.0.vm != pair.1.vm {
            bail!("{} and {} are of group {} and want different VMs", pair.0.name, pair.1.name, pair.0.group);
        }
    }
    Ok(scenarios)
}

/// Reads one scenario.
pub fn parse(name: &str, text: &str) -> anyhow::Result<Scenario> {
    let mut scenario: Scenario = toml::from_str(text)?;
    name.clone_into(&mut scenario.name);
    ensure!(scenario.steps.is_empty() == scenario.stress.is_some(), "no steps, or steps beside a stress");
    scenario.stress.as_ref().map_or(Ok(()), Stress::check)?;
    ensure!(!scenario.attach.is_empty(), "attach is empty");
    let never = scenario.ci_series.iter().find(|series| !scenario.series.contains(series));
    ensure!(never.is_none(), "ci_series has a series on which it does not run");
    let steps = scenario.steps.iter().flat_map(|step| step.on.keys().chain(step.say_on.keys()));
    let keys = steps.chain(scenario.end_on.keys());
    for key in keys {
        let series: Series = key.parse().map_err(|error| anyhow::anyhow!("{key:?}: {error}"))?;
        ensure!(scenario.series.contains(&series), "an expectation for {key}, on which it does not run");
    }
    Ok(scenario)
}

impl Scenario {
    /// Whether it runs with this mechanism on this series, one of its own.
    pub fn runs(&self, attach: Attach, series: Series) -> bool {
        if !self.ci_series.is_empty() {
            return self.ci_series.contains(&series) && self.attach.first() == Some(&attach);
        }
        let newest = self.series.iter().max() == Some(&series);
        attach == Attach::Fentry || self.attach == [Attach::Kprobe] || self.kprobe_everywhere || newest
    }

    /// Every series and mechanism that it has.
    pub fn everywhere(&mut self) {
        self.kprobe_everywhere = true;
        self.ci_series.clear();
    }

    /// All there is: 200 cycles of a churn, 500 of a stress, kprobe on each series, audits from every source.
    pub fn at_length(&mut self) {
        self.everywhere();
        if self.audits == by_file() {
            self.audits = vec![AuditBy::File, AuditBy::NoFile, AuditBy::Kcore];
        }
        for step in self.steps.iter_mut().filter(|step| step.run.starts_with("churn ")) {
            "churn 200".clone_into(&mut step.run);
        }
        if let Some(stress) = &mut self.stress {
            stress.cycles = Stress::AT_LENGTH;
        }
    }
}

impl Expect {
    /// These expectations with those of `on` put over them.
    #[must_use]
    pub fn with(&self, on: Option<&Self>) -> Self {
        let over = on.cloned().unwrap_or_default();
        let base = self.clone();
        Self {
            rc: over.rc.or(base.rc),
            verdicts: over.verdicts.or(base.verdicts),
            findings: over.findings.or(base.findings),
            closed: over.closed.or(base.closed),
            lost: over.lost.or(base.lost),
            dmesg: over.dmesg.or(base.dmesg),
            dmesg_not: over.dmesg_not.or(base.dmesg_not),
            output: over.output.or(base.output),
            output_not: over.output_not.or(base.output_not),
            unseen: over.unseen.or(base.unseen),
            stalled: over.stalled.or(base.stalled),
            audit: over.audit.or(base.audit),
            audit_findings: over.audit_findings.or(base.audit_findings),
        }
    }
}

impl End {
    /// These expectations with those of `on` put over them.
    #[must_use]
    pub fn with(&self, on: Option<&Self>) -> Self {
        let over = on.cloned().unwrap_or_default();
        let base = self.clone();
        Self {
            exit: over.exit.or(base.exit),
            lost: over.lost.or(base.lost),
            sequence: over.sequence.or(base.sequence),
            detours: over.detours.or(base.detours),
            passes: over.passes.or(base.passes),
            relocs: over.relocs.or(base.relocs),
            left: over.left.or(base.left),
            audit: over.audit.or(base.audit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELOAD: &str = r#"
        about = "the target is loaded again"
        series = ["6.1", "7"]
        [[step]]
        run = "insmod klp_target"
        [[step]]
        run = "rmmod klp_target"
        expect.verdicts."lp_one>klp_target" = "cleared"
        on."6.1".verdicts."lp_one>klp_target" = { stale = 12 }
        on."6.1".findings.KLP001.text = ["refused"]
        [end_on."6.1"]
        exit = 1
    "#;

    #[test]
    fn reads_what_is_written() {
        let scenario = parse("reload", RELOAD).unwrap();
        assert_eq!((scenario.name.as_str(), scenario.group.as_str()), ("reload", "core"));
        assert_eq!(scenario.attach, [Attach::Fentry, Attach::Kprobe]);
        let step = &scenario.steps[1];
        let old = step.expect.with(step.on.get("6.1"));
        assert_eq!(
            old.verdicts.unwrap()["lp_one>klp_target"],
            Verdicts::Counts(BTreeMap::from([("stale".to_owned(), 12)]))
        );
        assert_eq!(
            old.findings.unwrap()["KLP001"],
            Found { text: vec!["refused".to_owned()], ..Found::default() }
        );
        let new = step.expect.with(step.on.get("7"));
        assert_eq!(new.verdicts.unwrap()["lp_one>klp_target"], Verdicts::All("cleared".to_owned()));
        assert_eq!(scenario.end.with(scenario.end_on.get("6.1")).exit, Some(1));
    }

    #[test]
    fn refuses_what_cannot_be_meant() {
        for (wrong, why) in [
            ("about = 'x'\nstep = []", "no steps"),
            (
                "about = 'x'\nseries = ['7']\nci_series = ['6.1']\n[[step]]\nrun = 'true'",
                "on which it does not run",
            ),
            ("about = 'x'\nattach = []\n[[step]]\nrun = 'true'", "attach is empty"),
            ("about = 'x'\n[[step]]\nrun = 'true'\nexpect.verdict = {}", "unknown field"),
            ("about = 'x'\n[[step]]\nrun = 'true'\non.'5.4'.rc = 1", "5.4"),
            (
                "about = 'x'\nseries = ['7']\n[[step]]\nrun = 'true'\non.'6.1'.rc = 1",
                "on which it does not run",
            ),
        ] {
            let error = format!("{:#}", parse("wrong", wrong).unwrap_err());
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn what_one_kernel_shows_runs_once_and_everywhere_at_length() {
        let text = "about = 'x'\nci_series = ['6.12']\n[[step]]\nrun = 'true'";
        let mut scenario = parse("one", text).unwrap();
        let runs = |scenario: &Scenario| -> Vec<(Series, Attach)> {
            let both = |series| every_attach().into_iter().map(move |attach| (series, attach));
            let all = Series::all().into_iter().flat_map(both);
            all.filter(|(series, attach)| scenario.runs(*attach, *series)).collect()
        };
        assert_eq!(runs(&scenario), [(Series::V6_12, Attach::Fentry)]);
        scenario.at_length();
        assert_eq!(runs(&scenario).len(), 2 * Series::all().len());
    }

    #[test]
    fn every_scenario_of_the_repository_can_be_read() {
        let folder = crate::testbed::workspace().join("tests/scenarios");
        assert!(load_all(&folder).unwrap().len() > 1);
    }
}
