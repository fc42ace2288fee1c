//! What is drawn by a seed: the kind of a run, its input, its words.

use anyhow::Context as _;
use fastrand::Rng;

use super::{journal, module, text};
use crate::testbed;

/// What a run feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A module's file.
    Module,
    /// A journal.
    Journal,
    /// A policy.
    Policy,
    /// A configuration.
    Configuration,
    /// Arguments.
    Arguments,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Module, Self::Journal, Self::Policy, Self::Configuration, Self::Arguments];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Module => "modules",
            Self::Journal => "journals",
            Self::Policy => "policies",
            Self::Configuration => "configurations",
            Self::Arguments => "arguments",
        }
    }

    /// What counts as beyond its header.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Module => "refused, if at all, behind the ELF header's 64 bytes",
            Self::Journal => "at least one record is read",
            Self::Policy | Self::Configuration => "it is TOML",
            Self::Arguments => "taken by the command line's parser, or refused for a value",
        }
    }
}

/// What the inputs are made of.
pub struct Corpus {
    pub modules: Vec<Vec<u8>>,
    pub journals: Vec<Vec<String>>,
    pub policies: Vec<String>,
    pub configurations: Vec<String>,
}

impl Corpus {
    /// Of the committed seeds.
    pub fn load() -> anyhow::Result<Self> {
        let root = testbed::workspace();
        let read = |path: &str| {
            let path = root.join(path);
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let lines = |bytes: Vec<u8>| -> anyhow::Result<Vec<String>> {
            Ok(String::from_utf8(bytes)?.lines().map(str::to_owned).collect())
        };
        let modules = ["minimal.ko", "minimal.ko.gz", "minimal.ko.xz", "minimal.ko.zst", "kpatch-veth.ko"];
        Ok(Self {
            modules: modules
                .iter()
                .map(|name| read(&format!("fuzz/seeds/{name}")))
                .collect::<Result<_, _>>()?,
            journals: vec![
                lines(read("fuzz/seeds/reload.ndjson")?)?,
                lines(read("klp-trace/src/journal/writer/golden.ndjson")?)?,
                lines(read("tests/journals/event-1.ndjson")?)?,
            ],
            policies: text::policies(),
            configurations: text::configurations(),
        })
    }
}

/// One run.
pub struct Case {
    pub kind: Kind,
    /// The bytes of its input file.
    pub input: Vec<u8>,
    /// The words behind `klp-trace`; `IN` stands for the input file.
    pub words: Vec<String>,
}

impl Case {
    /// The run of this number.
    pub fn draw(corpus: &Corpus, seed: u64, number: u64) -> Self {
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number);
        let kind = match rng.u8(0..20) {
            0..6 => Kind::Module,
            6..13 => Kind::Journal,
            13..16 => Kind::Policy,
            16..18 => Kind::Configuration,
            _ => Kind::Arguments,
        };
        let (input, words) = match kind {
            Kind::Module => (module::draw(&mut rng, &corpus.modules), pick(&mut rng, MODULE)),
            Kind::Journal => (journal::draw(&mut rng, &corpus.journals), pick(&mut rng, JOURNAL)),
            Kind::Policy => (text::draw(&mut rng, &corpus.policies), pick(&mut rng, POLICY)),
            Kind::Configuration => {
                (text::draw(&mut rng, &corpus.configurations), pick(&mut rng, CONFIGURATION))
            }
            Kind::Arguments => (corpus.journals[1].join("\n").into_bytes(), text::arguments(&mut rng)),
        };
        Self { kind, input, words }
    }
}

fn pick(rng: &mut Rng, of: &[&str]) -> Vec<String> {
    of[rng.usize(0..of.len())].split(' ').map(str::to_owned).collect()
}

const MODULE: &[&str] = &[
    "inspect IN",
    "inspect --format json IN",
    "inspect --format csv IN",
    "inspect --summary IN",
    "inspect --late-cost IN",
    "inspect --check-host IN",
    "inspect --check-host --format json IN",
    "inspect --object-file IN IN",
];

const JOURNAL: &[&str] = &[
    "watch --from IN",
    "watch --verbose --from IN",
    "watch --json --from IN",
    "watch --json --redact-addresses --from IN",
    "watch --from IN --filter patch=lp*",
    "assert --from IN",
    "assert --format junit --from IN",
    "assert --format sarif --from IN",
    "assert --format github --from IN",
    "assert --format ktap --from IN",
    "assert --format tap --from IN",
    "assert --json --from IN",
    "audit --from IN",
    "audit --verbose --from IN",
    "audit --format csv --from IN",
    "audit --format summary --from IN",
    "verify-journal IN",
    "verify-journal -v IN",
    "verify-journal --json IN",
    "policy init --from IN",
];

const POLICY: &[&str] =
    &["policy check IN", "assert --policy IN --from GOOD", "assert --json --policy IN --from GOOD"];

const CONFIGURATION: &[&str] = &["config check IN", "tui --config IN --from GOOD"];
