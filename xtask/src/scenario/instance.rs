//! A scenario on one series with one mechanism: every expectation resolved, every relocation counted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use super::exchange::{Run, RunStep};
use super::format::{Attach, End, Ends, Found, Scenario, Verdicts, Vm};
use super::ko::{self, Reloc};
use crate::testbed::Series;

/// Counts of verdicts, by `patch>object`.
pub type Counts = BTreeMap<String, BTreeMap<String, usize>>;

/// The livepatch relocations of the fixtures of one kernel, each file read once.
#[derive(Debug)]
pub struct Fixtures {
    folder: PathBuf,
    patches: BTreeMap<String, Vec<Reloc>>,
}

/// One run, ready to be planned and judged.
#[derive(Debug, Clone)]
pub struct Instance {
    /// `<scenario>`, or `<scenario>-kprobe`.
    pub name: String,
    /// One sentence on what it shows.
    pub about: String,
    /// The series.
    pub series: Series,
    /// The mechanism.
    pub attach: Attach,
    /// The boot it belongs to.
    pub group: String,
    /// What that boot is like.
    pub vm: Vm,
    /// Whether klp-trace runs.
    pub watch: bool,
    /// What is run.
    pub run: Run,
    /// What must come of each step.
    pub steps: Vec<Expected>,
    /// What the whole must come to.
    pub end: End,
    /// Of the audits at the end: verdicts that are not those of klp-trace watch.
    pub end_audit: Counts,
    /// By patch, the relocations of its file.
    pub relocs: BTreeMap<String, Vec<Reloc>>,
    /// The verdicts that the relocations of `patch>object` go through, for each load of the patch; none where
    /// a step's verdicts are not the same for all of them.
    pub sequences: BTreeMap<String, Vec<Vec<String>>>,
}

/// What must come of a step.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Exit code.
    pub rc: i32,
    /// Verdicts of all relocations of loaded patches.
    pub verdicts: Counts,
    /// Findings made in this step.
    pub findings: BTreeMap<String, Found>,
    /// Findings closed in this step, each with what ended it; any when there is none here.
    pub closed: Option<BTreeMap<String, Ends>>,
    /// Parts of records of lost events.
    pub lost: Vec<String>,
    /// Parts of lines of the kernel's log.
    pub dmesg: Vec<String>,
    /// What no line may hold.
    pub dmesg_not: Vec<String>,
    /// Parts of the command's output.
    pub output: Vec<String>,
    /// What the output may not hold.
    pub output_not: Vec<String>,
    /// Of how many relocations the memory has changed since klp-trace watch saw it.
    pub unseen: usize,
    /// Whether the step ends while a transition is under way.
    pub stalled: bool,
    /// Of an audit: verdicts that are not those of klp-trace watch.
    pub audit: Counts,
    /// Of an audit: its findings, no other; any when there are none here.
    pub audit_findings: Option<BTreeMap<String, Found>>,
    /// Of `churn`: the verdict of all relocations of `patch>object` after each command of the cycle.
    pub cycle: Vec<BTreeMap<String, String>>,
}

impl Fixtures {
    /// The fixtures in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), patches: BTreeMap::new() }
    }

    fn patch(&mut self, name: &str) -> anyhow::Result<Vec<Reloc>> {
        if let Some(relocs) = self.patches.get(name) {
            return Ok(relocs.clone());
        }
        let relocs = ko::relocations(&self.folder.join(format!("{name}.ko")))?;
        ensure!(!relocs.is_empty(), "{name}.ko has no livepatch relocations");
        self.patches.insert(name.to_owned(), relocs.clone());
        Ok(relocs)
    }
}

impl Instance {
    /// Roughly how many seconds it takes under emulation; of relocations by the thousand, each step takes its time.
    pub fn seconds(&self) -> u64 {
        let relocs: usize = self.relocs.values().map(Vec::len).sum();
        let (steps, audits) = (self.steps.len() as u64, self.run.audits.len() as u64);
        let each = 1 + relocs as u64 / 1000;
        5 + (steps + 3 * audits) * each
    }
}

