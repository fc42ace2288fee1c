//! KLP016: a relocation's symbol is in a module of its own, neither the object that gates its section nor the kernel. livepatch
//! writes a section when its object is loaded, or with the patch, and clears it when that object goes (kernel/livepatch/core.c,
//! `klp_module_coming`, `klp_module_going`, 6.1 to 7.3); it takes no reference to the module of a symbol. When that one goes, what
//! was written points to where it was.

use super::{
    conclude::{self, Target, World, judgement},
    counts::Known,
    gathered::Gathered,
    judge::{Context, Judgement},
    objects::{Objects, VMLINUX},
    remedy,
    section::{Patch, Reloc, Section},
    verifier::{NeededSymbol, Verifier},
};
use crate::{
    arch::Arch,
    journal::{Body, Finding, ModuleAction, PatchRef, SymbolLookup},
    model::{Address, Bytes, FindingId, Reason, Severity, Verdict},
};
use std::{collections::BTreeSet, sync::Arc};

/// What KLP016 was said of one module's symbols.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SaidOfThird {
    /// Why the values are stale, and of how many it was said.
    stale: Option<(Reason, u32)>,
    /// The load of the module of which it was foretold.
    foretold: Option<u32>,
}

/// The module that a relocation's symbol is in, if that is neither the gate, nor the kernel, nor the patch itself.
pub(super) fn of(reloc: &Reloc, gate: &str, patch: &str) -> Option<Arc<str>> {
    let object = reloc.symbol_object.as_ref()?;
    (![VMLINUX, gate, patch].contains(&&**object)).then(|| Arc::clone(object))
}

impl SaidOfThird {
    /// Its going is foretold again when nothing keeps it any more.
    pub(super) const fn foretell_again(&mut self) {
        self.foretold = None;
    }
}

impl Reloc {
    /// Whether it points to where a symbol of that module was, or did before it became `unknown`.
    pub(super) fn dangles(&self, third: &str) -> bool {
        self.is_in(third) && self.known == Some(Known::StaleOfThird)
    }

    fn is_in(&self, third: &str) -> bool {
        self.third && self.symbol_object.as_deref() == Some(third)
    }

    /// It holds what is right for its symbol, or was before the symbol's module went.
    fn holds(&self) -> bool {
        let of_third = self.reason.is_some_and(Reason::is_of_third);
        self.verdict == Some(Verdict::Applied) || (self.verdict == Some(Verdict::Stale) && of_third)
    }
}

impl Verifier {
    /// A livepatch whose symbols others use comes or goes.
    pub(super) fn third_module(
        &mut self,
        name: &Arc<str>,
        action: ModuleAction,
        address: Option<Address>,
        say: &mut dyn FnMut(Body),
    ) {
        if !self.sections_of(name).any(|_| true) {
            return;
        }
        match action {
            ModuleAction::Present
            | ModuleAction::Loading
            | ModuleAction::Unloading
            | ModuleAction::Loaded => {
                if self.objects.live(name, address) {
                    self.forget_symbols(name);
                    self.third_came(name);
                }
            }
            ModuleAction::Absent | ModuleAction::Freed => {
                if self.objects.gone(name) {
                    self.forget_symbols(name);
                    self.third_went(name, say);
                }
            }
            ModuleAction::Unsettled => {}
        }
    }

    fn sections_of<'a>(&'a self, third: &'a str) -> impl Iterator<Item = &'a Section> {
        let sections = self.patches.values().flat_map(|patch| patch.sections.values());
        sections.filter(move |section| section.thirds.contains(third))
    }

    /// A module is there (again): where its symbols are now has to be looked up ([`Verifier::third_symbols`]). What could not be
    /// judged has to be read.
    pub(super) fn third_came(&mut self, name: &str) {
        for section in self.patches.values_mut().flat_map(|patch| patch.sections.values_mut()) {
            let unknown = |reloc: &Reloc| reloc.is_in(name) && reloc.verdict == Some(Verdict::Unknown);
            if section.thirds.contains(name) && section.relocs.values().any(unknown) {
                section.wanted = true;
            }
        }
    }

