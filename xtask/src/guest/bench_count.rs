//! Instructions: what commands of klp-trace take of a processor whose clock counts them (`-icount shift=0`: a nanosecond each).
//! Waiting is not in it; what the kernel does for the command, such as checking its BPF programs, is.

use std::process::{Command, Stdio};

use anyhow::ensure;

use super::bench::spent;
use super::bench_audit::SCRIPT;
use super::{FIXTURES, TOOL, step, watch};
use crate::scenario::exchange::Measured;

/// Each command is run so often: its figure is the least, without what interrupts did meanwhile.
const ROUNDS: usize = 2;

/// The commands, and what they are called.
const COMMANDS: [(&str, &str); 6] = [
    ("version", "--version"),
    ("audit kcore summary", "audit --memory kcore --format summary"),
    ("audit kcore csv", "audit --memory kcore --format csv"),
    ("audit bpf summary", "audit --memory bpf --format summary"),
    ("audit bpf csv", "audit --memory bpf --format csv"),
    ("audit bpf json", "audit --memory bpf --format json"),
];

/// All audits are of `lp_many`, 20,000 relocations, while its target is there. Millions of instructions.
pub fn run(python: &[String]) -> anyhow::Result<Measured> {
    for module in ["klp_many", "lp_many"] {
        step::carry_out_well(&format!("insmod {module}"))?;
    }
    let mut measured = Measured::new();
    for (name, words) in COMMANDS {
        let mut command = Command::new(TOOL);
        command.args(words.split(' '));
        if words.starts_with("audit") {
            command.args(["--ko", FIXTURES]);
        }
        count(name, command, &mut measured)?;
    }
    if let [program, args @ ..] = python {
        let mut command = Command::new(program);
        command.args(args).args(["-S", SCRIPT, FIXTURES]).env("PYTHONHOME", "/opt/python3-minimal/usr");
        count("script", command, &mut measured)?;
    }
    Ok(measured)
}

fn count(name: &str, mut command: Command, measured: &mut Measured) -> anyhow::Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    // The first run pays for cold caches.
    for round in 0..=ROUNDS {
        let (nanos, status) = spent(&mut command)?;
        ensure!(status.success(), "{command:?}: exit code {}", watch::code(status));
        let millions = nanos / 1e6;
        println!("  {name}: {millions:.1} M instructions");
        if round > 0 {
            measured.entry(name.to_owned()).or_default().push(millions);
        }
    }
    Ok(())
}
