//! The table at the end: what became of each section's relocations, the findings, the losses.

use super::layout::{Layout, column_width, count, name};
use super::words;
use crate::journal::{
    Body, Event, Finding, Host, ModuleAction, ModuleEvent, PatchMetadata, RelocState, SessionEnd, Totals,
};
use crate::model::{FindingId, Severity, Verdict};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// What has been seen so far.
#[derive(Debug, Default)]
pub(super) struct Summary {
    host: String,
    span: Option<(u64, u64)>,
    /// By the patch's address and the section's index.
    rows: BTreeMap<(u64, u32), Row>,
    findings: BTreeMap<FindingId, Kind>,
    lost: u64,
    losses: u64,
    hidden: u64,
    end: Option<SessionEnd>,
}

/// Remedies of one kind of finding that are named.
const REMEDIES: usize = 8;

/// The findings of one id.
#[derive(Debug)]
struct Kind {
    severity: Severity,
    times: u64,
    /// What to do, each once: the sentence and its commands.
    remedies: Vec<(String, Vec<String>)>,
    /// Remedies beyond those that are kept.
    more: u64,
}

/// A section of a loaded patch.
#[derive(Debug, Default)]
struct Row {
    patch: Arc<str>,
    object: Arc<str>,
    section: Arc<str>,
    total: u64,
    /// Relocations of which something was said.
    said: u64,
    verdicts: Totals,
}

impl Summary {
    pub(super) fn set_host(&mut self, host: &Host) {
        let Host { name: node, kernel, .. } = host;
        self.host = format!("{}, Linux {} {}", name(node), name(&kernel.release), name(&kernel.arch));
    }

    /// Starts anew, on the same host.
    pub(super) fn forget(&mut self) {
        *self = Self { host: std::mem::take(&mut self.host), ..Self::default() };
    }

    /// Whether anything was found or lost, or cannot be told.
    pub(super) fn is_of_note(&self) -> bool {
        let unknown = |row: &Row| row.verdicts().contains_key(&Verdict::Unknown);
        !self.findings.is_empty() || self.losses > 0 || self.rows.values().any(unknown)
    }

    pub(super) fn take(&mut self, event: &Event, shown: bool) {
        let first = self.span.map_or(event.mono_ns, |(first, _)| first);
        self.span = Some((first, event.mono_ns));
        self.hidden += u64::from(!shown);
        match &event.body {
            Body::PatchMetadata(meta) => self.metadata(meta),
            Body::RelocState(state) => self.state(state),
            Body::Module(module) => self.module(module),
            Body::Finding(finding) => {
                let new = Kind { severity: finding.severity, times: 0, remedies: Vec::new(), more: 0 };
                self.findings.entry(finding.id).or_insert(new).take(finding);
            }
            Body::EventsLost(lost) => {
                self.lost = self.lost.saturating_add(lost.count);
                self.losses += 1;
            }
            Body::SessionEnd(end) => self.end = Some(end.clone()),
            Body::Session(_)
            | Body::SymbolLookup(_)
            | Body::AddressLookup(_)
            | Body::Livepatch(_)
            | Body::Hook(_)
            | Body::SectionRead(_)
            | Body::Transition(_)
            | Body::Stall(_)
            | Body::FindingClosed(_)
            | Body::KernelMessage(_) => {}
        }
    }

    fn metadata(&mut self, meta: &PatchMetadata) {
        let row = self.rows.entry((meta.patch.address.0, meta.section.index)).or_default();
        // The first of a section's records: its relocations start from nothing.
        if meta.entries.first().is_none_or(|entry| entry.index == 0) {
            *row = Row::default();
        }
        row.patch = meta.patch.name.clone();
        row.object = meta.object.clone();
        row.section = meta.section.name.clone();
        row.total = u64::from(meta.total);
    }

    fn state(&mut self, state: &RelocState) {
        let row = self.rows.entry((state.patch.address.0, state.section.index)).or_default();
        if row.patch.is_empty() {
            row.patch = state.patch.name.clone();
            row.object = state.object.name.clone();
            row.section = state.section.name.clone();
        }
        match state.previous.and_then(|previous| row.verdicts.get_mut(&previous)) {
            Some(number) => *number = number.saturating_sub(1),
            None => row.said += 1,
        }
        if let Some(verdict) = state.verdict {
            *row.verdicts.entry(verdict).or_default() += 1;
        }
    }

    fn module(&mut self, module: &ModuleEvent) {
        if !matches!(module.action, ModuleAction::Freed | ModuleAction::Absent) {
            return;
        }
        match module.address {
            Some(address) => self.rows.retain(|(patch, _), _| *patch != address.0),
            None => self.rows.retain(|_, row| row.patch != module.name),
        }
    }

