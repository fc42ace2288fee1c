//! Which command comes next: drawn by the seed from those that the model says are possible.

use fastrand::Rng;

use super::Stress;
use super::model::{Act, Model};
use crate::scenario::format::Step;

/// How often a kind of command is drawn, set against the others that are possible. Modules come more often than they
/// go, or there would be little to see; what is refused changes nothing, and is to be seen now and then.
const fn weight(act: Act) -> u32 {
    match act {
        Act::Load(_) | Act::Enable(_) => 10,
        Act::Unload(_) => 8,
        Act::Remove(_) => 6,
        Act::Disable(_) => 4,
        Act::Ask(_) => 3,
        Act::RemoveActive(_) | Act::EnableAgain(_) | Act::LoadAgain(_) => 1,
    }
}

/// As many commands as the stress has cycles, each with what must come of it, then some that lead to a state which an
/// audit cannot mistake.
pub fn commands(stress: &Stress, clears: bool) -> Vec<Step> {
    let mut rng = Rng::with_seed(stress.seed);
    let mut model = Model::new(stress, clears);
    let mut steps = Vec::new();
    while steps.len() < stress.cycles {
        let Some(act) = next(&model, &mut rng) else { break };
        steps.push(step(&mut model, act));
    }
    for act in model.closing() {
        steps.push(step(&mut model, act));
    }
    steps
}

/// First the kind, then which one of that kind: five objects would else count for more than one replace.
fn next<'a>(model: &Model<'a>, rng: &mut Rng) -> Option<Act<'a>> {
    let possible = model.possible();
    let mut kinds: Vec<Vec<Act<'a>>> = Vec::new();
    for act in possible {
        let same = |kind: &&mut Vec<Act>| {
            kind.first().is_some_and(|first| std::mem::discriminant(first) == std::mem::discriminant(&act))
        };
        match kinds.iter_mut().find(same) {
            Some(kind) => kind.push(act),
            None => kinds.push(vec![act]),
        }
    }
    let of = |kind: &[Act]| kind.first().map_or(0, |act| weight(*act));
    let mut place = rng.u32(..kinds.iter().map(|kind| of(kind)).sum::<u32>().max(1));
    for kind in kinds {
        match place.checked_sub(of(&kind)) {
            Some(rest) => place = rest,
            None => return rng.choice(kind),
        }
    }
    None
}

fn step<'a>(model: &mut Model<'a>, act: Act<'a>) -> Step {
    let run = act.command();
    Step { run, expect: model.carry_out(act), ..Step::default() }
}
