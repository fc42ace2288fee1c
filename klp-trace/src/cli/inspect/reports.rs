//! The reports that CI systems read, and the policy that they are held against.

use super::Args;
use crate::cli::assert::policy_file;
use crate::cli::{Exit, Failure};
use crate::elf::names;
use crate::model::Severity;
use crate::output::inspect::gate::Gate;
use crate::output::report::Kind;
use crate::output::sink::LineSink;
use anyhow::anyhow;

/// Reads the policy, which may demand more than `--fail-on`, and makes the reports' files: a run whose result cannot be kept is
/// not begun.
pub(super) fn open(args: &mut Args) -> Result<(Gate, Vec<(Kind, LineSink)>), Failure> {
    if args.late_cost && (args.format().report().is_some() || !args.report.is_empty()) {
        let error = anyhow!("--late-cost measures: nothing in it is met or not");
        return Err(Failure::new(Exit::Usage, error).hint("take --format json"));
    }
    if let Some(extra) = args.report.iter().find(|extra| matches!(extra.kind, Kind::Text | Kind::Json)) {
        let error = anyhow!("{}: inspect has no report of that format", names::path(&extra.file));
        return Err(Failure::new(Exit::Usage, error).hint("--report takes sarif, junit, github, tap or ktap"));
    }
    let policy = policy_file::read(args.policy.as_deref())?;
    if let Some(from) = policy.findings.fail_on.filter(|from| *from < Severity::from(args.lint.fail_on)) {
        args.lint.fail_on = from.into();
    }
    // Which allowances have run out is told in UTC.
    let today = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now()).date();
    let named = args.policy.as_deref().map(names::path);
    let gate = Gate::new(policy, named, (args.lint.fail_on.into(), args.lint.deny.clone()), today);
    let mut reports = Vec::new();
    for extra in &args.report {
        reports.push((extra.kind, LineSink::create_public(&extra.file)?));
    }
    Ok((gate, reports))
}