    /// The symbols of a module that has come and that nobody has looked up since, of relocations that hold what was written for
    /// an earlier load of it. They are judged as soon as it is told where these symbols are: their memory has not changed.
    pub fn third_symbols(&self, name: &str) -> BTreeSet<NeededSymbol> {
        let held = self.sections_of(name).flat_map(|section| section.relocs.values());
        let held = held.filter(|reloc| reloc.is_in(name) && reloc.holds());
        let symbols = held.filter_map(|reloc| {
            let object = reloc.symbol_object.clone()?;
            Some(NeededSymbol { object, symbol: Arc::clone(&reloc.r.symbol), sympos: reloc.r.sympos })
        });
        self.not_looked_up(symbols.collect())
    }

    /// It was told where a symbol of a module is: what was written for an earlier load of that module is judged by it.
    pub(super) fn third_found(&mut self, lookup: &SymbolLookup, say: &mut dyn FnMut(Body)) {
        let Self { patches, objects, symbols, memory, arch, .. } = self;
        let world = World { arch: *arch, symbols, objects, memory: *memory };
        let name = &*lookup.object.name;
        let mut news_said = false;
        for patch in patches.values_mut() {
            let differs = patch.differs();
            for section in patch.sections.values_mut().filter(|section| section.thirds.contains(name)) {
                let (object, r) = (objects.reference(&section.object), section.r.clone());
                let target = Target::unread(section);
                let concerned = |reloc: &&mut Reloc| {
                    let same = reloc.r.symbol == lookup.symbol && reloc.r.sympos == lookup.sympos;
                    // What the loader made of it is not what the formula gives: the memory has to be looked at.
                    let as_written = reloc.reason != Some(Reason::Rewritten);
                    reloc.is_in(name) && same && as_written && reloc.holds()
                };
                for reloc in section.relocs.values_mut().filter(concerned) {
                    let judged = judgement(world, differs, target, reloc, None, Context::Active);
                    if let Some(news) = reloc.settle(&judged, None, None, *arch, None, &mut section.counts) {
                        news_said = true;
                        say(Body::RelocState(news.state(&patch.r, &object, &r, reloc)));
                    }
                }
            }
        }
        if news_said {
            self.say_thirds(say);
        }
    }

    /// A module is gone: what was right until now points to where it was. Said at once; the memory of the relocations has not
    /// changed.
    pub(super) fn third_went(&mut self, name: &str, say: &mut dyn FnMut(Body)) {
        let (arch, objects) = (self.arch, &self.objects);
        for patch in self.patches.values_mut() {
            for section in patch.sections.values_mut().filter(|section| section.thirds.contains(name)) {
                dangle(&patch.r, section, name, objects, arch, say);
            }
        }
        self.say_thirds(say);
    }

    /// KLP016, of whatever there is now and was not said yet; not while the sections concerned are being read.
    pub(super) fn say_thirds(&mut self, say: &mut dyn FnMut(Body)) {
        let (clears, objects, rounds) = (self.clears, &self.objects, &self.rounds);
        let mut findings = Vec::new();
        for patch in self.patches.values_mut() {
            let mut pairs = BTreeSet::new();
            for section in patch.sections.values() {
                pairs.extend(
                    section.thirds.iter().map(|third| (Arc::clone(&section.object), Arc::clone(third))),
                );
            }
            for (gate, third) in pairs {
                let found = Use::of(patch, &gate, &third);
                // It has come back, and not all its symbols have been looked up.
                let moving =
                    found.dangling && objects.get(&third).is_some_and(super::objects::Object::is_there);
                if found.wanted || moving || rounds.awaits(&patch.r, &gate) {
                    continue;
                }
                let key = (gate, third);
                let said = patch.said_third.get(&key).copied().unwrap_or_default();
                let mut now = SaidOfThird { stale: found.told(), ..said };
                if let Some((reason, count)) = now.stale
                    && said.stale.is_none_or(|(before, counted)| before != reason || counted < count)
                {
                    findings.push(stale(patch, &key, found.stale, reason, clears, objects));
                }
                let load = objects.get(&key.1).map_or(0, |third| third.load);
                if !found.applied.is_empty() && said.foretold != Some(load) && is_free(patch, &key, objects) {
                    now.foretold = Some(load);
                    findings.push(foretold(patch, &key, found.applied, objects));
                }
                patch.said_third.insert(key, now);
            }
        }
        for finding in findings {
            self.say_finding(finding, say);
        }
    }
}

