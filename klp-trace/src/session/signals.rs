//! The signals that end a session.

use super::SessionError;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Set by SIGINT, SIGTERM and SIGHUP from here on.
///
/// # Errors
/// Fails when a handler cannot be set.
pub fn stop_flag() -> Result<Arc<AtomicBool>, SessionError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(SessionError::Signals)?;
    }
    Ok(stop)
}

/// Of a service: the first is set by SIGINT and SIGTERM from here on, the second by SIGHUP.
///
/// # Errors
/// Fails when a handler cannot be set.
pub fn service_flags() -> Result<(Arc<AtomicBool>, Arc<AtomicBool>), SessionError> {
    let (stop, reload) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    for (signal, flag) in [(SIGINT, &stop), (SIGTERM, &stop), (SIGHUP, &reload)] {
        signal_hook::flag::register(signal, Arc::clone(flag)).map_err(SessionError::Signals)?;
    }
    Ok((stop, reload))
}