    pub(super) fn lines(&self, layout: &Layout, filtered: bool, out: &mut Vec<String>) {
        out.push(String::new());
        out.push(layout.style.wrap(&self.title(layout)));
        self.table(layout, out);
        if self.findings.is_empty() {
            out.push("no findings".to_owned());
        }
        for (id, kind) in &self.findings {
            let open = self.end.as_ref().map(|end| end.open.get(id).copied().unwrap_or(0));
            kind.lines(*id, open, layout, out);
        }
        if self.losses > 0 {
            let number = if self.lost > 0 { count(self.lost, "record") } else { "records".to_owned() };
            out.push(format!("lost: {number}, on {}", count(self.losses, "occasion")));
        }
        if filtered {
            out.push(format!("hidden by the filter, judged all the same: {}", count(self.hidden, "event")));
        }
    }

    fn title(&self, layout: &Layout) -> String {
        let mut title = "summary".to_owned();
        if !self.host.is_empty() {
            let _ = write!(title, "  {}", self.host);
        }
        if let Some((first, last)) = self.span {
            let (from, to) = (layout.date(first), layout.date(last));
            let day = |day: Option<jiff::civil::Date>| day.map(|day| format!("{day} ")).unwrap_or_default();
            let until = if from == to { String::new() } else { day(to) };
            let (first, last) = (layout.time(first), layout.time(last));
            let utc = if from.is_some() { " UTC" } else { " s since boot" };
            let _ = write!(title, ", {}{} to {until}{}{utc}", day(from), first.trim(), last.trim());
        }
        if let Some(end) = &self.end {
            let _ = write!(title, ", {}", words::end(end.reason));
        }
        title
    }

    fn table(&self, layout: &Layout, out: &mut Vec<String>) {
        if self.rows.is_empty() {
            out.push("  no livepatch with relocations is loaded".to_owned());
            return;
        }
        let mut rows: Vec<_> = self.rows.values().collect();
        rows.sort_by(|a, b| (&a.patch, &a.object, &a.section).cmp(&(&b.patch, &b.object, &b.section)));
        let mut all = Totals::new();
        let mut cells = vec![["patch".into(), "object".into(), "section".into(), "relocations".to_owned()]];
        for row in rows {
            let verdicts = row.verdicts();
            for (verdict, number) in &verdicts {
                *all.entry(*verdict).or_default() += number;
            }
            let names = [&row.patch, &row.object, &row.section].map(|text| name(text).into_owned());
            let [patch, object, section] = names;
            cells.push([patch, object, section, numbers(layout, &verdicts)]);
        }
        if cells.len() > 2 {
            cells.push(["total".into(), String::new(), String::new(), numbers(layout, &all)]);
        }
        let width =
            |column: fn(&[String; 4]) -> &String| column_width(cells.iter().map(|row| &**column(row)));
        let (patch, object, section) = (width(|row| &row[0]), width(|row| &row[1]), width(|row| &row[2]));
        for [a, b, c, d] in &cells {
            out.push(layout.style.wrap(&format!("  {a:patch$}  {b:object$}  {c:section$}  {d}")));
        }
    }
}

impl Kind {
    fn take(&mut self, finding: &Finding) {
        self.severity = self.severity.max(finding.severity);
        self.times += 1;
        if self.remedies.iter().any(|(action, _)| *action == finding.action) {
            return;
        }
        if self.remedies.len() < REMEDIES {
            self.remedies.push((finding.action.clone(), finding.commands.clone()));
        } else {
            self.more += 1;
        }
    }

    /// `open`: how many hold at the end, where that is known.
    fn lines(&self, id: FindingId, open: Option<u32>, layout: &Layout, out: &mut Vec<String>) {
        let mut said = if self.times == 1 { String::new() } else { format!(", {} times", self.times) };
        match open {
            Some(0) if self.times == 1 => said.push_str("; over: it does not hold any more"),
            Some(0) => said.push_str("; over: none holds any more"),
            Some(open) if u64::from(open) < self.times => {
                let _ = write!(said, "; {open} at the end");
            }
            _ => {}
        }
        out.push(format!("{} {id} {}{said}", layout.style.severity(self.severity), id.name()));
        // What is over needs no remedy.
        if open == Some(0) {
            return;
        }
        for (action, commands) in &self.remedies {
            out.push(layout.style.wrap(&format!("    do   {}", name(action))));
            out.extend(commands.iter().map(|command| format!("         {}", name(command))));
        }
        if self.more > 0 {
            out.push(format!("    and {}", count(self.more, "other remedy").replace("remedys", "remedies")));
        }
    }
}

impl Row {
    /// Relocations by verdict; those never read are `unknown`.
    fn verdicts(&self) -> Totals {
        let mut verdicts = self.verdicts.clone();
        let unread = self.total.saturating_sub(self.said);
        if unread > 0 {
            *verdicts.entry(Verdict::Unknown).or_default() += unread;
        }
        verdicts.retain(|_, number| *number > 0);
        verdicts
    }
}

/// `▲ stale 12, ✓ applied 4`, worst first.
fn numbers(layout: &Layout, verdicts: &Totals) -> String {
    let words: Vec<_> = verdicts
        .iter()
        .rev()
        .map(|(verdict, number)| format!("{} {number}", layout.style.verdict(*verdict)))
        .collect();
    if words.is_empty() { "none that is judged".to_owned() } else { words.join(", ") }
}
