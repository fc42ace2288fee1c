//! The status itself, and its line.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::cli::exit::Exit;
use crate::journal::Finding;
use crate::kernel::modules::Modules;
use crate::kernel::sysfs;
use crate::model::{FindingId, Verdict};
use crate::output::style::{Style, Tone};
use crate::output::text::layout::{count, name};

/// The schema's name and version.
pub const SCHEMA: &str = "klp-trace.status/1";

/// Patches that the line names.
const NAMED: usize = 4;

/// How a host's livepatches stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Status {
    /// The format.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: &'static str,
    /// The host's name.
    pub host: String,
    /// How they stand.
    pub state: State,
    /// The exit code, unless --no-fail was given.
    pub exit: u8,
    /// The livepatches that are loaded.
    pub patches: Vec<Patch>,
    /// Relocations by verdict, where they were verified.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub relocations: BTreeMap<Verdict, u64>,
    /// The findings (warnings and errors), worst first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Found>,
    /// Why they were not verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How they stand as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Verified, and every relocation is where it should be.
    Clean,
    /// No livepatch is loaded.
    None,
    /// Something is wrong.
    Finding,
    /// A livepatch is loaded, and was not verified here.
    Unverified,
    /// The kernel has no livepatching.
    Unsupported,
}

/// A livepatch that is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Patch {
    /// Its name.
    pub name: String,
    /// Whether it is enabled; false: it is being disabled, or was disabled or replaced.
    pub enabled: bool,
    /// Whether a transition is under way.
    pub transition: bool,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Found {
    /// Its id.
    pub id: FindingId,
    /// Its name.
    pub name: &'static str,
    /// What: one sentence.
    pub message: String,
    /// What to do: one sentence.
    pub action: String,
    /// The same as commands for a root shell of that host, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
}

/// The livepatches by sysfs, and those that are loaded and no longer there.
pub(super) fn patches(active: &[sysfs::Patch], loaded: &Modules) -> Vec<Patch> {
    let of = |patch: &sysfs::Patch| Patch {
        name: patch.name.clone(),
        enabled: patch.enabled,
        transition: patch.transition,
    };
    let mut all: Vec<Patch> = active.iter().map(of).collect();
    for module in loaded.livepatches() {
        // In /sys a name has underscores, in /proc/modules too.
        if !all.iter().any(|patch| patch.name == module.name) {
            all.push(Patch { name: module.name.clone(), enabled: false, transition: false });
        }
    }
    all
}

impl Status {
    /// A host of which nothing is known yet.
    pub(super) fn new(host: &str) -> Self {
        let state = State::Unverified;
        Self {
            schema: SCHEMA,
            host: name(host).into_owned(),
            state,
            exit: 0,
            patches: Vec::new(),
            relocations: BTreeMap::new(),
            findings: Vec::new(),
            why: None,
        }
        .set(state)
    }

    fn set(mut self, state: State) -> Self {
        self.state = state;
        self.exit = self.exit().code();
        self
    }

    pub(super) fn clean(self) -> Self {
        self.set(State::Clean)
    }

    /// No livepatch, which is known only where the list of modules could be read.
    pub(super) fn none(self, listed: bool) -> Self {
        if listed { self.set(State::None) } else { self.unverified("/proc/modules is not there".to_owned()) }
    }

    pub(super) fn unsupported(mut self) -> Self {
        self.why = Some("/sys/kernel/livepatch is not there".to_owned());
        self.set(State::Unsupported)
    }

    pub(super) fn unverified(mut self, why: String) -> Self {
        self.why = Some(why);
        self.set(State::Unverified)
    }

    pub(super) fn finding(mut self, findings: &[Finding]) -> Self {
        let of = |finding: &Finding| Found {
            id: finding.id,
            name: finding.id.name(),
            message: finding.message.clone(),
            action: finding.action.clone(),
            commands: finding.commands.clone(),
        };
        self.findings = findings.iter().map(of).collect();
        self.set(State::Finding)
    }

    /// The code that it ends with.
    pub fn exit(&self) -> Exit {
        match self.state {
            State::Clean | State::None => Exit::Clean,
            State::Finding => Exit::Finding,
            State::Unverified => Exit::Inconclusive,
            State::Unsupported => Exit::Precondition,
        }
    }

