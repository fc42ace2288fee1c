//! What the host tells the agent in the guest, and what the agent brings back: JSON files.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::agreement::Case;

/// The plan of one boot, `/plan.json` in the guest.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The runs, in order.
    #[serde(default)]
    pub runs: Vec<Run>,
    /// What is measured.
    #[serde(default)]
    pub bench: Option<Bench>,
    /// What klp-trace is asked about, and inserted.
    #[serde(default)]
    pub agreement: Option<Vec<Case>>,
}

/// What is measured in a guest; the results are in `bench.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Bench {
    /// From the start of klp-trace, and of another tracer, to all probes attached.
    Attach {
        /// How often each.
        rounds: usize,
        /// How the other one, bpftrace, is started; its script follows.
        other: Vec<String>,
    },
    /// Processor time of loading the patch with 20,000 relocations, with klp-trace attached and without.
    Apply {
        /// How often each.
        rounds: usize,
    },
    /// What commands of klp-trace take of a processor whose clock counts instructions, and what the script takes.
    Count {
        /// How Python is started; its script follows.
        python: Vec<String>,
    },
    /// `klp-trace audit` of 20,000 relocations, and a script that finds the same out.
    Audit {
        /// How often each.
        rounds: usize,
        /// How Python is started; its script follows.
        python: Vec<String>,
    },
}

/// Milliseconds of each round, by what was measured.
pub type Measured = BTreeMap<String, Vec<f64>>;

/// The file in a run's folder that has what klp-trace wrote as text.
pub const TEXT: &str = "text.txt";

/// One scenario, as it is run in the guest.
#[expect(clippy::struct_excessive_bools, reason = "switches of a file, independent of each other")]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// Its name; also that of its folder in `/out`.
    pub name: String,
    /// Whether `klp-trace watch` runs beside the steps.
    pub watch: bool,
    /// More arguments for `klp-trace watch`.
    pub args: Vec<String>,
    /// Whether it runs as nobody.
    pub unprivileged: bool,
    /// Whether it runs in a PID namespace of its own.
    #[serde(default)]
    pub pid_namespace: bool,
    /// Whether it writes text too, to `text.txt`, and the journal beside it.
    #[serde(default)]
    pub text: bool,
    /// What is run before it starts.
    #[serde(default)]
    pub before: Vec<String>,
    /// Whether to tell people what happens: its text goes to the console; and whether in colour.
    #[serde(default)]
    pub narrate: Option<Colour>,
    /// The steps.
    pub steps: Vec<RunStep>,
    /// Whether it ends with the first step that does not settle: what the others await rests on it.
    #[serde(default)]
    pub stops: bool,
    /// How `klp-trace audit` is run once klp-trace has ended, before all is put back.
    #[serde(default)]
    pub audits: Vec<AuditBy>,
    /// What cannot be put back.
    #[serde(default)]
    pub left: Vec<String>,
}

/// From what `klp-trace audit` takes the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditBy {
    /// The patches' files, and memory as it chooses.
    File,
    /// The kernel's own copy of the relocations: the patches' files are not there.
    NoFile,
    /// The patches' files, and memory through /proc/kcore.
    Kcore,
}

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Colour {
    /// It is.
    Always,
    /// It is not.
    Never,
}

/// One step, and the signs that it has come to its end. The agent only waits for them; the host judges.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunStep {
    /// What is done.
    pub run: String,
    /// What is said before it when people listen.
    #[serde(default)]
    pub say: String,
    /// Whether the step ends while a transition is under way.
    #[serde(default)]
    pub stalled: bool,
    /// How many relocations have each verdict, by `patch>object`.
    pub verdicts: BTreeMap<String, BTreeMap<String, usize>>,
    /// How many findings of each id the session has made so far; 0: some.
    pub findings: BTreeMap<String, usize>,
    /// Whether records may be lost in it, or memory change unseen: that shows later, by klp-trace's look once a second.
    #[serde(default)]
    pub lossy: bool,
    /// What `churn` does over and over.
    #[serde(default)]
    pub cycle: Vec<String>,
}

impl RunStep {
    /// Whether these are the findings awaited.
    pub fn has_findings(&self, found: &BTreeMap<String, usize>) -> bool {
        found.keys().eq(self.findings.keys())
            && found.iter().all(|(id, count)| self.findings.get(id).is_some_and(|n| *n == 0 || n == count))
    }
}

