//! What commands say of a journal that they judged anew.

use crate::session::Replayed;
use std::io::Write as _;
use std::path::Path;

/// Says on standard error what is wrong with the journal.
pub(super) fn warn(journal: &Path, replayed: &Replayed) {
    let name = crate::elf::names::path(journal);
    for line in replayed.warnings() {
        let _ = writeln!(std::io::stderr(), "klp-trace: {name}: {line}");
    }
}
