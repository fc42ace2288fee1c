//! One line for each event of the kinds that have one; a block for a finding.

use super::layout::{Layout, Mark, count, name, relocation};
use super::words;
use crate::journal::{
    AddressLookup, Blocking, Body, Elf, Event, EventsLost, Finding, FindingClosed, HookEvent, Livepatch,
    Lookup, Memory, ModuleAction, ModuleEvent, Nearest, PatchMetadata, SectionRead, Session, Stall,
    SymbolLookup, Task, Transition,
};
use crate::model::{Phase, Severity};
use crate::output::style::Tone;
use std::fmt::Write as _;

const NS_PER_S: u64 = 1_000_000_000;

/// Whether a lookup did not find its symbol for certain.
pub(super) fn is_failed(lookup: &SymbolLookup) -> bool {
    matches!(lookup.outcome, Lookup::Failed { .. })
}

/// Whether a module came or went, or a livepatch was there already.
pub(super) fn is_change(module: &ModuleEvent) -> bool {
    match module.action {
        ModuleAction::Loaded | ModuleAction::Freed | ModuleAction::Unsettled => true,
        ModuleAction::Present | ModuleAction::Loading | ModuleAction::Unloading => module.livepatch,
        ModuleAction::Absent => false,
    }
}

impl Layout {
    /// Adds the lines of an event that is no `RelocState`.
    pub(super) fn event(&mut self, event: &Event, verbose: bool, out: &mut Vec<String>) {
        let at = event.mono_ns;
        if let Body::Finding(finding) = &event.body {
            self.finding(at, finding, out);
        } else if let Some((mark, text)) = self.told(event, verbose) {
            out.push(self.line(at, mark, &text));
        }
        if let Body::Stall(stall) = &event.body {
            out.extend(stall.found.blocking.iter().map(|task| self.blocking(task)));
        }
        if let Body::Session(session) = &event.body
            && verbose
        {
            for hook in session.hooks.iter().filter(|hook| hook.mechanism.is_none()) {
                let why = hook.reason.as_deref().unwrap_or("no reason given");
                out.push(self.under(&format!("not attached: {}: {}", hook.name, name(why))));
            }
        }
    }

    /// Mark and text of an event that has a line of its own.
    pub(crate) fn told(&mut self, event: &Event, verbose: bool) -> Option<(Mark, String)> {
        let task = event.task.as_deref();
        Some(match &event.body {
            Body::Session(session) => Self::session(session),
            Body::PatchMetadata(meta) => self.metadata(meta, verbose),
            Body::SymbolLookup(lookup) => self.symbol(lookup),
            Body::AddressLookup(lookup) => Self::address(lookup),
            Body::Livepatch(found) => self.livepatch(found),
            Body::Module(module) => Self::module(module, task),
            Body::Hook(hook) => self.hook(hook, task),
            Body::SectionRead(read) => self.section_read(read),
            Body::Transition(transition) => self.transition(transition),
            Body::Stall(stall) => self.stall(stall),
            Body::KernelMessage(message) => (Mark::notice("kernel"), name(&message.text).into_owned()),
            Body::EventsLost(lost) => Self::lost(lost),
            Body::FindingClosed(closed) => (Mark::notice("closed"), self.closed(event.mono_ns, closed)),
            Body::Finding(_) | Body::RelocState(_) | Body::SessionEnd(_) => return None,
        })
    }

    /// `KLP001 stale-after-unload  lp / tmod  after 12.3 s: the patch's module was removed`.
    fn closed(&self, at: u64, closed: &FindingClosed) -> String {
        let who = match (&closed.patch, &closed.object) {
            (None, None) => String::new(),
            (patch, object) => format!("  {}", self.who(patch.as_ref(), object.as_ref())),
        };
        let held = at.saturating_sub(closed.opened_ns);
        format!(
            "{} {}{who}  held for {}.{} s: {}",
            closed.id,
            closed.id.name(),
            held / 1_000_000_000,
            held / 100_000_000 % 10,
            words::ended(closed.end)
        )
    }

