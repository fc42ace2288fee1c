//! `dashboards/METRICS.md`, made from the list of metrics.

use super::caps::{OBJECTS, OBJECTS_OF_ONE, PATCHES};
use super::metric::{Label, Metric};
use super::snapshot::STALE;
use std::fmt::Write as _;

/// The whole page.
pub fn metrics() -> String {
    let mut page = format!(
        "# Metrics

What `klp-trace serve` tells Prometheus ([docs/serve.md](../docs/serve.md)), in text format 0.0.4. This page is made from `klp-trace/src/metrics/metric.rs`; a test compares
the two, and writes it with `KLP_TRACE_BLESS=1 cargo test -p klp-trace --lib metrics`.

Three things are kept apart: *verified* (`applied`, `cleared`, `pending`), *wrong* (`missing`, `orphaned`, `stale`, `mismatch`) and
*cannot tell* (`unknown`). What was not looked at is absent or `unknown`, and never reads as good: before the first full look, when the
hooks do not fire, and when nothing has been published for {} s, `klp_trace_up` is 0 and every state is absent, not frozen. Alert on
both.

No label holds an address, a path, a symbol, a task or a text. At most {PATCHES} patches are listed, {OBJECTS_OF_ONE} objects of one, {OBJECTS} in all, the worst
ones; the totals (`klp_trace_relocations`) never lack any.

| metric | type | labels | says | is more than 0, or there, when |
|---|---|---|---|---|
",
        STALE.as_secs()
    );
    for metric in Metric::ALL {
        let labels: Vec<&str> = metric.labels().iter().map(|label| label.name()).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            metric.name(),
            metric.kind().word(),
            labels.join(", "),
            metric.help(),
            metric.nonzero()
        );
    }
    page.push_str("\n## Labels\n\n| label | values |\n|---|---|\n");
    for label in Label::ALL {
        let _ = writeln!(page, "| `{}` | {} |", label.name(), label.values());
    }
    page
}
