//! What is listened at, bound before anything is attached: that an address is taken is said at once.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::cli::{Exit, Failure};
use crate::elf::names;

/// For its owner and its group: who may read the metrics is who the group is.
const MODE: u32 = 0o660;

/// Why nothing can be listened at.
#[derive(Debug, Error)]
pub(in crate::cli::serve) enum ListenError {
    /// The address.
    #[error("cannot listen at {address}: {source}")]
    Tcp {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The unix socket.
    #[error("cannot listen at {}: {source}", names::path(path))]
    Unix {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What systemd handed over.
    #[error("cannot use the sockets that systemd listens at: {0}")]
    Inherited(io::Error),
    /// The same, where other hosts reach it.
    #[error(
        "systemd listens at {0} for klp-trace, which other hosts reach: they could read the metrics without a password and unencrypted"
    )]
    Anywhere(SocketAddr),
    /// The thread that answers.
    #[error("cannot start the thread that answers: {0}")]
    Thread(io::Error),
}

impl From<ListenError> for Failure {
    fn from(error: ListenError) -> Self {
        let hint = match &error {
            ListenError::Tcp { .. } => {
                "another klp-trace serve may run: systemctl status klp-trace; or name another address with metrics.listen"
            }
            ListenError::Unix { .. } => {
                "name a path whose folder is there, and at which nobody listens, with metrics.socket"
            }
            ListenError::Inherited(_) => {
                "it can have TCP and unix stream sockets (ListenStream=, Accept=no): systemctl cat klp-trace.socket"
            }
            ListenError::Anywhere(_) => {
                "write ListenStream=127.0.0.1:11216 in klp-trace.socket; or, where it is meant, listen-anywhere = true under [metrics]"
            }
            ListenError::Thread(_) => {
                "look at the limits of the service: systemctl show klp-trace | grep -i tasks"
            }
        };
        let exit = if matches!(error, ListenError::Anywhere(_)) { Exit::Usage } else { Exit::Runtime };
        Self::new(exit, error).hint(hint)
    }
}

/// Sockets that are listened at.
#[derive(Debug, Default)]
pub(in crate::cli::serve) struct Bound {
    pub tcp: Vec<TcpListener>,
    pub unix: Vec<UnixListener>,
}

impl Bound {
    /// Binds both, as far as they are asked for.
    pub(in crate::cli::serve) fn bind(
        tcp: Option<SocketAddr>,
        unix: Option<&Path>,
    ) -> Result<Self, ListenError> {
        let tcp = tcp.map(|address| {
            let listener = TcpListener::bind(address).and_then(|listener| {
                listener.set_nonblocking(true)?;
                Ok(listener)
            });
            listener.map_err(|source| ListenError::Tcp { address, source })
        });
        let unix = unix.map(|path| {
            bind_unix(path).map_err(|source| ListenError::Unix { path: path.to_owned(), source })
        });
        Ok(Self {
            tcp: tcp.transpose()?.into_iter().collect(),
            unix: unix.transpose()?.into_iter().collect(),
        })
    }

    /// Whether there is nothing.
    pub(in crate::cli::serve) fn is_nothing(&self) -> bool {
        self.tcp.is_empty() && self.unix.is_empty()
    }
}

/// A socket that an earlier run left behind, at which nobody listens, is replaced; nothing else is.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    if let Ok(there) = std::fs::symlink_metadata(path)
        && there.file_type().is_socket()
        && UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
