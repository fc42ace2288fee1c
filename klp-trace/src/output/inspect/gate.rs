//! What `inspect` found, as checks held against a policy: for the report formats that CI systems read (those of assert).

use std::collections::BTreeSet;
use std::path::Path;

use jiff::civil::Date;

use crate::check_host::{self, Answer};
use crate::elf::names;
use crate::journal;
use crate::lint;
use crate::lint::policy::Selector;
use crate::model::{FindingId, Severity};
use crate::output::report::{Report, Session};
use crate::policy::{Allow, Check, Group, Place, Policy, Rule, Status};

/// Gathers the checks of all files.
#[derive(Debug)]
pub struct Gate {
    policy: Policy,
    /// The policy's file, for the report.
    named: Option<String>,
    fail_on: Severity,
    /// What --deny names: no policy allows it.
    denied: Vec<Selector>,
    today: Date,
    /// Which allowances of the policy were needed.
    used: Vec<bool>,
    files: Vec<Check>,
    lint: Vec<Check>,
    host: Vec<Check>,
}

impl Gate {
    /// Begins. `today` (UTC) decides which allowances have run out.
    pub fn new(
        policy: Policy,
        named: Option<String>,
        (fail_on, denied): (Severity, Vec<Selector>),
        today: Date,
    ) -> Self {
        let used = vec![false; policy.allow.len()];
        let (files, lint, host) = (Vec::new(), Vec::new(), Vec::new());
        Self { policy, named, fail_on, denied, today, used, files, lint, host }
    }

    /// Lets pass what the policy allows, and makes errors of what it denies; before the report is shown in any form.
    pub fn apply(&mut self, patch: &str, report: &mut lint::Report) {
        for finding in &mut report.findings {
            let denied = self.policy.deny.iter().any(|deny| {
                deny.object.is_none()
                    && deny.id.is_none_or(|id| id == finding.id)
                    && deny.rule.as_ref().is_none_or(|rule| rule.0 == finding.rule)
                    && covers(deny.patch.as_ref(), patch)
            });
            if denied || self.denied.iter().any(|selector| selector.picks(finding)) {
                finding.severity = Severity::Error;
                finding.allowed = false;
                finding.reason = None;
                continue;
            }
            for (allow, used) in self.policy.allow.iter().zip(&mut self.used) {
                if !is_about(allow, patch, finding) {
                    continue;
                }
                *used = true;
                if allow.expires.is_none_or(|last| self.today <= last.0) {
                    finding.allowed = true;
                    finding.reason.get_or_insert_with(|| allow.reason.clone());
                }
            }
        }
        for open in &mut report.unchecked {
            self.excuse(patch, open);
        }
    }

    /// Lets pass what could not be looked for, where the policy allows all of that id.
    fn excuse(&mut self, patch: &str, open: &mut lint::Unchecked) {
        let denied = self.policy.deny.iter().any(|deny| deny.id.is_none_or(|id| id == open.id))
            || self.denied.iter().any(|selector| selector.concerns(open.id));
        for (allow, used) in self.policy.allow.iter().zip(&mut self.used) {
            let about = allow.id == open.id && allow.rule.is_none() && allow.object.is_none();
            if denied || !about || !covers(allow.patch.as_ref(), patch) {
                continue;
            }
            *used = true;
            if allow.expires.is_none_or(|last| self.today <= last.0) {
                open.reason.get_or_insert_with(|| allow.reason.clone());
            }
        }
    }

    /// Takes what lint says of a file, the policy applied.
    pub fn lint(&mut self, path: &Path, patch: &str, report: &lint::Report) {
        let file = names::path(path);
        let place = Place { patch: Some(patch.into()), file: Some(file.clone()), ..Place::default() };
        for finding in &report.findings {
            self.lint.push(self.finding(&file, &place, finding));
        }
        for open in &report.unchecked {
            let name = format!("{} {} in {file}: {}", open.id, open.id.name(), open.subject);
            let status = if open.reason.is_some() { Status::Skip } else { Status::Unknown };
            let mut check = Check::new(Rule::Finding(open.id), name, status)
                .what(format!("not checked for {}", open.subject))
                .why(&open.why);
            check.allowed.clone_from(&open.reason);
            check.place.clone_from(&place);
            self.lint.push(check);
        }
        let said: BTreeSet<FindingId> =
            report.findings.iter().map(|f| f.id).chain(report.unchecked.iter().map(|u| u.id)).collect();
        let asked: BTreeSet<FindingId> = lint::policy::abouts().map(|about| about.id).collect();
        for id in asked.difference(&said) {
            let mut check =
                Check::new(Rule::Finding(*id), format!("{id} {} in {file}", id.name()), Status::Pass);
            check.place.clone_from(&place);
            self.lint.push(check);
        }
    }