    /// The line.
    pub fn line(&self, style: Style) -> String {
        let patches = self.named();
        let why = self.why.as_deref().map(|why| name(why).into_owned()).unwrap_or_default();
        match self.state {
            State::Clean => {
                let relocations: u64 = self.relocations.values().sum();
                let what = match relocations {
                    0 => "no klp relocations, nothing to verify".to_owned(),
                    n => format!("{}, each where it should be", count(n, "relocation")),
                };
                format!(
                    "{} {patches}; {what}",
                    style.paint(Tone::Good, &mark(style, "✓", "+", "livepatch clean:"))
                )
            }
            State::None => format!("{} none is loaded", mark(style, "·", "-", "livepatch:")),
            State::Finding => {
                let first = self.findings.first();
                let said =
                    first.map(|f| format!("{} {}: {}", f.id, f.name, name(&f.message))).unwrap_or_default();
                let more = match self.findings.len() {
                    0 | 1 => String::new(),
                    n => format!(" (and {})", count(n as u64 - 1, "more finding")),
                };
                let mark = style.paint(Tone::Bad, &mark(style, "✗", "x", "livepatch WRONG:"));
                format!("{mark} {said}{more}; klp-trace audit says what to do")
            }
            State::Unverified => {
                let mark = style.paint(Tone::Unsure, &mark(style, "?", "?", "livepatch:"));
                let patches = if patches.is_empty() { String::new() } else { format!("{patches}; ") };
                format!("{mark} {patches}not verified here: {why}")
            }
            State::Unsupported => {
                format!("{} not supported by this kernel: {why}", mark(style, "·", "-", "livepatch:"))
            }
        }
    }

    /// `lp_one enabled, lp_two in transition`.
    fn named(&self) -> String {
        let word = |patch: &Patch| match (patch.enabled, patch.transition) {
            (true, false) => "enabled",
            (true, true) => "in transition",
            (false, true) => "being disabled",
            (false, false) => "not in use, still loaded",
        };
        let mut said: Vec<String> = self
            .patches
            .iter()
            .take(NAMED)
            .map(|patch| format!("{} {}", name(&patch.name), word(patch)))
            .collect();
        if self.patches.len() > NAMED {
            said.push(format!("and {} more", self.patches.len() - NAMED));
        }
        said.join(", ")
    }
}

fn mark(style: Style, unicode: &'static str, ascii: &'static str, words: &str) -> String {
    format!("{} {words}", style.symbol(unicode, ascii))
}

/// The JSON Schema of [`Status`].
pub fn schema() -> serde_json::Value {
    crate::journal::schema::of::<Status>(
        "urn:klp-trace:status:1",
        format!("What klp-trace status --json writes, {SCHEMA}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::testing;

    fn patch(name: &str, enabled: bool, transition: bool) -> Patch {
        Patch { name: name.to_owned(), enabled, transition }
    }

    fn with(patches: Vec<Patch>) -> Status {
        Status { patches, ..Status::new("host") }
    }

    #[test]
    fn only_what_was_verified_or_is_not_there_is_0() {
        let loaded = || with(vec![patch("lp_one", true, false)]);
        let ends = [
            (loaded().clean(), 0),
            (Status::new("host").none(true), 0),
            (Status::new("host").none(false), 5),
            (loaded().finding(&[testing::finding()]), 1),
            (loaded().unverified("run it as root".to_owned()), 5),
            (Status::new("host").unsupported(), 4),
            (Status::new("host"), 5),
        ];
        for (status, code) in ends {
            assert_eq!((status.exit().code(), status.exit), (code, code), "{status:?}");
            let line = status.line(Style::PLAIN);
            assert!(line.lines().count() == 1 && line.is_ascii() && !line.contains('\u{1b}'), "{line}");
        }
    }

    #[test]
    fn the_line_names_patches_and_what_is_wrong() {
        let all = vec![
            patch("a", true, false),
            patch("b", true, true),
            patch("c", false, true),
            patch("d", false, false),
        ];
        let mut status = with(all);
        let named = "a enabled, b in transition, c being disabled, d not in use, still loaded";
        let said = status.clone().unverified("no".to_owned()).line(Style::PLAIN);
        assert_eq!(said, format!("? livepatch: {named}; not verified here: no"));
        status.patches.push(patch("e", true, false));
        assert!(status.clone().clean().line(Style::PLAIN).contains("and 1 more; no klp relocations"));
        status.relocations.insert(Verdict::Applied, 16);
        assert!(
            status.clone().clean().line(Style::PLAIN).ends_with("16 relocations, each where it should be")
        );
        let said = status.finding(&[testing::finding(), testing::finding()]).line(Style::PLAIN);
        assert!(
            said.starts_with("x livepatch WRONG: KLP001 stale-after-unload: 12 ")
                && said.contains("(and 1 more finding)")
        );
    }

    #[test]
    fn hostile_names_stay_on_the_line() {
        let said = with(vec![patch("a\n\u{1b}[2J\u{202e}", true, false)])
            .unverified("x\ny".to_owned())
            .line(Style::PLAIN);
        assert!(said.lines().count() == 1 && !said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
    }
}
