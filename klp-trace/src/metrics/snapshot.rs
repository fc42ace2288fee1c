//! What the collecting thread publishes, and what is added when somebody asks.

use super::Counts;
use crate::journal::{ElfWitness, Totals};
use crate::model::{FindingId, Process, Verdict};
use crate::verify::Verifier;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A snapshot that is older says nothing of now: the collecting thread publishes one each second.
pub const STALE: Duration = Duration::from_secs(30);

/// All that is known at one time. Made by the collecting thread, never changed.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The kernel.
    pub kernel: Kernel,
    /// Whether the states are known, and which they are.
    pub sight: Sight,
    /// What has been counted since the start.
    pub counts: Counts,
    /// The full looks.
    pub looks: Looks,
    /// The journal; none where none is kept.
    pub journal: Option<Journal>,
}

/// The kernel that is watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kernel {
    /// uname's release.
    pub release: String,
    /// uname's machine.
    pub arch: String,
}

/// Whether the states are known.
#[derive(Debug, Clone)]
pub enum Sight {
    /// They are.
    Sees(Arc<State>),
    /// They are not, and why: a sentence's end.
    Blind(String),
}

/// The states of all relocations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Relocations by verdict, of all patches.
    pub totals: Totals,
    /// How many findings of each kind hold.
    pub open: BTreeMap<FindingId, u32>,
    /// The loaded livepatches by name.
    pub patches: BTreeMap<Arc<str>, PatchState>,
    /// Those whose sections could not be read.
    pub unread: BTreeSet<Arc<str>>,
}

/// One loaded livepatch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PatchState {
    /// Of the loaded module, in hex.
    pub build_id: Option<String>,
    /// What its verdicts rest on; none where it has no relocations.
    pub witness: Option<ElfWitness>,
    /// As sysfs says; none where that could not be read.
    pub enabled: Option<bool>,
    /// How long it has been in transition; known where `enabled` is.
    pub transition: Option<Duration>,
    /// Its relocations by verdict, of each object.
    pub objects: BTreeMap<Arc<str>, Totals>,
}

/// The full looks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Looks {
    /// How often.
    pub interval: Duration,
    /// When the last one ended, since 1970.
    pub last: Option<Duration>,
    /// How long it took.
    pub took: Duration,
    /// When the last record was taken, since 1970.
    pub last_record: Option<Duration>,
}

/// How the journal stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Journal {
    /// Nothing has failed since it was opened.
    pub writable: bool,
    /// What its files take.
    pub bytes: u64,
    /// When its oldest file was written to last, since 1970.
    pub oldest: Option<Duration>,
    /// The session's last record.
    pub seq: u64,
    /// Records written since the start.
    pub records: u64,
    /// Times that it could not be opened or written.
    pub errors: u64,
    /// Events that it lacks.
    pub unwritten: u64,
    /// Files deleted to keep its size.
    pub deleted: u64,
}

/// What is read when somebody asks.
#[derive(Debug, Clone)]
pub struct Moment {
    /// What was published last.
    pub snapshot: Arc<Snapshot>,
    /// How old that is.
    pub age: Duration,
    /// Requests answered with 200, 4xx, 5xx; none where they are not counted, as in a file.
    pub requests: Option<[u64; 3]>,
    /// The process.
    pub process: Option<Process>,
}

impl Moment {
    /// The states, or why they are not known now.
    pub fn sight(&self) -> Result<&State, String> {
        if self.age > STALE {
            return Err(format!(
                "the thread that collects has published nothing for {} s",
                self.age.as_secs()
            ));
        }
        match &self.snapshot.sight {
            Sight::Sees(state) => Ok(state),
            Sight::Blind(why) => Err(why.clone()),
        }
    }
}

impl State {
    /// What the verifier knows now; of a patch whether it is enabled, its transition and its build-id are not among it.
    pub fn of(verifier: &Verifier) -> Self {
        let mut state = Self {
            totals: verifier.totals(),
            open: verifier.open_findings(),
            unread: verifier.unread().map(|name| label(name)).collect(),
            ..Self::default()
        };
        for surveyed in verifier.survey() {
            // Two of a name: the end of the earlier load was not seen yet.
            let patch = state.patches.entry(label(&surveyed.patch.name)).or_default();
            patch.witness = surveyed.witness;
            for (object, totals) in surveyed.objects {
                let all = patch.objects.entry(label(&object)).or_default();
                for (verdict, count) in totals {
                    *all.entry(verdict).or_default() += count;
                }
            }
        }
        state
    }

    /// Whether nothing is known of a patch's relocations.
    pub fn is_unread(&self, patch: &str) -> bool {
        self.unread.contains(patch)
    }
}

impl PatchState {
    /// Its relocations.
    pub fn relocations(&self) -> u64 {
        self.objects.values().flat_map(Totals::values).sum()
    }

    /// Those with such verdicts.
    pub(super) fn count(&self, wanted: fn(Verdict) -> bool) -> u64 {
        self.objects.values().map(|totals| count(totals, wanted)).sum()
    }
}

/// Characters of a label's value: what the kernel lets a module's name have (`MODULE_NAME_LEN`, include/linux/module.h).
const NAME: usize = 56;

/// A name as a label's value: names that could drive a terminal are escaped where they are read, and grow by it. Those that
/// are the same then count together, so that no series comes twice.
pub fn label(name: &str) -> Arc<str> {
    match name.char_indices().nth(NAME) {
        Some((end, _)) => name.get(..end).unwrap_or_default().into(),
        None => name.into(),
    }
}

/// How many have such verdicts.
pub(super) fn count(totals: &Totals, wanted: fn(Verdict) -> bool) -> u64 {
    totals.iter().filter(|(verdict, _)| wanted(**verdict)).map(|(_, count)| count).sum()
}
