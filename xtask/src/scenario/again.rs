//! A second try. Under emulation a machine fails now and then for reasons of its own (an int3 oops of the emulated
//! processors was seen): what failed in one or two boots is run once more, in boots of its own, and that it was is said. What is wrong
//! with klp-trace fails again; what fails in more boots than that is no accident and is not tried.

use std::collections::BTreeSet;

use super::instance::Instance;
use super::runner::{self, Bench, Done};
use crate::testbed::Series;

/// In how many boots something may have failed.
const BOOTS: usize = 2;

/// What ran, with the results of the second try in place of those of the first.
pub fn run(bench: &Bench, instances: Vec<Instance>) -> Vec<Done> {
    let done = runner::run(bench, instances.clone());
    let again = to_run_again(&done, instances);
    if again.is_empty() {
        return done;
    }
    let names: BTreeSet<(Series, String)> =
        again.iter().map(|instance| (instance.series, instance.name.clone())).collect();
    println!("\n{} scenarios failed: once more, each boot anew", names.len());
    let second = runner::run(bench, again);
    let (first, kept): (Vec<Done>, Vec<Done>) = done.into_iter().partition(|done| {
        names.contains(&(done.series, done.name.clone())) || (done.is_vm && !done.wrong.is_empty())
    });
    for before in first.iter().filter(|before| !before.wrong.is_empty()) {
        let now = second.iter().find(|now| (now.series, &now.name) == (before.series, &before.name));
        if now.is_none_or(|now| now.wrong.is_empty()) {
            println!("  PASSED THE SECOND TIME ONLY: {} {}; the first time:", before.series, before.name);
            for wrong in &before.wrong {
                println!("           - {wrong}");
            }
        }
    }
    kept.into_iter().chain(second).collect()
}

/// The instances that failed, and all of a boot that failed as a whole; none where that is in too many boots.
fn to_run_again(done: &[Done], instances: Vec<Instance>) -> Vec<Instance> {
    let failed: Vec<&Done> = done.iter().filter(|done| !done.wrong.is_empty()).collect();
    let boots: BTreeSet<(Series, &str)> =
        failed.iter().map(|done| (done.series, done.group.as_str())).collect();
    if boots.len() > BOOTS {
        return Vec::new();
    }
    let concerns = |instance: &Instance, done: &Done| {
        (instance.series, &instance.group) == (done.series, &done.group)
            && (done.is_vm || instance.name == done.name)
    };
    let mut again = instances;
    again.retain(|instance| failed.iter().any(|done| concerns(instance, done)));
    // Of the first try, everything stays where it is.
    for instance in &mut again {
        instance.group += "-again";
    }
    again
}