/// What came of one step: `step-N.json`, N from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// What was done.
    pub run: String,
    /// The command's exit code; 128 and the signal's number when a signal ended it.
    pub rc: i32,
    /// What it wrote, both streams.
    pub output: String,
    /// Whether the awaited signs came before the time was over.
    pub settled: bool,
    /// Length of the journal then, in bytes.
    pub journal_bytes: u64,
    /// The kernel's log since the step before, one message a line.
    pub dmesg: Vec<String>,
    /// The modules then loaded.
    pub modules: Vec<String>,
    /// Addresses of the sections of the loaded livepatches, by patch and section.
    pub sections: BTreeMap<String, BTreeMap<String, u64>>,
    /// From /proc/kcore, up to eight bytes in hex at every target address that the journal gives for a patch that is
    /// loaded; empty where kcore shows nothing.
    pub memory: BTreeMap<u64, String>,
    /// Milliseconds until the command ended, and until it had settled.
    pub millis: (u64, u64),
    /// The journal that `klp-trace audit` wrote, a file beside this report, when the step was an audit.
    #[serde(default)]
    pub audit: Option<String>,
    /// What was changed in memory, when the step was that.
    #[serde(default)]
    pub poked: Option<Poked>,
    /// What `churn` did and saw.
    #[serde(default)]
    pub churn: Option<Churn>,
}

/// A relocation of which one byte was changed, as the agent found it by its own means.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poked {
    /// Its target's address.
    pub address: u64,
    /// The bytes that stood there, hex.
    pub before: String,
    /// Those that stand there now.
    pub after: String,
    /// The names, by kallsyms, of the symbol that the changed bytes lead to, or into.
    pub symbols: Vec<String>,
}

/// Modules that came and went while `klp-trace audit` ran again and again. Times are nanoseconds since the step began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Churn {
    /// The commands, in their order.
    pub turns: Vec<Turn>,
    /// The audits, in theirs.
    pub audits: Vec<ChurnAudit>,
}

/// One command of a cycle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Which of the cycle, from 0.
    pub place: usize,
    /// Its exit code.
    pub rc: i32,
    /// What it wrote.
    pub output: String,
    /// When it was begun, and when it had ended.
    pub span: (u64, u64),
}

/// One audit among them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChurnAudit {
    /// Its exit code.
    pub rc: i32,
    /// Its journal, a file beside the report.
    pub journal: String,
    /// When it was begun, and when it had ended.
    pub span: (u64, u64),
}

/// What came of one run: `run.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// Why the run could not be carried through; none when it was.
    pub error: Option<String>,
    /// Exit code of `klp-trace watch`, 128 and the signal's number when a signal ended it; none when it did not run.
    pub exit: Option<i32>,
    /// What was still there after cleaning up: modules, patches, probes.
    pub left: Vec<String>,
    /// Milliseconds from start to ready, and of the whole run.
    pub millis: (u64, u64),
    /// The audits made once klp-trace had ended, in the order of [`Run::audits`].
    #[serde(default)]
    pub audits: Vec<StepReport>,
}

/// What is done, in one line: of a script, its first.
pub fn title(run: &str) -> &str {
    run.trim().lines().next().unwrap_or_default()
}

/// Bytes as two hex digits each, in the order of memory.
pub fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_findings_are_any_number_of_them() {
        let map = |pairs: &[(&str, usize)]| {
            pairs.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect::<BTreeMap<_, _>>()
        };
        let step = |pairs| RunStep {
            run: String::new(),
            say: String::new(),
            stalled: false,
            verdicts: BTreeMap::new(),
            findings: map(pairs),
            lossy: false,
            cycle: Vec::new(),
        };
        assert!(step(&[("KLP013", 0)]).has_findings(&map(&[("KLP013", 3)])));
        assert!(!step(&[("KLP013", 0)]).has_findings(&map(&[])));
        assert!(!step(&[("KLP013", 2)]).has_findings(&map(&[("KLP013", 3)])));
        assert!(!step(&[]).has_findings(&map(&[("KLP013", 3)])));
    }
}
