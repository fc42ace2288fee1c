//! The `klp-trace` command: arguments to a command, its end to an exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    klp_trace::cli::main().into()
}
