//! The checks of the hooks: there, and attachable.

use super::attach::Attachment;
use super::checks::{LESS_PARANOID, NO_LIVEPATCHING, has_livepatching};
use super::facts::{Facts, HOOKS, Need};
use super::report::Check;

const FOLLOWS: &str = "it takes livepatching";

/// Every hook, then whether they can be attached.
pub(super) fn all(facts: &Facts) -> Vec<Check> {
    let mut checks: Vec<Check> =
        HOOKS.iter().map(|(hook, need)| function(facts, hook.name(), *need)).collect();
    if let Attachment::Attached(hooks) = &facts.attachment {
        // What is no function, a tracepoint, shows only here.
        let others = hooks.iter().filter(|(name, _)| !HOOKS.iter().any(|(hook, _)| hook.name() == *name));
        checks.extend(others.map(|(name, how)| other(name, how)));
    }
    checks.push(attach(facts));
    checks
}

fn function(facts: &Facts, name: &str, need: Need) -> Check {
    let id = format!("hook-{name}");
    let (why, optional) = match need {
        Need::Mandatory => ("without this function klp-trace does not see what happens", false),
        Need::Optional(without) => (without, true),
    };
    if !has_livepatching(facts) {
        return Check::note(&id, NO_LIVEPATCHING, FOLLOWS);
    }
    match (facts.attachment.of(name), facts.has_function(name)) {
        (Some(Ok(how)), _) => Check::ok(&id, format!("attached by {how}"), why),
        (Some(Err(reason)), Some(true)) => Check::note(&id, format!("cannot be attached: {reason}"), why),
        (None, Some(true)) => Check::ok(&id, "present", why),
        (_, Some(false)) if optional => Check::note(&id, "not in this kernel", why),
        (_, Some(false)) => Check::lack(
            &id,
            "not in this kernel's BTF",
            why,
            "boot another build of the kernel: the compiler has inlined or renamed this function; please report it",
        ),
        (_, None) => Check::note(&id, "not checked: no kernel BTF", why),
    }
}

fn other(name: &str, how: &Result<&'static str, String>) -> Check {
    const WHY: &str = "shows that a module was loaded while the function hooks were blind";
    let id = format!("hook-{name}");
    match how {
        Ok(how) => Check::ok(&id, format!("attached by {how}"), WHY),
        Err(reason) => Check::note(&id, format!("cannot be attached: {reason}"), WHY),
    }
}

fn attach(facts: &Facts) -> Check {
    const ID: &str = "attach";
    const WHY: &str = "only attaching the probes proves that this kernel lets them in";
    match &facts.attachment {
        Attachment::NotTried(why) => Check::note(ID, format!("not tried: {why}"), WHY),
        Attachment::Attached(_) => {
            Check::ok(ID, "every probe that is needed was attached, and let go again", WHY)
        }
        Attachment::Refused(error) => Check::lack(ID, error.clone(), WHY, refusal_remedy(facts)),
    }
}

/// What to do when a probe was refused.
pub(super) fn refusal_remedy(facts: &Facts) -> &'static str {
    if facts.kprobes_may_be_refused() {
        LESS_PARANOID
    } else {
        "boot a kernel with CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS=y or CONFIG_KPROBES=y; if this one has both, please \
         report this"
    }
}
