//! Where a live session's events come from.

use super::SessionError;
use crate::arch::Arch;
use crate::journal::{Clock, Host, Kernel, Origin, Tool};
use crate::kernel::host;
use crate::source::live::now;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// This host, and the architecture whose formulas apply.
///
/// # Errors
/// Fails on an architecture whose running kernels are not judged.
pub fn host() -> Result<(host::Host, Arch), SessionError> {
    let host = host::Host::read(Path::new("/"));
    match Arch::from_uname(&host.arch).filter(|arch| arch.is_live()) {
        Some(arch) => Ok((host, arch)),
        None => Err(SessionError::NotLive(host.arch)),
    }
}

/// Where the records of a session on this host come from.
pub fn origin(host: &host::Host) -> Origin {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let wall = i128::try_from(wall).unwrap_or(0);
    Origin {
        host: Arc::new(Host {
            id: host.id.clone().unwrap_or_default(),
            name: host.name.clone(),
            boot_id: host.boot_id.clone(),
            kernel: Kernel { release: host.release.clone(), arch: host.arch.clone() },
        }),
        tool: Arc::new(Tool { version: env!("CARGO_PKG_VERSION").to_owned() }),
        clock: Clock::new(wall, now()),
    }
}
