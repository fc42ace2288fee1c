//! The kernel's log, from where it was read last.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;

use anyhow::Context;

/// O_NONBLOCK (include/uapi/asm-generic/fcntl.h): without it a read waits for the next message.
const O_NONBLOCK: i32 = 0o4000;

/// /dev/kmsg, open.
#[derive(Debug)]
pub struct Kmsg(File);

impl Kmsg {
    /// Opens it, at its beginning.
    pub fn open() -> anyhow::Result<Self> {
        let mut options = File::options();
        options.read(true).custom_flags(O_NONBLOCK);
        options.open("/dev/kmsg").map(Self).context("cannot open /dev/kmsg")
    }

    /// The messages since the last call.
    pub fn drain(&mut self) -> anyhow::Result<Vec<String>> {
        let mut messages = Vec::new();
        let mut record = [0; 8192];
        loop {
            match self.0.read(&mut record) {
                Ok(length) => {
                    let text = String::from_utf8_lossy(record.get(..length).unwrap_or_default()).into_owned();
                    messages.push(message(&text).to_owned());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(messages),
                // EPIPE: messages were overwritten before they were read; the next read goes on after them.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                    messages.push("(messages were lost: the kernel's log ran over)".to_owned());
                }
                Err(error) => return Err(error).context("cannot read /dev/kmsg"),
            }
        }
    }
}

/// The message of a record: after the semicolon, up to the first line's end; lines of properties follow.
fn message(record: &str) -> &str {
    let line = record.lines().next().unwrap_or_default();
    line.split_once(';').map_or(line, |(_, message)| message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_its_message() {
        assert_eq!(message("6,339,5140900,-;livepatch: a; b\n SUBSYSTEM=x\n"), "livepatch: a; b");
        assert_eq!(message("odd"), "odd");
    }
}
