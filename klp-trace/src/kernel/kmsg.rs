//! The kernel's log, from now on: /dev/kmsg, without waiting (Documentation/ABI/testing/dev-kmsg).

use crate::{
    journal::KernelMessage,
    klog::{self, Line},
};
use rustix::{
    fs::{Mode, OFlags, SeekFrom},
    io::Errno,
};
use std::{os::fd::OwnedFd, path::Path};

/// Where the kernel offers its log.
pub const PATH: &str = "/dev/kmsg";

/// The longest record (kernel/printk/internal.h, `PRINTKRB_RECORD_MAX` and the older `CONSOLE_EXT_LOG_MAX`), bytes.
const RECORD: usize = 8192;
/// Records taken at once: more than what one load of a module can say; the rest is taken next time.
const AT_ONCE: u32 = 4096;

/// The kernel's log, open at its end.
#[derive(Debug)]
pub struct Kmsg {
    file: OwnedFd,
    buffer: Box<[u8]>,
}

impl Kmsg {
    /// Opens it behind the last message, so that what was said before is not taken for what is said now. Errors: there is no
    /// log, or this process may not read it (`CAP_SYSLOG` where kernel.dmesg_restrict is 1).
    pub fn open(path: &Path) -> Result<Self, String> {
        let failed = |error: Errno| format!("cannot read {}: {error}", path.display());
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?;
        rustix::fs::seek(&file, SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { file, buffer: vec![0; RECORD].into() })
    }

    /// What was said of livepatch and relocations since the last call. Never waits, and costs one system call when nothing
    /// was said. What was overwritten before it was read is not there.
    pub fn messages(&mut self) -> Vec<KernelMessage> {
        let mut found = Vec::new();
        for _ in 0..AT_ONCE {
            match rustix::io::read(&self.file, &mut *self.buffer) {
                Ok(0) => break,
                Ok(length) => {
                    let record = self.buffer.get(..length).and_then(Line::parse);
                    found.extend(record.as_ref().and_then(klog::message));
                }
                // Overwritten: the next read goes on with the oldest that is left.
                Err(Errno::PIPE | Errno::INTR) => {}
                Err(_) => break,
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_before_is_passed_over() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "5,1,2,-;livepatch: enabling patch 'old'\n").unwrap();
        let mut log = Kmsg::open(file.path()).unwrap();
        assert_eq!(log.messages(), []);
        let all = "5,1,2,-;livepatch: enabling patch 'old'\n5,2,3,-;livepatch: enabling patch 'new'\n";
        std::fs::write(file.path(), all).unwrap();
        // A file has no records: what is new comes as one.
        let messages = log.messages();
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].patch.as_deref(), Some("new"));
        assert_eq!(log.messages(), []);
    }

    #[test]
    fn a_log_that_cannot_be_read_says_so() {
        let error = Kmsg::open(Path::new("/nonexistent/kmsg")).unwrap_err();
        assert!(error.contains("/nonexistent/kmsg"), "{error}");
    }
}