/// Resolves `scenario` for a series and a mechanism.
pub fn resolve(
    scenario: &Scenario,
    series: Series,
    attach: Attach,
    fixtures: &mut Fixtures,
) -> anyhow::Result<Instance> {
    let played = scenario.stress.as_ref().map(|stress| stress.play(scenario, series));
    let scenario = played.as_ref().unwrap_or(scenario);
    let on = series.to_string();
    let mut relocs = BTreeMap::new();
    let mut steps: Vec<Expected> = Vec::new();
    for step in &scenario.steps {
        let expect = step.expect.with(step.on.get(&on));
        let verdicts = match &expect.verdicts {
            Some(given) => {
                counts(given, &mut relocs, fixtures).with_context(|| format!("step {:?}", step.run))?
            }
            None => steps.last().map(|step| step.verdicts.clone()).unwrap_or_default(),
        };
        let audit = counts(&expect.audit.unwrap_or_default(), &mut relocs, fixtures)
            .with_context(|| format!("the audit {:?}", step.run))?;
        for group in step.cycle.iter().flat_map(|turn| turn.verdicts.keys()) {
            let all = Verdicts::All(String::new());
            counts(&BTreeMap::from([(group.clone(), all)]), &mut relocs, fixtures)
                .with_context(|| format!("the cycle of {:?}", step.run))?;
        }
        steps.push(Expected {
            unseen: expect.unseen.unwrap_or(0),
            stalled: expect.stalled.unwrap_or(false),
            audit,
            audit_findings: expect.audit_findings,
            cycle: step.cycle.iter().map(|turn| turn.verdicts.clone()).collect(),
            rc: expect.rc.unwrap_or(0),
            verdicts,
            findings: expect.findings.unwrap_or_default(),
            closed: expect.closed,
            lost: expect.lost.unwrap_or_default(),
            dmesg: expect.dmesg.unwrap_or_default(),
            dmesg_not: expect.dmesg_not.unwrap_or_default(),
            output: expect.output.unwrap_or_default(),
            output_not: expect.output_not.unwrap_or_default(),
        });
    }
    let end = scenario.end.with(scenario.end_on.get(&on));
    let end_audit = counts(end.audit.as_ref().unwrap_or(&BTreeMap::new()), &mut relocs, fixtures)
        .context("the audits at the end")?;
    let known = !end_audit.is_empty() || steps.last().is_some_and(|step| !step.verdicts.is_empty());
    let kprobe = attach == Attach::Kprobe;
    // A scenario that is about kprobes has its name already.
    let name = if kprobe && scenario.attach.len() > 1 {
        format!("{}-kprobe", scenario.name)
    } else {
        scenario.name.clone()
    };
    let mut args = scenario.args.clone();
    if kprobe {
        args.extend(["--attach".to_owned(), "kprobe".to_owned()]);
    }
    let run = Run {
        name: name.clone(),
        watch: scenario.watch,
        args,
        unprivileged: scenario.unprivileged,
        pid_namespace: scenario.pid_namespace,
        text: scenario.text,
        before: scenario.before.clone(),
        narrate: None,
        stops: scenario.stress.is_some(),
        left: end.left.clone().unwrap_or_default(),
        steps: plan(scenario, &on, &steps, &end),
        // Where no patch is loaded there is nothing to audit; and how watch was attached makes no difference to it.
        audits: if known && !(kprobe && scenario.attach.len() > 1) {
            scenario.audits.clone()
        } else {
            Vec::new()
        },
    };
    Ok(Instance {
        name,
        about: scenario.about.clone(),
        series,
        attach,
        group: if kprobe { format!("{}-kprobe", scenario.group) } else { scenario.group.clone() },
        vm: scenario.vm.clone(),
        watch: scenario.watch,
        run,
        sequences: sequences(&steps, &end),
        steps,
        end,
        end_audit,
        relocs,
    })
}

