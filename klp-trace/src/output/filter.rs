//! `--filter`: what is shown, on every command alike; never what is judged, journalled, or the exit code.
//!
//! `patch=lp* object=nfsd verdict!=applied,cleared`: terms are separated by spaces and must all hold, alternatives by
//! commas, `*` stands for any characters. A term with `=` holds of an event that has such a part and matches; a term with
//! `!=` holds of every other event.

use crate::journal::record::Kind;
use crate::journal::{Body, Event, Finding, FindingClosed};
use crate::model::glob::matches;
use crate::model::nearest::meant;
use crate::model::{FindingId, Severity, Verdict};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// What states of relocations are in journals, now and in earlier versions: either word finds them.
const STATE: [Kind; 2] = [Kind::SectionState, Kind::RelocState];

/// A filter; the default one lets everything through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    key: Key,
    negated: bool,
    /// In lower case where the key's words have no case.
    patterns: Vec<String>,
}

/// What a term may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The patch's name.
    Patch,
    /// The patched module, or vmlinux.
    Object,
    /// The name of the `.klp.rela.*` section.
    Section,
    /// The referenced symbol's own name.
    Symbol,
    /// The verdict of a relocation.
    Verdict,
    /// The id or the name of a finding.
    Finding,
    /// The severity of a finding.
    Severity,
    /// The kind of an event, as the journal has it.
    Kind,
}

/// Why a filter cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FilterError {
    /// A term without `=`.
    #[error("{term:?} is not a term of a filter: write KEY=VALUE or KEY!=VALUE, such as patch=lp*")]
    NoTerm {
        /// The term.
        term: String,
    },
    /// A key that does not exist.
    #[error("there is no filter key {key:?}{meant} (the keys: {})", Key::names())]
    UnknownKey {
        /// The key.
        key: String,
        /// The key that was meant, where one is like it.
        meant: String,
    },
    /// A term without a value, or with an empty alternative.
    #[error("the filter key {key} has an empty value; write {key}=* for any")]
    NoValue {
        /// The key.
        key: Key,
    },
    /// A word that the key's closed list does not have: the term could never hold.
    #[error("{word:?} is no {key}{meant} (the words: {})", key.words().join(", "))]
    UnknownWord {
        /// The key.
        key: Key,
        /// The word.
        word: String,
        /// The word that was meant, where one is like it.
        meant: String,
    },
}

impl Key {
    const ALL: [Self; 8] = [
        Self::Patch,
        Self::Object,
        Self::Section,
        Self::Symbol,
        Self::Verdict,
        Self::Finding,
        Self::Severity,
        Self::Kind,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Object => "object",
            Self::Section => "section",
            Self::Symbol => "symbol",
            Self::Verdict => "verdict",
            Self::Finding => "finding",
            Self::Severity => "severity",
            Self::Kind => "kind",
        }
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The words that exist, in lower case, for keys with a closed list of them.
    fn words(self) -> Vec<String> {
        match self {
            Self::Patch | Self::Object | Self::Section | Self::Symbol => Vec::new(),
            Self::Verdict => Verdict::ALL.iter().map(ToString::to_string).collect(),
            Self::Severity => {
                [Severity::Info, Severity::Warning, Severity::Error].iter().map(ToString::to_string).collect()
            }
            Self::Kind => Kind::ALL.iter().map(|kind| kind.name().to_owned()).collect(),
            Self::Finding => {
                let names = FindingId::ALL.iter().map(|id| id.name().to_owned());
                FindingId::ALL.iter().map(|id| id.to_string().to_lowercase()).chain(names).collect()
            }
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let terms = text.split_whitespace().map(term).collect::<Result<_, _>>()?;
        Ok(Self { terms })
    }
}

fn term(text: &str) -> Result<Term, FilterError> {
    let (key, values) = text.split_once('=').ok_or_else(|| FilterError::NoTerm { term: text.to_owned() })?;
    let (name, negated) = key.strip_suffix('!').map_or((key, false), |name| (name, true));
    let key = Key::ALL.into_iter().find(|key| key.name() == name).ok_or_else(|| FilterError::UnknownKey {
        key: name.to_owned(),
        meant: meant(name, Key::ALL.map(Key::name)),
    })?;
    let words = key.words();
    let mut patterns = Vec::new();
    for value in values.split(',') {
        if value.is_empty() {
            return Err(FilterError::NoValue { key });
        }
        if words.is_empty() {
            patterns.push(value.to_owned());
            continue;
        }
        let pattern = value.to_lowercase();
        if !words.iter().any(|word| matches(&pattern, word)) {
            let meant = meant(&pattern, words.iter().map(String::as_str));
            return Err(FilterError::UnknownWord { key, word: value.to_owned(), meant });
        }
        patterns.push(pattern);
    }
    Ok(Term { key, negated, patterns })
}

impl Filter {
    /// Whether everything is let through.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether an event is to be shown.
    pub fn matches(&self, event: &Event) -> bool {
        self.terms.iter().all(|term| term.holds(&event.body))
    }

