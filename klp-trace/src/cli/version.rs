//! `klp-trace --version`: everything that a report of a fault needs to say of the build.

use sha2::{Digest as _, Sha256};

use super::exit::Exit;
use super::failure::Failure;
use super::print_text;
use crate::elf::notes;
use crate::probe;

/// The kernels on which every scenario runs before a change is taken (xtask, `Series`).
pub(super) const KERNELS: [&str; 3] = ["6.1", "6.12", "7.x"];

/// Prints the version, the commit, the hash of the eBPF object, and the kernels that it is tested on
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints it to standard output.
pub fn run(_: &Args) -> Result<Exit, Failure> {
    print_text(long().as_bytes())
}

/// Whether the long form was asked for: `--version`; `-V` is one line.
pub(super) fn asked_in_full() -> bool {
    std::env::args_os().any(|word| word == "--version")
}

/// The long form.
pub(super) fn long() -> String {
    let hash = notes::hex(&Sha256::digest(probe::embedded()));
    format!(
        "klp-trace {}\n\
         commit: {}\n\
         eBPF object: sha256 {hash}\n\
         kernels tested: {} (x86_64, Debian); needs 5.17 or newer, x86_64, BTF\n\
         journal format: {}",
        env!("CARGO_PKG_VERSION"),
        env!("KLP_TRACE_BUILT_FROM"),
        KERNELS.join(", "),
        crate::journal::SCHEMA,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_report_needs_is_said() {
        let text = long();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        let commit = lines[1].strip_prefix("commit: ").unwrap();
        let hash = commit.split(' ').next().unwrap();
        assert!(
            commit == "unknown" || hash.len() == 40 || std::env::var_os("KLP_TRACE_COMMIT").is_some(),
            "{text}"
        );
        assert!(lines[2].strip_prefix("eBPF object: sha256 ").is_some_and(|hash| hash.len() == 64), "{text}");
    }

    #[test]
    fn the_kernels_are_those_of_the_testbed() {
        let series = include_str!("../../../xtask/src/testbed/series.rs");
        let known: Vec<&str> =
            series.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(KERNELS.map(|kernel| kernel.trim_end_matches(".x")).to_vec(), known);
    }
}