    fn session(session: &Session) -> (Mark, String) {
        let attached: Vec<_> = session.hooks.iter().filter_map(|hook| hook.mechanism.as_deref()).collect();
        let mut mechanisms = attached.clone();
        mechanisms.sort_unstable();
        mechanisms.dedup();
        let by: Vec<_> = mechanisms.iter().map(|mechanism| name(mechanism)).collect();
        let mut text = format!("{} of {} hooks attached", attached.len(), session.hooks.len());
        if !by.is_empty() {
            let _ = write!(text, " ({})", by.join(", "));
        }
        if session.memory == Memory::Kcore {
            text.push_str("; memory is read through /proc/kcore");
        }
        text.push_str(if session.clears {
            "; this kernel clears relocations when an object goes"
        } else {
            "; this kernel does not clear relocations when an object goes"
        });
        (Mark::notice("session"), text)
    }

    fn metadata(&self, meta: &PatchMetadata, verbose: bool) -> (Mark, String) {
        let patch = self.who(Some(&meta.patch), None);
        let (mark, mut text) = match &meta.elf {
            Elf::File { path, build_id: Some(id) } => {
                (Mark::notice("file"), format!("{patch}  {} (build-id {})", name(path), name(id)))
            }
            Elf::File { path, build_id: None } => {
                (Mark::notice("file"), format!("{patch}  {} (it has no build-id)", name(path)))
            }
            Elf::Memory { why } => (
                Mark::unsure("no file"),
                format!("{patch}  {}; the kernel's own copy, a weaker witness, is used", name(why)),
            ),
            Elf::Differs { path, difference } => {
                (Mark::bad("differs"), format!("{patch}  {}: {}", name(path), name(difference)))
            }
        };
        if verbose {
            let section = name(&meta.section.name);
            let _ = write!(text, "; {section} relocates {} of {}", meta.total, name(&meta.target));
        }
        (mark, text)
    }

    fn symbol(&self, lookup: &SymbolLookup) -> (Mark, String) {
        let object = self.who(None, Some(&lookup.object));
        let symbol = name(&lookup.symbol);
        let symbol = if lookup.sympos == 0 { symbol } else { format!("{symbol},{}", lookup.sympos).into() };
        match lookup.outcome {
            Lookup::Found { address, .. } => {
                (Mark::notice("symbol"), format!("{object}  {symbol} is at {address}"))
            }
            Lookup::Failed { why } => {
                (Mark::unsure("symbol"), format!("{object}  {symbol} has no certain address: {}", why.word()))
            }
        }
    }

    fn address(lookup: &AddressLookup) -> (Mark, String) {
        let place = match &lookup.nearest {
            Some(Nearest { object, symbol, offset }) => {
                format!("is {}:{}+{offset:#x}", name(object), name(symbol))
            }
            None => "belongs to no symbol".to_owned(),
        };
        (Mark::notice("address"), format!("{} {place}", lookup.address))
    }

    fn livepatch(&self, found: &Livepatch) -> (Mark, String) {
        let patch = self.who(Some(&found.patch), None);
        let standing = words::standing(found.standing);
        match (&found.unread, found.sections) {
            (Some(why), _) => {
                (Mark::unsure("unread"), format!("{patch}  {standing}; {}", name(&why.to_string())))
            }
            (None, 0) => {
                (Mark::notice("patch"), format!("{patch}  {standing}; no klp relocations: nothing to check"))
            }
            (None, sections) => {
                let sections = count(u64::from(sections), "relocation section");
                (Mark::notice("patch"), format!("{patch}  {standing}; {sections}"))
            }
        }
    }

    fn module(module: &ModuleEvent, task: Option<&Task>) -> (Mark, String) {
        let word = match module.action {
            ModuleAction::Present => "found",
            ModuleAction::Loading => "loading",
            ModuleAction::Unloading => "unloading",
            ModuleAction::Absent => "absent",
            ModuleAction::Loaded => "loaded",
            ModuleAction::Freed => "unloaded",
            ModuleAction::Unsettled => "unsettled",
        };
        let what = if module.livepatch { "livepatch" } else { "module" };
        (Mark::notice(word), format!("{what} {}{}", name(&module.name), by(task)))
    }

