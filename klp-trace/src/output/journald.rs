//! Records for systemd's journal: a finding, the end of one, the last hash of a closed file of klp-trace's own journal.
//!
//! A record is a list of fields (systemd.journal-fields(7)), sent as one datagram (systemd.io/JOURNAL_NATIVE_PROTOCOL). Its
//! `MESSAGE_ID` leads `journalctl -x` to the text of [`catalog`]. No field holds an address: names of patches and objects,
//! counts, ids.

pub mod catalog;
mod ids;
#[cfg(test)]
mod tests;

use super::escape::Escaped;
use crate::journal::chain::Hash;
use crate::journal::{Body, Event, Finding, FindingClosed, ObjectRef, PatchRef};
use crate::model::Severity;
use std::fmt::Display;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// Where journald listens (systemd-journald.service(8)).
pub const SOCKET: &str = "/run/systemd/journal/socket";

/// The program's name in the journal.
const IDENTIFIER: &str = "klp-trace";

/// One record: names and values of its fields, `MESSAGE` first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    fields: Vec<(&'static str, String)>,
}

impl Record {
    /// The record of a finding or of a finding's end; none of any other event.
    pub fn of(event: &Event) -> Option<Self> {
        match &event.body {
            Body::Finding(finding) => Some(Self::open(finding, event.mono_ns)),
            Body::FindingClosed(closed) => Some(Self::closed(closed, event.mono_ns)),
            _ => None,
        }
    }

    fn open(finding: &Finding, mono_ns: u64) -> Self {
        let Finding { id, severity, patch, object, relocations, opened_ns, .. } = finding;
        let priority = match severity {
            Severity::Error => "3",
            Severity::Warning => "4",
            Severity::Info => "6",
        };
        let mut record = Self::new(message(finding), priority, ids::of(*id));
        record.add("KLP_STATE", "open");
        record.about(&id.to_string(), *severity, patch.as_ref(), object.as_ref());
        record.add("KLP_RELOCATIONS", relocations);
        record.add("KLP_OPENED_NS", opened_ns);
        record.add("KLP_MONO_NS", mono_ns);
        record
    }

    fn closed(closed: &FindingClosed, mono_ns: u64) -> Self {
        let FindingClosed { id, severity, patch, object, opened_ns, end } = closed;
        let mut record = Self::new(message_of_end(closed), "5", ids::OVER);
        record.add("KLP_STATE", "closed");
        record.about(&id.to_string(), *severity, patch.as_ref(), object.as_ref());
        record.add("KLP_END", end.word());
        record.add("KLP_OPENED_NS", opened_ns);
        record.add("KLP_MONO_NS", mono_ns);
        record
    }

    /// A file of klp-trace's journal was closed; `heads`: the last hash of each chain in it. Kept away from the host they
    /// prove that nothing was taken from the file since (docs/journal.md).
    pub fn closed_file(file: &Path, heads: &[Hash]) -> Self {
        let file = Escaped::new(file.as_os_str().as_encoded_bytes()).to_string();
        let mut record = Self::new(format!("{file} is closed"), "6", ids::HEAD);
        record.add("KLP_JOURNAL_FILE", file);
        for head in heads {
            record.add("KLP_HEAD", head);
        }
        record
    }

    fn new(message: String, priority: &str, id: u128) -> Self {
        let mut record = Self { fields: vec![("MESSAGE", message)] };
        record.add("MESSAGE_ID", format_args!("{id:032x}"));
        record.add("PRIORITY", priority);
        record.add("SYSLOG_IDENTIFIER", IDENTIFIER);
        record
    }

    fn about(&mut self, id: &str, severity: Severity, patch: Option<&PatchRef>, object: Option<&ObjectRef>) {
        self.add("KLP_FINDING", id);
        self.add("KLP_SEVERITY", severity);
        if let Some(patch) = patch {
            self.add("KLP_PATCH", &patch.name);
        }
        if let Some(object) = object {
            self.add("KLP_OBJECT", &object.name);
        }
    }

    fn add(&mut self, name: &'static str, value: impl Display) {
        self.fields.push((name, value.to_string()));
    }

    /// What it says in one line.
    pub fn message(&self) -> &str {
        self.fields.first().map_or("", |(_, message)| message)
    }

    /// The datagram: `NAME=value` lines; a value with a line feed in it after its length (64 bits, little-endian).
    fn datagram(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, value) in &self.fields {
            bytes.extend_from_slice(name.as_bytes());
            if value.contains('\n') {
                bytes.push(b'\n');
                bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
            } else {
                bytes.push(b'=');
            }
            bytes.extend_from_slice(value.as_bytes());
            bytes.push(b'\n');
        }
        bytes
    }
}

/// A finding in one line: its own words may hold addresses, and are not in it.
pub fn message(finding: &Finding) -> String {
    let Finding { id, severity, patch, object, relocations, .. } = finding;
    let mut parts = vec![format!("{severity} {id} {}", id.name())];
    parts.extend(names(patch.as_ref(), object.as_ref()));
    if *relocations > 0 {
        let s = if *relocations == 1 { "" } else { "s" };
        parts.push(format!("{relocations} relocation{s}"));
    }
    let line = parts.join(", ");
    format!("{line}: klp-trace audit shows it, klp-trace explain {id} says what to do")
}

/// The end of a finding in one line.
pub fn message_of_end(closed: &FindingClosed) -> String {
    let FindingClosed { id, patch, object, end, .. } = closed;
    let mut parts = vec![format!("over: {id} {}", id.name())];
    parts.extend(names(patch.as_ref(), object.as_ref()));
    format!("{} ({})", parts.join(", "), end.word())
}

fn names(patch: Option<&PatchRef>, object: Option<&ObjectRef>) -> Vec<String> {
    let of = [("patch", patch.map(|patch| &patch.name)), ("object", object.map(|object| &object.name))];
    of.into_iter().filter_map(|(what, name)| Some(format!("{what} {}", name?))).collect()
}

/// The way to journald. A record that it does not take at once is not waited for.
#[derive(Debug)]
pub struct Journald {
    way: UnixDatagram,
    /// Looked up for each record: journald may be another one than before.
    socket: PathBuf,
}

impl Journald {
    /// The journald that listens at [`SOCKET`], or another path.
    ///
    /// # Errors
    /// Fails where nobody listens there, or this process may not write to it.
    pub fn connect(socket: &Path) -> io::Result<Self> {
        UnixDatagram::unbound()?.connect(socket)?;
        let way = UnixDatagram::unbound()?;
        way.set_nonblocking(true)?;
        Ok(Self { way, socket: socket.to_owned() })
    }

    /// Sends a record.
    ///
    /// # Errors
    /// Fails where journald is not there, or does not keep up.
    pub fn send(&self, record: &Record) -> io::Result<()> {
        self.way.send_to(&record.datagram(), &self.socket).map(|_| ())
    }
}
