//! The stress scenario: modules and livepatches come and go at random, by a seed, and a model of the kernel says what
//! must come of each command.

mod draw;
mod model;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use anyhow::ensure;
use serde::Deserialize;

use super::format::{End, Scenario, Step};
use crate::testbed::Series;

/// What is drawn from, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stress {
    /// What the commands follow from: the same seed on the same series gives the same ones.
    pub seed: u64,
    /// How many commands.
    pub cycles: usize,
    /// The livepatches.
    #[serde(rename = "patch")]
    pub patches: Vec<Patch>,
}

/// A livepatch, as the model has to know it. That its file has relocations for these objects and no other is checked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// Its module.
    pub name: String,
    /// The modules that it patches.
    pub objects: Vec<String>,
    /// Whether enabling it replaces every other (`klp_patch.replace`).
    #[serde(default)]
    pub replace: bool,
}

impl Stress {
    /// How many cycles `cargo xtask test --full` goes through.
    pub const AT_LENGTH: usize = 500;

    /// Refuses what cannot be meant.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(self.cycles > 0, "a stress of no cycles");
        let names: BTreeSet<&str> = self.patches.iter().map(|patch| patch.name.as_str()).collect();
        ensure!(names.len() == self.patches.len() && !names.is_empty(), "no patches, or one of them twice");
        ensure!(self.patches.iter().all(|patch| !patch.objects.is_empty()), "a patch without objects");
        Ok(())
    }

    /// The scenario with its commands drawn for a series, each with what the model expects.
    pub fn play(&self, scenario: &Scenario, series: Series) -> Scenario {
        let drawn = draw::commands(self, clears(series));
        // KLP001 and KLP009 are errors; KLP004, of a patch that is out of use, is a warning.
        let errors = |step: &Step| step.expect.findings.iter().flatten().any(|(id, _)| id != "KLP004");
        let exit = i32::from(drawn.iter().any(errors));
        let Self { seed, cycles, .. } = self;
        Scenario {
            about: format!(
                "{} (again: cargo xtask test --scenario {} --series {series} --seed {seed} --cycles {cycles})",
                scenario.about, scenario.name
            ),
            end: End { exit: Some(exit), ..scenario.end.clone() },
            steps: drawn,
            ..scenario.clone()
        }
    }
}

/// Whether the kernel clears what it wrote for an object when that object goes: x86 from 6.3 on ("livepatch,x86: Clear
/// relocation targets on a module removal", 0c05e7bd2d01).
fn clears(series: Series) -> bool {
    series != Series::V6_1
}
