//! `cargo xtask ebpf build|check`: the eBPF object, rebuilt byte for byte.

/// Arguments of `cargo xtask ebpf`.
#[derive(clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(_args: &Args) -> anyhow::Result<()> {
    Ok(())
}