/// Turns what a step says into numbers, and checks that it speaks of every relocation of each patch it names.
fn counts(
    given: &BTreeMap<String, Verdicts>,
    relocs: &mut BTreeMap<String, Vec<Reloc>>,
    fixtures: &mut Fixtures,
) -> anyhow::Result<Counts> {
    let mut counts = Counts::new();
    for (group, verdicts) in given {
        let Some((patch, object)) = group.split_once('>') else { bail!("{group:?} is not PATCH>OBJECT") };
        if !relocs.contains_key(patch) {
            relocs.insert(patch.to_owned(), fixtures.patch(patch)?);
        }
        let all = relocs.get(patch).into_iter().flatten().filter(|reloc| reloc.object == object).count();
        ensure!(all > 0, "{patch} has no relocations gated on {object}");
        let resolved = match verdicts {
            Verdicts::All(verdict) => BTreeMap::from([(verdict.clone(), all)]),
            Verdicts::Counts(counts) => counts.clone(),
        };
        let sum: usize = resolved.values().sum();
        ensure!(sum == all, "{group}: the verdicts are of {sum} relocations, the file has {all}");
        counts.insert(group.clone(), resolved);
    }
    for patch in given.keys().filter_map(|group| Some(group.split_once('>')?.0)) {
        for reloc in relocs.get(patch).into_iter().flatten() {
            let group = format!("{patch}>{}", reloc.object);
            ensure!(counts.contains_key(&group), "nothing is said of {group}");
        }
    }
    Ok(counts)
}

fn plan(scenario: &Scenario, on: &str, steps: &[Expected], end: &End) -> Vec<RunStep> {
    let mut findings: BTreeMap<String, usize> = BTreeMap::new();
    let planned = scenario.steps.iter().zip(steps).map(|(step, expected)| {
        for (id, found) in &expected.findings {
            let so_far = findings.get(id).copied();
            let unknown = found.count == 0 || so_far == Some(0);
            let count = if unknown { 0 } else { so_far.unwrap_or(0) + found.count };
            findings.insert(id.clone(), count);
        }
        RunStep {
            run: step.run.clone(),
            say: step.say_on.get(on).unwrap_or(&step.say).clone(),
            stalled: expected.stalled,
            verdicts: expected.verdicts.clone(),
            findings: findings.clone(),
            lossy: !expected.lost.is_empty() || expected.unseen > 0 || end.lost == Some(true),
            cycle: step.cycle.iter().map(|turn| turn.run.clone()).collect(),
        }
    });
    planned.collect()
}

fn sequences(steps: &[Expected], end: &End) -> BTreeMap<String, Vec<Vec<String>>> {
    let groups: std::collections::BTreeSet<&String> =
        steps.iter().flat_map(|step| step.verdicts.keys()).collect();
    let mut sequences = BTreeMap::new();
    for group in groups {
        let loads = loads(steps, group);
        if let Some(given) = end.sequence.as_ref().and_then(|given| given.get(group)) {
            let times = loads.map_or(1, |loads| loads.len());
            sequences.insert(group.clone(), vec![given.clone(); times]);
        } else if let Some(loads) = loads {
            sequences.insert(group.clone(), loads);
        }
    }
    sequences
}

/// For each time that the patch is loaded, the verdicts its relocations go through, step by step.
fn loads(steps: &[Expected], group: &str) -> Option<Vec<Vec<String>>> {
    let mut loads: Vec<Vec<String>> = Vec::new();
    let mut present = false;
    for step in steps {
        let Some(counts) = step.verdicts.get(group) else {
            present = false;
            continue;
        };
        let [verdict] = counts.keys().collect::<Vec<_>>()[..] else { return None };
        if !present {
            loads.push(Vec::new());
        }
        present = true;
        if let Some(load) = loads.last_mut().filter(|load| load.last() != Some(verdict)) {
            load.push(verdict.clone());
        }
    }
    Some(loads)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(verdicts: &[(&str, &str)]) -> Expected {
        let counts = verdicts
            .iter()
            .map(|(group, verdict)| ((*group).to_owned(), BTreeMap::from([((*verdict).to_owned(), 3)])));
        Expected { verdicts: counts.collect(), ..Expected::default() }
    }

    #[test]
    fn a_sequence_is_what_the_steps_say_load_by_load() {
        let steps = [
            step(&[]),
            step(&[("p>t", "applied")]),
            step(&[("p>t", "applied")]),
            step(&[("p>t", "stale")]),
            step(&[]),
            step(&[("p>t", "pending")]),
        ];
        assert_eq!(
            sequences(&steps, &End::default())["p>t"],
            [vec!["applied".to_owned(), "stale".to_owned()], vec!["pending".to_owned()]]
        );
        let mut mixed = step(&[("p>t", "applied")]);
        mixed.verdicts.get_mut("p>t").unwrap().insert("unknown".to_owned(), 1);
        assert!(sequences(&[mixed], &End::default()).is_empty());
    }
}
