//! An audit for people: patch, object, section, each with its counts; what is wrong in detail; findings; one line of
//! summary.

use super::{Found, Reloc, Report, Section};
use crate::arch::writes_over_zero_alone;
use crate::journal::{Elf, Finding, Memory, RelocState};
use crate::model::Verdict;
use crate::output::style::{Style, Tone};
use crate::output::text::layout::{column_width, count, name, relocation};
use crate::output::text::words;
use crate::output::wrap;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// Relocations of a section named in detail; `--verbose` names all.
const NAMED: usize = 16;

impl Report {
    /// The lines.
    pub fn text(&self, style: Style, verbose: bool, exit_code: u8, meaning: &str) -> Vec<String> {
        let mut out = Vec::new();
        self.head(&mut out);
        out = out.iter().map(|line| style.wrap(line)).collect();
        if self.livepatches.is_empty() {
            out.push("nothing to audit: no livepatch is loaded".to_owned());
        }
        for ((patch_name, _), patch) in &self.livepatches {
            if patch.is_shown() {
                out.push(String::new());
                self.patch(patch_name, patch, style, verbose, &mut out);
            }
        }
        if !self.findings.is_empty() {
            out.push(String::new());
        }
        for finding in &self.findings {
            tell(finding, style, &mut out);
        }
        out.push(String::new());
        if !self.filter.is_empty() {
            out.push("the filter limits what is shown above; all is judged and counted below".to_owned());
        }
        out.push(style.wrap(&self.line(exit_code, meaning)));
        out
    }

    /// The lines that are left when only what is wrong is asked for: the findings, and the line that says how it ends.
    pub fn wrong(&self, style: Style, exit_code: u8, meaning: &str) -> Vec<String> {
        let mut out = Vec::new();
        for finding in &self.findings {
            tell(finding, style, &mut out);
        }
        out.push(style.wrap(&self.line(exit_code, meaning)));
        out
    }

    fn head(&self, out: &mut Vec<String>) {
        let host = &self.origin.host;
        let (node, release) = (name(&host.name), name(&host.kernel.release));
        let mut head = format!("audit of {node}, Linux {release} {}", name(&host.kernel.arch));
        let Some((at, session)) = &self.session else {
            out.push(head);
            return;
        };
        let time = self.origin.clock.time(*at).0.strftime("%Y-%m-%d %H:%M:%S UTC");
        let _ = write!(head, ", {time}");
        out.push(head);
        if self.livepatches.is_empty() {
            return;
        }
        let attached = session.hooks.iter().filter(|hook| hook.mechanism.is_some()).count();
        let watch = match attached {
            0 => "no hook is attached, so everything was read twice".to_owned(),
            attached => format!("{} watched for changes meanwhile", count(attached as u64, "hook")),
        };
        let memory = match session.memory {
            Memory::Bpf => "eBPF",
            Memory::Kcore => "/proc/kcore",
        };
        out.push(format!("memory read by {memory}; {watch}"));
        out.push(
            if session.clears {
                "this kernel clears relocations when their object is unloaded: what is stale was left by a failed load, a clear \
                 that stopped, or a patch that is disabled or replaced"
            } else if writes_over_zero_alone(&host.kernel.arch) {
                "this kernel never clears relocations: once an object is unloaded its values stay (stale), and its next load is \
                 refused (-ENOEXEC) until the patch is disabled and removed"
            } else {
                "this kernel never clears relocations: once an object is unloaded its values stay (stale) until its next load \
                 writes over them"
            }
            .to_owned(),
        );
    }

    fn patch(&self, patch_name: &str, patch: &Found, style: Style, verbose: bool, out: &mut Vec<String>) {
        let standing = patch.livepatch.as_ref().map_or("", |found| words::standing(found.standing));
        out.push(format!("{}  {standing}", style.paint(Tone::Plain, &name(patch_name))));
        if let Some(note) = patch.note() {
            out.push(format!("  {}", name(&note)));
        }
        for line in witnesses(patch) {
            out.push(style.wrap(&format!("  {line}")));
        }
        for (object, sections) in &patch.objects {
            let shown = |section: &&Section| patch.shown || section.relocs.values().any(|reloc| reloc.shown);
            if sections.values().any(|section| shown(&section)) {
                out.push(format!(
                    "  {} {}  {}",
                    style.symbol("→", "->"),
                    name(object),
                    self.presence(object)
                ));
            }
            let names: Vec<_> = sections.values().map(|section| name(&section.name)).collect();
            let widest = column_width(names.iter().map(|name| &**name));
            for section in sections.values().filter(shown) {
                section_lines(section, widest, style, verbose, out);
            }
        }
    }

    fn presence(&self, object: &Arc<str>) -> &'static str {
        if &**object == "vmlinux" {
            "the kernel itself"
        } else if self.unsettled.contains(object) {
            "kept coming and going: try again when it holds still"
        } else if self.loaded.contains(object) {
            "loaded"
        } else {
            "not loaded"
        }
    }
}

