//! Room on the disk under `target/`: a full disk shows itself late, and as something else (apt speaks of signatures).

use std::fs;
use std::process::Command;

use anyhow::{Context, ensure};

use super::{cache_dir, run_output};

/// What `target/` takes after a complete run from nothing, in bytes: measured, and half as much again.
const WHOLE: u64 = 9 << 30;

/// Less than this is left for nothing at all, in bytes.
const LEAST: u64 = 1 << 30;

/// Says so when a run from nothing may not find room enough.
///
/// # Errors
/// Fails when hardly any room is left: every later step would fail, with stranger words.
pub fn check() -> anyhow::Result<()> {
    let folder = cache_dir();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut df = Command::new("df");
    let said =
        run_output(df.args(["--output=avail", "--block-size=1"]).arg(&folder), "ask df for free space")?;
    let free = available(&said).with_context(|| format!("df says nothing of free space: {said}"))?;
    let gigabytes = |bytes: u64| bytes.div_ceil(1 << 30);
    ensure!(
        free >= LEAST,
        "less than {} GiB is free for {}; make room, or put target/ elsewhere: export CARGO_TARGET_DIR=DIRECTORY",
        gigabytes(LEAST),
        folder.display()
    );
    if free < WHOLE {
        println!(
            "      {} GiB are free for {}; a complete run from nothing takes up to {}",
            free >> 30,
            folder.display(),
            gigabytes(WHOLE)
        );
    }
    Ok(())
}

/// The number in df's second line.
fn available(said: &str) -> Option<u64> {
    said.lines().nth(1)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::available;

    #[test]
    fn free_space_is_the_second_line() {
        assert_eq!(available("    Avail\n52571234304\n"), Some(52_571_234_304));
        assert_eq!(available("Avail\n-\n"), None);
    }
}