/// What was right for a module's symbols points to where they were.
fn dangle(
    patch: &PatchRef,
    section: &mut Section,
    third: &str,
    objects: &Objects,
    arch: Arch,
    say: &mut dyn FnMut(Body),
) {
    let (object, r) = (objects.reference(&section.object), section.r.clone());
    for reloc in section.relocs.values_mut().filter(|reloc| reloc.is_in(third)) {
        match (reloc.verdict, reloc.reason) {
            (Some(Verdict::Applied), _) | (Some(Verdict::Stale), Some(Reason::SymbolMoved)) => {
                let size = arch.size(reloc.rtype).unwrap_or(8);
                let judgement = Judgement {
                    verdict: Some(Verdict::Stale),
                    reason: Some(Reason::SymbolModuleGone),
                    expected: None,
                    actual: reloc.bytes.map(|bytes| Bytes::new(bytes, size)),
                };
                if let Some(news) = reloc.settle(&judgement, None, None, arch, None, &mut section.counts) {
                    say(Body::RelocState(news.state(patch, &object, &r, reloc)));
                }
            }
            // Nobody could tell where the symbol was: now it is nowhere.
            (Some(Verdict::Unknown), _) => section.wanted = true,
            _ => {}
        }
    }
}

/// Records were lost: a module may have come back elsewhere. Of a section gated on the kernel nothing else can have changed.
pub(super) fn distrust(patch: &PatchRef, section: &mut Section, arch: Arch, say: &mut dyn FnMut(Body)) {
    if section.thirds.is_empty() {
        return;
    }
    section.wanted = true;
    let object = crate::journal::ObjectRef { name: Arc::clone(&section.object), address: None, load: None };
    conclude::unknown_of(patch, section, &object, Reason::EventsLost, arch, &|reloc| reloc.third, say);
}

/// A patch's relocations gated on one object whose symbols are in one module.
#[derive(Default)]
struct Use {
    /// A section of them has to be read first.
    wanted: bool,
    /// There are values whose module was gone when they were judged.
    dangling: bool,
    applied: Gathered,
    stale: Gathered,
    /// Why they are stale.
    reason: Option<Reason>,
}

impl Use {
    fn of(patch: &Patch, gate: &str, third: &str) -> Self {
        let mut found = Self::default();
        let sections = patch.sections.values().filter(|section| *section.object == *gate);
        for section in sections.filter(|section| section.thirds.contains(third)) {
            found.wanted |= section.wanted;
            let stale = |reloc: &Reloc| {
                let why = reloc.reason.filter(|reason| reason.is_of_third());
                why.filter(|_| reloc.is_in(third) && reloc.verdict == Some(Verdict::Stale))
            };
            for reason in section.relocs.values().filter_map(stale) {
                found.reason = Some(reason);
                found.dangling |= reason == Reason::SymbolModuleGone;
            }
            section.add_to(&mut found.stale, |reloc| stale(reloc).is_some());
            section.add_to(&mut found.applied, |reloc| {
                reloc.is_in(third) && reloc.verdict == Some(Verdict::Applied)
            });
        }
        found
    }

    /// Why values are stale, and how many.
    fn told(&self) -> Option<(Reason, u32)> {
        self.reason.map(|reason| (reason, self.stale.count()))
    }
}

/// `klp_third_answer`, the first.
fn symbol(of: &Gathered) -> &str {
    of.first.as_ref().map_or("?", |(_, reloc)| &reloc.symbol)
}

/// By the object that gates the sections, and the module that has the symbols.
type Key = (Arc<str>, Arc<str>);

/// Whether nothing at all keeps the module, of a patch that is in use: then it can go at any time.
pub(super) fn is_free(patch: &Patch, (gate, third): &Key, objects: &Objects) -> bool {
    let usage =
        objects.get(third).filter(|object| object.is_there()).and_then(|object| object.usage.as_ref());
    let held = |usage: &crate::journal::ModuleUsage| {
        usage.holders.iter().any(|holder| holder == gate || *holder == patch.r.name)
    };
    patch.detached.is_none() && usage.is_some_and(|usage| usage.is_free() && !held(usage))
}