    fn finding(&self, file: &str, place: &Place, finding: &lint::Finding) -> Check {
        let status =
            if !finding.allowed && finding.severity >= self.fail_on { Status::Fail } else { Status::Pass };
        let section = finding.section.as_ref().map(|section| section.name.as_str());
        let at = section.map(|section| format!(", section {section}")).unwrap_or_default();
        let name = format!("{} {} in {file}{at}", finding.id, finding.rule);
        let mut check = Check::new(Rule::Lint(finding.id, finding.rule), name, status)
            .what(&finding.what)
            .why(&finding.kernel)
            .action(&finding.remedy);
        check.severity = finding.severity;
        if finding.allowed {
            check.allowed = Some(finding.reason.clone().unwrap_or_else(|| "--allow was given".to_owned()));
        }
        check.place = Place { section: section.map(Into::into), ..place.clone() };
        check.relocations = finding.relocations.len() as u64;
        // Every format shows a check that passes because of what was found by the finding that it has.
        check.finding = Some(Box::new(journal::Finding {
            id: finding.id,
            severity: finding.severity,
            message: finding.what.clone(),
            why: finding.kernel.clone(),
            action: finding.remedy.clone(),
            commands: Vec::new(),
            patch: None,
            object: None,
            section: None,
            sections: Vec::new(),
            relocations: u32::try_from(finding.relocations.len()).unwrap_or(u32::MAX),
            first: None,
            kernel: Vec::new(),
            opened_ns: 0,
        }));
        check
    }

    /// Takes whether this host would take a patch.
    pub fn host(&mut self, path: &Path, report: &check_host::Report) {
        let file = names::path(path);
        for asked in &report.checks {
            let status = match asked.answer {
                Answer::Yes => Status::Pass,
                Answer::Unknown => Status::Unknown,
                Answer::Warning if self.fail_on > Severity::Warning => Status::Pass,
                Answer::Warning | Answer::No => Status::Fail,
            };
            let of = asked.object.as_ref().map(|object| format!(", object {object}")).unwrap_or_default();
            let mut check =
                Check::new(Rule::Host(asked.about), format!("{} of {file}{of}", asked.about), status)
                    .what(&asked.what)
                    .action(asked.remedy.clone().unwrap_or_default());
            check.severity = if asked.answer == Answer::No { Severity::Error } else { Severity::Warning };
            check.place = Place {
                patch: Some(report.patch.as_str().into()),
                object: asked.object.as_deref().map(Into::into),
                section: None,
                file: Some(file.clone()),
            };
            self.host.push(check);
        }
    }

    /// Takes a file that cannot be read as a module, and why.
    pub fn unreadable(&mut self, path: &Path, why: &str) {
        let file = names::path(path);
        let mut check = Check::new(Rule::File, format!("{file} can be read"), Status::Unknown).what(why);
        check.place.file = Some(file);
        self.files.push(check);
    }

    /// Takes a demand on the run as a whole that is not met, such as that there is a livepatch.
    pub fn unmet(&mut self, name: &str, what: &str) {
        self.files.push(Check::new(Rule::File, name, Status::Fail).what(what));
    }

    /// The report.
    pub fn report(self, exit: (u8, &'static str)) -> Report {
        let allowances = self.allowances();
        let groups = [("lint", self.lint), ("check-host", self.host), ("policy", allowances)];
        let groups = groups
            .into_iter()
            .filter(|(_, checks)| !checks.is_empty())
            .map(|(name, checks)| Group::new(name, checks));
        let uname = rustix::system::uname();
        let kernel = format!("{} {}", uname.release().to_string_lossy(), uname.machine().to_string_lossy());
        let session = Session {
            host: uname.nodename().to_string_lossy().into_owned(),
            kernel,
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            times: None,
            groups: groups.collect(),
        };
        Report {
            exit,
            policy: self.named,
            sessions: vec![session],
            run: Group::new("files", self.files),
            command: None,
        }
    }

    /// Allowances of rules that have run out, or that nothing needed. Those without a rule may be for `assert`.
    fn allowances(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        for (allow, used) in self.policy.allow.iter().zip(&self.used) {
            if !used && allow.rule.is_none() {
                continue;
            }
            let rule = allow.rule.as_ref().map(|rule| format!(" {}", rule.0)).unwrap_or_default();
            let name = format!("allowance of {}{rule}", allow.id);
            let check = match allow.expires.filter(|last| self.today > last.0) {
                Some(last) => {
                    Check::new(Rule::Allowance, name, Status::Skip).what(format!("it ended with {last}"))
                }
                None if *used => Check::new(Rule::Allowance, name, Status::Pass).what(allow.reason.clone()),
                None => Check::new(Rule::Allowance, name, Status::Skip).what("nothing needed it"),
            };
            checks.push(check);
        }
        checks
    }
}

/// Whether an allowance is about a finding of inspect. One that names an object is about what a kernel shows.
fn is_about(allow: &Allow, patch: &str, finding: &lint::Finding) -> bool {
    allow.object.is_none()
        && allow.id == finding.id
        && allow.rule.as_ref().is_none_or(|rule| rule.0 == finding.rule)
        && covers(allow.patch.as_ref(), patch)
}

fn covers(pattern: Option<&String>, name: &str) -> bool {
    pattern.is_none_or(|pattern| crate::model::glob::matches(pattern, name))
}