    fn hook(&self, hook: &HookEvent, task: Option<&Task>) -> (Mark, String) {
        let mut about = self.who(hook.patch.as_ref(), hook.object.as_ref());
        if let Some(section) = hook.section.as_ref().filter(|section| !section.name.is_empty()) {
            let _ = write!(about, "  {}", name(&section.name));
        }
        let by = by(task);
        match (hook.phase, hook.ret) {
            (Phase::Enter, _) => (Mark::notice("enter"), format!("{}  {about}{by}", hook.hook)),
            (Phase::Exit, Some(ret)) if ret < 0 => {
                (Mark::bad("failed"), format!("{about}  {} returned {}{by}", hook.hook, words::errno(ret)))
            }
            (Phase::Exit, Some(ret)) => {
                (Mark::notice("exit"), format!("{}  {about} returned {ret}{by}", hook.hook))
            }
            (Phase::Exit, None) => (Mark::notice("exit"), format!("{}  {about}{by}", hook.hook)),
        }
    }

    fn section_read(&mut self, read: &SectionRead) -> (Mark, String) {
        let columns = self.columns(&read.patch, &read.object, &read.section.name);
        let total = count(u64::from(read.total), "relocation");
        if read.lost > 0 {
            let text = format!("{columns}  the records of {} out of {total} were lost", read.lost);
            return (Mark::unsure("lost"), text);
        }
        (Mark::notice("read"), format!("{columns}  {total} at {}", read.read))
    }

    fn transition(&self, transition: &Transition) -> (Mark, String) {
        let patch = match &transition.patch {
            Some(patch) => self.who(Some(patch), None),
            None => "(unknown patch)".to_owned(),
        };
        (Mark::notice("patch"), format!("{patch}  {}", words::step(transition.step)))
    }

    fn stall(&self, stall: &Stall) -> (Mark, String) {
        let patch = self.who(Some(&stall.patch), None);
        let found = &stall.found;
        let hindered = found.looked.as_ref().is_some_and(|looked| looked.hindrance.is_some());
        let tasks = match (found.tasks, hindered) {
            (0, true) => "who holds it up could not be seen".to_owned(),
            (tasks, true) => {
                format!("{} not there yet, others could not be seen", count(u64::from(tasks), "task"))
            }
            (tasks, false) => format!("{} not there yet", count(u64::from(tasks), "task")),
        };
        let text = match found.waited_ns {
            Some(waited) => format!("{patch}  in transition for {} s; {tasks}", waited / NS_PER_S),
            None => format!("{patch}  in transition; {tasks}"),
        };
        (Mark::notice("stall"), text)
    }

    fn blocking(&self, task: &Blocking) -> String {
        let Blocking { pid, comm, patch_state, stack, .. } = task;
        let at = stack.first().map(|frame| format!(", in {}", name(frame))).unwrap_or_default();
        self.under(&format!("{} (pid {pid}): patch_state {patch_state}{at}", name(comm)))
    }

    fn finding(&self, at: u64, finding: &Finding, out: &mut Vec<String>) {
        let word = match finding.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let title = self.style.paint(Tone::Plain, &format!("{} {}", finding.id, finding.id.name()));
        let text = format!("{title}: {}", name(&finding.message));
        out.push(self.marked(at, &self.style.severity(finding.severity), word, &text));
        out.push(self.under(&format!("why  {}", name(&finding.why))));
        out.push(self.under(&format!("do   {}", name(&finding.action))));
        out.extend(finding.commands.iter().map(|command| self.command(command)));
        let place = finding.section.as_ref().map(|section| name(&section.name));
        if let (Some(section), Some(first)) = (place, &finding.first) {
            let all = count(u64::from(finding.relocations), "relocation");
            out.push(self.under(&format!("at   {section} {} ({all})", relocation(first))));
        }
        for covered in &finding.sections {
            let all = count(u64::from(covered.relocations), "relocation");
            out.push(self.under(&format!("     {}: {all}", name(&covered.name))));
        }
        out.extend(finding.kernel.iter().map(|said| self.under(&format!("kernel: {}", name(said)))));
    }

    fn lost(lost: &EventsLost) -> (Mark, String) {
        let records = match lost.count {
            0 => "records".to_owned(),
            number => count(number, "record"),
        };
        let text = format!("{records} of {}: {}", words::whose(lost.hook), words::cause(lost.cause));
        (Mark::unsure("lost"), text)
    }
}

/// `, by modprobe[812]`.
fn by(task: Option<&Task>) -> String {
    task.map(|task| format!(", by {}[{}]", name(&task.comm), task.tgid)).unwrap_or_default()
}
