//! The `klp-trace` command.
#![forbid(unsafe_code)]

fn main() {}