/// Which ELF the patch's verdicts rest on: one line, or one for each that differs.
fn witnesses(patch: &Found) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for section in patch.objects.values().flat_map(BTreeMap::values) {
        let line = match &section.elf {
            Elf::File { path, build_id: Some(id) } => format!("file  {} (build-id {})", name(path), name(id)),
            Elf::File { path, build_id: None } => format!("file  {} (it has no build-id)", name(path)),
            Elf::Memory { why } => {
                format!("file  none: {}; the kernel's own copy stands in for it, a weaker witness", name(why))
            }
            Elf::Differs { path, difference } => format!(
                "file  {} is not what was loaded: {}; nothing is judged by it",
                name(path),
                name(difference)
            ),
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

fn section_lines(section: &Section, widest: usize, style: Style, verbose: bool, out: &mut Vec<String>) {
    let counts: Vec<String> = section
        .verdicts()
        .iter()
        .rev()
        .map(|(verdict, count)| format!("{} {count}", style.verdict(*verdict)))
        .collect();
    let counts = if counts.is_empty() { "none that is judged".to_owned() } else { counts.join(", ") };
    let rests = rests_on(section).map(|on| style.paint(Tone::Dim, &format!("  by {on}"))).unwrap_or_default();
    out.push(style.wrap(&format!("    {:widest$}  {counts}{rests}", name(&section.name))));
    let worth = |reloc: &&Reloc| {
        reloc.shown && (verbose || reloc.state.verdict.is_some_and(|v| v.is_bad() || v == Verdict::Unknown))
    };
    let all: Vec<&RelocState> = section.relocs.values().filter(worth).map(|reloc| &reloc.state).collect();
    // A section of which nothing can be told, for one reason, needs that reason alone.
    let reason = all.first().and_then(|state| state.reason);
    let alike = all.iter().all(|state| state.verdict == Some(Verdict::Unknown) && state.reason == reason);
    if alike && !verbose && all.len() > 1 {
        if let Some(reason) = reason {
            out.push(format!("      {} {reason}", style.verdict(Verdict::Unknown)));
        }
        return;
    }
    let named = if verbose { all.len() } else { NAMED };
    for state in all.iter().take(named) {
        detail(state, style, out);
    }
    if all.len() > named {
        out.push(format!("      and {} more (--verbose names them)", all.len() - named));
    }
}

/// The witnesses of a section's verdicts, where they all have the same.
fn rests_on(section: &Section) -> Option<String> {
    let mut all = section.relocs.values().filter(|reloc| reloc.state.verdict.is_some());
    let first = all.next()?.state.witnesses?;
    if all.any(|reloc| reloc.state.witnesses.is_none_or(|witnesses| witnesses.elf != first.elf)) {
        return None;
    }
    let with_symbols =
        section.relocs.values().find_map(|reloc| reloc.state.witnesses.and_then(|found| found.symbols));
    let elf = match first.elf {
        crate::journal::ElfWitness::File => "file",
        crate::journal::ElfWitness::Memory => "the kernel's copy",
        crate::journal::ElfWitness::Differs => "no file",
    };
    let symbols = with_symbols.map(|from| format!(", {}", from.word())).unwrap_or_default();
    Some(format!("{elf}{symbols}, {}", first.memory.word()))
}

/// One relocation: where it is, where its symbol is by the kernel's record and by an independent lookup, what is there.
fn detail(state: &RelocState, style: Style, out: &mut Vec<String>) {
    let verdict = state.verdict.map_or_else(|| "listed".to_owned(), |verdict| style.verdict(verdict));
    let reason = state.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let address = state.address.map(|address| format!(" at {address}")).unwrap_or_default();
    out.push(style.wrap(&format!("      {verdict}{reason} {}{address}", relocation(&state.reloc))));
    let mut facts = Vec::new();
    if let Some(actual) = state.actual {
        facts.push(format!("holds {actual}"));
    }
    if let Some(expected) = state.expected {
        facts.push(format!("expected {expected}"));
    }
    match state.recorded.map(|value| value.0) {
        Some(0) => facts.push("symbol never resolved".to_owned()),
        Some(value) => facts.push(format!("symbol recorded {value:#x}")),
        None => {}
    }
    if let Some(live) = state.live {
        facts.push(format!("really at {live}"));
    }
    if !facts.is_empty() {
        out.push(style.wrap(&format!("          {}", facts.join(", "))));
    }
}

fn tell(finding: &Finding, style: Style, out: &mut Vec<String>) {
    let title = format!("{} {}", finding.id, finding.id.name());
    out.push(wrap::hanging(
        &format!("{} {title}: {}", style.severity(finding.severity), name(&finding.message)),
        4,
        style.width,
    ));
    out.push(style.wrap(&format!("    why  {}", name(&finding.why))));
    out.push(style.wrap(&format!("    do   {}", name(&finding.action))));
    out.extend(finding.commands.iter().map(|command| format!("         {}", name(command))));
}

impl Found {
    /// Why there is nothing to tell of its relocations.
    pub(super) fn note(&self) -> Option<Cow<'static, str>> {
        let found = self.livepatch.as_ref()?;
        match (&found.unread, found.sections) {
            (Some(why), _) => Some(why.to_string().into()),
            (None, 0) => Some("no klp relocations: nothing to check".into()),
            (None, _) => None,
        }
    }

    pub(super) fn is_unread(&self) -> bool {
        self.livepatch.as_ref().is_some_and(|found| found.unread.is_some())
    }

    pub(super) fn standing(&self) -> &'static str {
        self.livepatch.as_ref().map_or("", |found| found.standing.word())
    }

    fn is_shown(&self) -> bool {
        let any = |section: &Section| section.relocs.values().any(|reloc| reloc.shown);
        self.shown || self.objects.values().flat_map(BTreeMap::values).any(any)
    }
}