/// `3 relocations of patch lp against tmod`, and the word that follows from their number.
fn subject<'a>(patch: &Patch, gate: &str, count: u32, one: &'a str, more: &'a str) -> (String, &'a str) {
    let relocations = super::rules::relocations(count);
    (format!("{relocations} of patch {} against {gate}", patch.r.name), if count == 1 { one } else { more })
}

/// KLP016, of values that point to where a symbol was.
fn stale(
    patch: &Patch,
    key: &Key,
    found: Gathered,
    reason: Reason,
    clears: bool,
    objects: &Objects,
) -> Finding {
    let ((gate, third), name) = (key, &patch.r.name);
    let (subject, verb) = subject(patch, gate, found.count(), "points", "point");
    let symbol = symbol(&found);
    let message = if reason == Reason::SymbolMoved {
        format!(
            "{subject} {verb} to where {symbol} of {third} was, and not to where it is since {third} was loaded again"
        )
    } else {
        format!("{subject} {verb} to where {symbol} of {third} was, which is not loaded any more")
    };
    let written = if &**gate == VMLINUX {
        format!("the kernel writes what is gated on vmlinux once, when {name} is loaded")
    } else {
        format!("the kernel writes what is gated on {gate} when {gate} is loaded, or {name}")
    };
    let why = format!(
        "{written}, and takes no reference to the module of a symbol: the memory there is freed, and may be anybody's by now"
    );
    let mut commands = Vec::new();
    let (severity, action) = if patch.detached.is_none() {
        commands = remedy::behind(third, patch).unwrap_or_default();
        let again = if &**gate != VMLINUX && clears {
            format!(
                ", or unload {gate}, load {third} if it is not there, and then {gate}, which has them written anew"
            )
        } else {
            String::new()
        };
        (
            Severity::Error,
            format!(
                "disable patch {name} and remove its module, since its code may call or read there{again}; load {third} before \
                 them, and keep it"
            ),
        )
    } else if super::detached::may_run(patch) {
        (
            Severity::Error,
            format!(
                "reboot when you can: {name} is out of use, but a task may still be running its code, as after a forced transition"
            ),
        )
    } else {
        commands = remedy::out(patch).unwrap_or_default();
        (
            Severity::Warning,
            format!(
                "remove the module {name} (rmmod {name}): it is out of use, so its code should not run any more"
            ),
        )
    };
    Finding { commands, ..finding(patch, gate, found, (severity, message, why, action), objects) }
}

/// KLP016, of values that are right as long as a module stays that nothing keeps.
fn foretold(patch: &Patch, key: &Key, found: Gathered, objects: &Objects) -> Finding {
    let ((gate, third), name) = (key, &patch.r.name);
    let (subject, verb) = subject(patch, gate, found.count(), "points", "point");
    let symbol = symbol(&found);
    let message = format!("nothing keeps {third} loaded, and {subject} {verb} into it ({symbol})");
    let who = if &**gate == VMLINUX { name.to_string() } else { format!("{gate} or {name}") };
    let why = format!(
        "livepatch takes no reference to the module of a symbol; when {third} is unloaded, these point to freed memory"
    );
    let action = format!(
        "do not unload {third} while {name} is loaded; what would keep it is that {who} uses a symbol which {third} exports \
         (/sys/module/{third}/holders)"
    );
    finding(patch, gate, found, (Severity::Info, message, why, action), objects)
}

fn finding(
    patch: &Patch,
    gate: &Arc<str>,
    found: Gathered,
    (severity, message, why, action): (Severity, String, String, String),
    objects: &Objects,
) -> Finding {
    found.fill(Finding {
        id: FindingId::Klp016,
        severity,
        message,
        why,
        action,
        patch: Some(patch.r.clone()),
        object: Some(objects.reference(gate)),
        section: None,
        sections: Vec::new(),
        relocations: 0,
        first: None,
        commands: Vec::new(),
        kernel: Vec::new(),
        opened_ns: 0,
    })
}