    /// Whether a relocation is to be shown: as [`Filter::matches`] says of a `reloc_state` of it.
    pub fn matches_relocation(&self, relocation: &Relocation<'_>) -> bool {
        self.terms.iter().all(|term| term.relocation(relocation) != term.negated)
    }
}

/// What a filter can ask of a relocation.
#[derive(Debug, Clone, Copy)]
pub struct Relocation<'a> {
    /// The patch's name.
    pub patch: &'a str,
    /// The object's name.
    pub object: &'a str,
    /// The section's name.
    pub section: &'a str,
    /// The symbol's own name.
    pub symbol: &'a str,
    /// The verdict; none for R_*_NONE.
    pub verdict: Option<Verdict>,
}

impl Term {
    fn relocation(&self, of: &Relocation<'_>) -> bool {
        let any = |value: &str| self.patterns.iter().any(|pattern| matches(pattern, value));
        match self.key {
            Key::Patch => any(of.patch),
            Key::Object => any(of.object),
            Key::Section => any(of.section),
            Key::Symbol => any(of.symbol),
            Key::Verdict => of.verdict.is_some_and(|verdict| any(verdict.word())),
            Key::Kind => STATE.iter().any(|kind| any(kind.name())),
            Key::Finding | Key::Severity => false,
        }
    }

    fn holds(&self, body: &Body) -> bool {
        self.values(body) != self.negated
    }

    /// Whether the event has the part that is asked for, with one of the values.
    fn values(&self, body: &Body) -> bool {
        let any = |value: &str| self.patterns.iter().any(|pattern| matches(pattern, value));
        let some = |value: Option<&str>| value.is_some_and(any);
        match self.key {
            Key::Patch => some(patch(body)),
            Key::Object => some(object(body)),
            Key::Section => match body {
                Body::Finding(finding) if !finding.sections.is_empty() => {
                    finding.sections.iter().any(|covered| any(&covered.name))
                }
                _ => some(section(body)),
            },
            Key::Symbol => some(symbol(body)),
            Key::Kind => match body {
                Body::RelocState(_) => STATE.iter().any(|kind| any(kind.name())),
                _ => any(body.kind()),
            },
            Key::Verdict => match body {
                Body::RelocState(state) => some(state.verdict.map(Verdict::word)),
                _ => false,
            },
            Key::Severity => match body {
                Body::Finding(finding) => any(&finding.severity.to_string()),
                Body::FindingClosed(closed) => any(&closed.severity.to_string()),
                _ => false,
            },
            Key::Finding => match body {
                Body::Finding(Finding { id, .. }) | Body::FindingClosed(FindingClosed { id, .. }) => {
                    any(&id.to_string().to_lowercase()) || any(id.name())
                }
                _ => false,
            },
        }
    }
}

fn patch(body: &Body) -> Option<&str> {
    let patch = match body {
        Body::PatchMetadata(meta) => &meta.patch,
        Body::RelocState(state) => &state.patch,
        Body::SectionRead(read) => &read.patch,
        Body::Hook(hook) => hook.patch.as_ref()?,
        Body::Transition(transition) => transition.patch.as_ref()?,
        Body::Finding(finding) => finding.patch.as_ref()?,
        Body::FindingClosed(closed) => closed.patch.as_ref()?,
        Body::Livepatch(found) => &found.patch,
        Body::Stall(stall) => &stall.patch,
        Body::KernelMessage(message) => return message.patch.as_deref(),
        Body::Module(module) => return module.livepatch.then_some(&*module.name),
        Body::Session(_)
        | Body::SymbolLookup(_)
        | Body::AddressLookup(_)
        | Body::EventsLost(_)
        | Body::SessionEnd(_) => return None,
    };
    Some(&patch.name)
}

fn object(body: &Body) -> Option<&str> {
    let object = match body {
        Body::RelocState(state) => &state.object,
        Body::SectionRead(read) => &read.object,
        Body::SymbolLookup(lookup) => &lookup.object,
        Body::Hook(hook) => hook.object.as_ref()?,
        Body::Finding(finding) => finding.object.as_ref()?,
        Body::FindingClosed(closed) => closed.object.as_ref()?,
        Body::PatchMetadata(meta) => return Some(&meta.object),
        Body::KernelMessage(message) => return message.object.as_deref(),
        Body::Module(module) => return (!module.livepatch).then_some(&*module.name),
        Body::AddressLookup(lookup) => return lookup.nearest.as_ref().map(|nearest| &*nearest.object),
        Body::Session(_)
        | Body::Livepatch(_)
        | Body::Transition(_)
        | Body::Stall(_)
        | Body::EventsLost(_)
        | Body::SessionEnd(_) => return None,
    };
    Some(&object.name)
}

fn section(body: &Body) -> Option<&str> {
    let section = match body {
        Body::PatchMetadata(meta) => &meta.section,
        Body::RelocState(state) => &state.section,
        Body::SectionRead(read) => &read.section,
        Body::Hook(hook) => hook.section.as_ref()?,
        Body::Finding(finding) => finding.section.as_ref()?,
        _ => return None,
    };
    Some(&section.name)
}

fn symbol(body: &Body) -> Option<&str> {
    match body {
        Body::RelocState(state) => Some(&state.reloc.symbol),
        Body::SymbolLookup(lookup) => Some(&lookup.symbol),
        Body::KernelMessage(message) => message.symbol.as_deref(),
        Body::AddressLookup(lookup) => lookup.nearest.as_ref().map(|nearest| &*nearest.symbol),
        Body::Finding(finding) => finding.first.as_ref().map(|reloc| &*reloc.symbol),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
