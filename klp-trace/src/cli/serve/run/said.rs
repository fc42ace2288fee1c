//! What a service says on standard error: few lines, without an address. systemd's journal keeps them.

use crate::cli::Failure;
use crate::cli::serve::config::Metrics;
use crate::elf::names;
use crate::journal::{Body, Event, Finding, FindingClosed, ObjectRef, PatchRef, Totals};
use crate::output::escape::Escaped;
use crate::probe::HookStatus;
use std::io::Write as _;
use std::time::Duration;

fn say(line: &str) {
    // With standard error gone there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "klp-trace: {}", Escaped::new(line.as_bytes()));
}

pub(super) fn listening(config: &Metrics) {
    if let Some(address) = config.listen.0 {
        say(&format!("metrics at http://{address}/metrics"));
    }
    if let Some(socket) = &config.socket {
        say(&format!("metrics at the unix socket {}", names::path(socket)));
    }
}

pub(super) fn attached(hooks: &[HookStatus]) {
    let attached = hooks.iter().filter(|hook| hook.mechanism.is_some()).count();
    say(&format!("{attached} of {} hooks attached", hooks.len()));
}

/// The configuration was to be read again, and what was in force stays so.
pub(super) fn kept_on(failure: &Failure) {
    say(&format!("goes on as before: {}", failure.in_short()));
}

/// A finding, or the end of one, in one line. Its own words may hold addresses, and are for those who ask.
pub(super) fn finding(event: &Event) {
    match &event.body {
        Body::Finding(finding) => say(&told(finding)),
        Body::FindingClosed(closed) => say(&over(closed)),
        _ => {}
    }
}

fn told(finding: &Finding) -> String {
    let Finding { id, severity, patch, object, relocations, .. } = finding;
    let mut parts = vec![format!("{severity} {id} {}", id.name())];
    parts.extend(about(patch.as_ref(), object.as_ref()));
    if *relocations > 0 {
        parts.push(format!("{relocations} relocations"));
    }
    let line = parts.join(", ");
    format!("{line}: klp-trace audit shows it, klp-trace explain {id} says what to do")
}

fn over(closed: &FindingClosed) -> String {
    let FindingClosed { id, patch, object, end, .. } = closed;
    let mut parts = vec![format!("over: {id} {}", id.name())];
    parts.extend(about(patch.as_ref(), object.as_ref()));
    format!("{} ({})", parts.join(", "), end.word())
}

fn about(patch: Option<&PatchRef>, object: Option<&ObjectRef>) -> Vec<String> {
    let of = [("patch", patch.map(|patch| &patch.name)), ("object", object.map(|object| &object.name))];
    of.into_iter().filter_map(|(what, name)| Some(format!("{what} {}", name?))).collect()
}

pub(super) fn ended(after: Duration, totals: &Totals) {
    let all: u64 = totals.values().sum();
    let of: Vec<String> = totals.iter().map(|(verdict, count)| format!("{verdict} {count}")).collect();
    let of = if of.is_empty() { String::new() } else { format!(" ({})", of.join(", ")) };
    say(&format!("ended by a signal after {} s; {all} relocations{of}", after.as_secs()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::testing;

    #[test]
    fn a_finding_is_one_line_without_an_address() {
        let mut finding = testing::finding();
        finding.message = "holds 0xffffffffc0402000".to_owned();
        let line = told(&finding);
        assert_eq!(
            line,
            "error KLP001 stale-after-unload, patch lp_one, object klp_target, 12 relocations: klp-trace audit shows it, \
             klp-trace explain KLP001 says what to do"
        );
    }

    #[test]
    fn the_end_of_a_finding_names_it_and_what_ended_it() {
        let closed = FindingClosed {
            id: crate::model::FindingId::Klp001,
            severity: crate::model::Severity::Error,
            patch: Some(testing::patch()),
            object: Some(testing::object()),
            opened_ns: 1,
            end: crate::model::FindingEnd::Cleared,
        };
        let line = over(&closed);
        assert_eq!(line, "over: KLP001 stale-after-unload, patch lp_one, object klp_target (cleared)");
    }
}
