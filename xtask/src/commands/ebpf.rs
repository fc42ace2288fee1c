//! `cargo xtask ebpf build|check`: the eBPF object, rebuilt byte for byte.

use std::fs;

use anyhow::{Context as _, bail};
use clap::Subcommand;

use crate::ebpf;

/// Arguments of `cargo xtask ebpf`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Rebuilds klp-trace-ebpf/bpf/klp-trace.bpf.o from its source
    Build,
    /// Rebuilds the object and fails unless it is byte for byte the committed one
    Check,
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let file = ebpf::object_file();
    let built = ebpf::build()?;
    match args.action {
        Action::Build => {
            if let Some(folder) = file.parent() {
                fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
            }
            fs::write(&file, &built).with_context(|| format!("write {}", file.display()))?;
            println!("{}: {} bytes", file.display(), built.len());
        }
        Action::Check => {
            let committed = fs::read(&file)
                .with_context(|| format!("read {}; `cargo xtask ebpf build` makes it", file.display()))?;
            if let Some(difference) = first_difference(&committed, &built) {
                bail!(
                    "{} is not what its source builds: {difference}.\nIf the programs' change is meant, run \
                     `cargo xtask ebpf build` and commit the object with it.",
                    file.display()
                );
            }
            println!("{}: {} bytes, identical to a rebuild", file.display(), built.len());
        }
    }
    Ok(())
}

/// Where the two differ first, in words; `None` when they are equal.
fn first_difference(committed: &[u8], built: &[u8]) -> Option<String> {
    let lengths = format!("{} bytes committed, {} bytes built", committed.len(), built.len());
    match committed.iter().zip(built).position(|(a, b)| a != b) {
        Some(at) => Some(format!("{lengths}, the first difference at byte {at:#x}")),
        None if committed.len() == built.len() => None,
        None => Some(lengths),
    }
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn equal_bytes_alone_are_equal() {
        assert_eq!(first_difference(b"abc", b"abc"), None);
        assert!(first_difference(b"abc", b"abd").is_some_and(|d| d.contains("byte 0x2")));
        assert!(first_difference(b"abc", b"abcd").is_some());
        assert!(first_difference(b"abcd", b"abc").is_some());
    }
}
