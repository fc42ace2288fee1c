//! One process at a time changes the cache.

use std::fs::{self, File};

use anyhow::Context;

use super::{cache_dir, progress};

/// Held while the cache is being changed; let go of when dropped, or when the process dies.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "held for its drop")] File);

/// Waits for its turn to change the part `name` of the cache.
pub fn take(name: &str) -> anyhow::Result<Lock> {
    let folder = cache_dir();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(format!("{name}.lock"));
    let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    if file.try_lock().is_err() {
        progress::note(&format!("waiting for another run that is changing {name}"));
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(Lock(file))
}
