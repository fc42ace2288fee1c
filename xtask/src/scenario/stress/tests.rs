//! The model against the stories that are told by hand, and what the scenario's own seed draws.

use std::collections::BTreeSet;

use super::model::{Act, Model};
use super::*;
use crate::scenario::format::{Expect, Verdicts, parse};

const FILE: &str = include_str!("../../../../tests/scenarios/stress.toml");

fn stress() -> Stress {
    parse("stress", FILE).unwrap().stress.unwrap()
}

/// `group verdict` for each.
fn verdicts(expect: &Expect) -> Vec<String> {
    let word = |verdict: &Verdicts| match verdict {
        Verdicts::All(word) => word.clone(),
        Verdicts::Counts(_) => panic!("the model knows no counts"),
    };
    expect.verdicts.iter().flatten().map(|(group, verdict)| format!("{group} {}", word(verdict))).collect()
}

fn findings(expect: &Expect) -> Vec<(&str, usize)> {
    expect.findings.iter().flatten().map(|(id, found)| (id.as_str(), found.count)).collect()
}

#[test]
fn an_object_that_comes_back_is_written_anew_or_refused() {
    let stress = stress();
    for clears in [true, false] {
        let mut model = Model::new(&stress, clears);
        model.carry_out(Act::Enable(&stress.patches[0]));
        let came = model.carry_out(Act::Load("klp_stress_a"));
        assert_eq!(verdicts(&came), ["lp_stress1>klp_stress_a applied"]);
        let went = model.carry_out(Act::Unload("klp_stress_a"));
        let again = model.carry_out(Act::Load("klp_stress_a"));
        if clears {
            assert_eq!(
                (verdicts(&went).as_slice(), findings(&went)),
                (&["lp_stress1>klp_stress_a cleared".to_owned()][..], vec![])
            );
            assert_eq!((again.rc, verdicts(&again)), (Some(0), verdicts(&came)));
        } else {
            assert_eq!(findings(&went), [("KLP001", 1)]);
            assert_eq!((again.rc, findings(&again)), (Some(1), vec![("KLP009", 1)]));
            assert_eq!(verdicts(&again), ["lp_stress1>klp_stress_a stale"]);
            // The way out that the finding names.
            model.carry_out(Act::Disable("lp_stress1"));
            assert_eq!(model.carry_out(Act::Load("klp_stress_a")).rc, Some(0));
        }
    }
}

#[test]
fn a_replaced_patch_keeps_its_values_on_every_kernel() {
    let stress = stress();
    for (clears, of_both) in [(true, vec![("KLP004", 1)]), (false, vec![("KLP001", 1), ("KLP004", 1)])] {
        let mut model = Model::new(&stress, clears);
        model.carry_out(Act::Load("klp_stress_a"));
        model.carry_out(Act::Enable(&stress.patches[0]));
        model.carry_out(Act::Enable(&stress.patches[4]));
        let asked = model.carry_out(Act::Ask("klp_stress_a"));
        assert_eq!(asked.output.unwrap(), ["lp_stress5"]);
        let went = model.carry_out(Act::Unload("klp_stress_a"));
        assert_eq!(findings(&went), of_both);
        assert!(verdicts(&went).contains(&"lp_stress1>klp_stress_a stale".to_owned()));
        let replaced = &went.findings.unwrap()["KLP004"];
        assert!(replaced.some[0].contains("lp_stress1, which was replaced by lp_stress5,"), "{replaced:?}");
    }
}

#[test]
fn what_a_seed_draws_is_always_the_same() {
    let drawn = |seed| {
        let stress = Stress { seed, ..stress() };
        draw::commands(&stress, true).into_iter().map(|step| step.run).collect::<Vec<_>>()
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}

/// A seed that draws no replace would show less than it seems to.
#[test]
fn the_scenarios_own_seed_leads_to_everything_there_is() {
    let stress = stress();
    let objects: BTreeSet<&String> = stress.patches.iter().flat_map(|patch| &patch.objects).collect();
    assert_eq!((stress.patches.len(), objects.len(), stress.cycles), (5, 5, 50));
    for series in Series::all() {
        assert_eq!(lacks(&stress, series), Vec::<&str>::new(), "{series}");
    }
}

/// What a stress should come by on a series, and does not.
fn lacks(stress: &Stress, series: Series) -> Vec<&'static str> {
    let played = stress.play(&parse("stress", FILE).unwrap(), series);
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for step in &played.steps {
        let word = step.run.split(' ').next().unwrap();
        let refused = if step.expect.rc == Some(0) { "" } else { " refused" };
        let replacing = if step.run.contains("lp_stress5") { "replacing " } else { "" };
        let object = if step.run.contains("klp_stress") { " object" } else { "" };
        seen.insert(format!("{replacing}{word}{object}{refused}"));
        seen.extend(verdicts(&step.expect).iter().map(|text| text.rsplit(' ').next().unwrap().to_owned()));
        seen.extend(findings(&step.expect).iter().map(|(id, count)| format!("{id} {}", (*count).min(2))));
        // Why a patch was out of use, and whether its replacer is named.
        let texts = step.expect.findings.iter().flatten().flat_map(|(_, found)| &found.some);
        seen.extend(texts.filter_map(|text| text.split(' ').nth(6)).map(str::to_owned));
    }
    let always = [
        "insmod",
        "insmod object",
        "insmod refused",
        "rmmod",
        "rmmod object",
        "rmmod refused",
        "disable",
        "replacing insmod",
        "replacing rmmod",
        "cat object",
        "echo refused",
        "pending",
        "applied",
        "stale",
        "KLP004 1",
        "disabled,",
        "replaced",
    ];
    let own: &[&str] = if clears(series) {
        &["cleared", "KLP004 2"]
    } else {
        &["KLP001 1", "KLP001 2", "KLP009 1", "insmod object refused"]
    };
    let wanted = always.into_iter().chain(own.iter().copied());
    let mut lacks: Vec<&str> = wanted.filter(|what| !seen.contains(*what)).collect();
    if played.end.exit != Some(i32::from(!clears(series))) {
        lacks.push("the exit code");
    }
    if !played.about.contains(&format!("--seed {}", stress.seed)) {
        lacks.push("how to see it again");
    }
    lacks
}
