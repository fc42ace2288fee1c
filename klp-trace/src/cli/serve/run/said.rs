//! What a service says on standard error: few lines, without an address. systemd's journal keeps them.

use crate::cli::Failure;
use crate::cli::serve::config::{Metrics, Records};
use crate::cli::serve::http::Inherited;
use crate::elf::names;
use crate::journal::chain::Hash;
use crate::journal::{Event, Totals};
use crate::output::escape::Escaped;
use crate::output::journal::OnClose;
use crate::output::journald::{Journald, Record, SOCKET};
use crate::probe::HookStatus;
use std::io::Write as _;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

fn say(line: &str) {
    // With standard error gone there is nobody left to tell.
    let _ = writeln!(std::io::stderr(), "klp-trace: {}", Escaped::new(line.as_bytes()));
}

pub(super) fn listening(config: &Metrics, inherited: &Inherited) {
    if !inherited.is_nothing() {
        for place in inherited.places() {
            say(&format!(
                "metrics at {place}, where systemd listens; metrics.listen and metrics.socket are not used"
            ));
        }
        return;
    }
    if let Some(address) = config.listen.0 {
        say(&format!("metrics at http://{address}/metrics"));
    }
    if let Some(socket) = &config.socket {
        say(&format!("metrics at the unix socket {}", names::path(socket)));
    }
}

pub(super) fn attached(hooks: &[HookStatus]) {
    let attached = hooks.iter().filter(|hook| hook.mechanism.is_some()).count();
    say(&format!("{attached} of {} hooks attached", hooks.len()));
}

/// The configuration was to be read again, and what was in force stays so.
pub(super) fn kept_on(failure: &Failure) {
    say(&format!("goes on as before: {}", failure.in_short()));
}

/// Where findings, their ends and the last hashes of closed files are told: systemd's journal, standard error, or both.
#[derive(Debug)]
pub(in crate::cli::serve) struct Told {
    journald: Option<Journald>,
    /// Standard error is another place than systemd's journal, or all there is.
    lines: bool,
}

impl Default for Told {
    /// Standard error.
    fn default() -> Self {
        Self { journald: None, lines: true }
    }
}

impl Told {
    /// As the configuration has it.
    pub(super) fn new(records: Records) -> Self {
        let is_journal = stderr_is_journal();
        if records == Records::Never || (records == Records::Auto && !is_journal) {
            return Self::default();
        }
        match Journald::connect(Path::new(SOCKET)) {
            Ok(journald) => Self { journald: Some(journald), lines: !is_journal },
            Err(error) => {
                say(&format!("no records for systemd's journal, lines here instead: {SOCKET}: {error}"));
                Self::default()
            }
        }
    }

    /// A finding, or the end of one.
    pub(super) fn finding(&self, event: &Event) {
        if let Some(record) = Record::of(event) {
            self.tell(&record);
        }
    }

    fn tell(&self, record: &Record) {
        let sent = self.journald.as_ref().is_some_and(|journald| journald.send(record).is_ok());
        if self.lines || !sent {
            say(record.message());
        }
    }
}

impl OnClose for Rc<Told> {
    /// Without journald nobody is told: the file itself, or its signature, has the hash.
    fn closed(&mut self, file: &Path, heads: &[Hash]) {
        if let Some(journald) = &self.journald {
            // One that is not taken is still in the file.
            let _ = journald.send(&Record::closed_file(file, heads));
        }
    }
}

/// Whether standard error leads to systemd's journal (systemd.exec(5), `JOURNAL_STREAM`).
fn stderr_is_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let stat = rustix::fs::fstat(std::io::stderr());
    stat.is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

pub(super) fn ended(after: Duration, totals: &Totals) {
    let all: u64 = totals.values().sum();
    let of: Vec<String> = totals.iter().map(|(verdict, count)| format!("{verdict} {count}")).collect();
    let of = if of.is_empty() { String::new() } else { format!(" ({})", of.join(", ")) };
    say(&format!("ended by a signal after {} s; {all} relocations{of}", after.as_secs()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::serve::config::Config;
    use crate::cli::serve::kept::Kept;
    use crate::journal::{Body, testing};
    use crate::output::event_sink::{Ended, EventSink as _};
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;

    /// Tells the test below that this process is its own, which may tell.
    const CHILD: &str = "KLP_TRACE_TEST_TELLS";

    /// In the process that the test below starts, whose standard error is what that test says; elsewhere nobody is told.
    #[test]
    fn told_from_here() {
        if std::env::var_os(CHILD).is_some() {
            Told::new(Records::Auto).finding(&testing::at(7, Body::Finding(testing::finding())));
        }
    }

    #[test]
    fn a_finding_is_a_record_where_journald_is_and_no_other_event_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        let told = Told { journald: Some(Journald::connect(&path).unwrap()), lines: false };
        let event = testing::at(7, Body::Finding(testing::finding()));
        told.finding(&event);
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).unwrap();
        assert!(bytes[..length].starts_with(b"MESSAGE=error KLP001"));
        told.finding(&testing::at(8, testing::one_of_each().remove(0).body));
        socket.set_nonblocking(true).unwrap();
        assert!(socket.recv(&mut bytes).is_err(), "no other event is told");
    }

    #[test]
    fn the_last_hash_of_a_closed_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let socket = UnixDatagram::bind(&path).unwrap();
        let told = Told { journald: Some(Journald::connect(&path).unwrap()), lines: false };
        let journal = format!("[journal]\nfile = \"{}\"", folder.path().join("klp.ndjson").display());
        let config = Config::parse(&journal).unwrap();
        let mut kept = Kept::new(&config.journal, &Rc::new(told)).unwrap();
        kept.begin(&testing::origin()).unwrap();
        for event in testing::one_of_each() {
            kept.event(&event).unwrap();
        }
        kept.finish(Ended { code: 0, meaning: "clean" }).unwrap();
        let file = folder.path().join("klp.000001.ndjson");
        let text = std::fs::read_to_string(&file).unwrap();
        let (_, hash) = text.trim_end().rsplit_once("\"hash\":\"").unwrap();
        let mut bytes = [0; 4096];
        let length = socket.recv(&mut bytes).unwrap();
        let record = String::from_utf8_lossy(&bytes[..length]);
        assert!(record.contains(&format!("\nKLP_JOURNAL_FILE={}\n", file.display())), "{record}");
        assert!(record.contains(&format!("\nKLP_HEAD={}\n", hash.split('"').next().unwrap())), "{record}");
    }

    #[test]
    fn standard_error_is_a_line_for_each_finding_where_it_is_not_the_journal() {
        let run = |stream: &str| {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "--nocapture", "cli::serve::run::said::tests::told_from_here"]);
            let output = child.env(CHILD, "1").env("JOURNAL_STREAM", stream).output().unwrap();
            assert!(output.status.success());
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        let line =
            "klp-trace: error KLP001 stale-after-unload, patch lp_one, object klp_target, 12 relocations: ";
        assert!(run("1:2").contains(line));
    }
}
