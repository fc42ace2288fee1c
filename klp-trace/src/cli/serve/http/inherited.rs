//! Sockets that systemd listens at for the service (systemd.socket(5), sd_listen_fds(3)): the service itself then needs no network.

use super::listener::{Bound, ListenError};
use crate::elf::names;
use listenfd::ListenFd;
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

/// What was handed over at the start; none where nothing was.
#[derive(Debug, Default)]
pub(in crate::cli::serve) struct Inherited {
    tcp: Vec<TcpListener>,
    unix: Vec<UnixListener>,
}

impl Inherited {
    /// Takes them from the environment that systemd made; once.
    ///
    /// # Errors
    /// Fails where one is no listening stream socket.
    pub(in crate::cli::serve) fn take() -> Result<Self, ListenError> {
        let mut handed = ListenFd::from_env();
        let mut all = Self::default();
        for index in 0..handed.len() {
            // One that is no TCP socket is left where it is.
            if let Ok(tcp) = handed.take_tcp_listener(index) {
                all.tcp.extend(tcp);
            } else {
                all.unix.extend(handed.take_unix_listener(index).map_err(ListenError::Inherited)?);
            }
        }
        Ok(all)
    }

    /// Whether nothing was handed over.
    pub(in crate::cli::serve) fn is_nothing(&self) -> bool {
        self.tcp.is_empty() && self.unix.is_empty()
    }

    /// Where it is listened, for people.
    pub(in crate::cli::serve) fn places(&self) -> Vec<String> {
        let tcp =
            self.tcp.iter().filter_map(|tcp| Some(format!("http://{}/metrics", tcp.local_addr().ok()?)));
        let unix = self.unix.iter().map(|unix| {
            let address = unix.local_addr().ok();
            let path = address.as_ref().and_then(|address| address.as_pathname()).map(names::path);
            format!("the unix socket {}", path.unwrap_or_else(|| "without a name".to_owned()))
        });
        tcp.chain(unix).collect()
    }

    /// The same sockets for a server: they stay open here, for the next one.
    ///
    /// # Errors
    /// Fails where one is reached from other hosts and `anywhere` is not set, and where the kernel gives no second descriptor.
    pub(in crate::cli::serve) fn bound(&self, anywhere: bool) -> Result<Bound, ListenError> {
        let addresses = self.tcp.iter().filter_map(|tcp| tcp.local_addr().ok());
        if let Some(address) = addresses.into_iter().find(|address| !address.ip().is_loopback() && !anywhere)
        {
            return Err(ListenError::Anywhere(address));
        }
        let tcp = self.tcp.iter().map(|tcp| {
            tcp.set_nonblocking(true)?;
            tcp.try_clone()
        });
        let unix = self.unix.iter().map(|unix| {
            unix.set_nonblocking(true)?;
            unix.try_clone()
        });
        let tcp: io::Result<_> = tcp.collect();
        let unix: io::Result<_> = unix.collect();
        Ok(Bound { tcp: tcp.map_err(ListenError::Inherited)?, unix: unix.map_err(ListenError::Inherited)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::{AsFd, AsRawFd as _};
    use std::process::Command;

    /// In a process that was started as systemd starts one, which the test below does; elsewhere nothing is handed over.
    #[test]
    fn taken_here() {
        let inherited = Inherited::take().unwrap();
        println!("places: {}", inherited.places().join(" and "));
        let again = Inherited::take().unwrap();
        assert!(again.is_nothing(), "taken once");
        if !inherited.is_nothing() {
            let [first, second] = [inherited.bound(false).unwrap(), inherited.bound(false).unwrap()];
            assert_eq!((first.tcp.len(), first.unix.len()), (second.tcp.len(), second.unix.len()));
        }
    }

    /// What [`taken_here`] prints in a process to which these are handed over as systemd does it: descriptors from 3 on.
    fn handed(sockets: &[&dyn AsFd]) -> (bool, String) {
        let keep = rustix::io::FdFlags::empty();
        for socket in sockets {
            rustix::io::fcntl_setfd(socket.as_fd(), keep).unwrap();
        }
        let places = sockets.iter().enumerate();
        // Out of the way first: one may be where another one goes.
        let away =
            places.clone().map(|(at, socket)| format!("exec {}<&{};", at + 200, socket.as_fd().as_raw_fd()));
        let there = places.map(|(at, _)| format!("exec {}<&{};", at + 3, at + 200));
        let script = format!(
            "{} LISTEN_PID=$$ LISTEN_FDS={} exec \"$0\" --exact --nocapture cli::serve::http::inherited::tests::taken_here",
            away.chain(there).collect::<String>(),
            sockets.len()
        );
        let mut shell = Command::new("bash");
        let output = shell.args(["-c", &script]).arg(std::env::current_exe().unwrap()).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    #[test]
    fn sockets_that_systemd_listens_at_are_taken_once_and_given_to_each_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let unix = UnixListener::bind(&path).unwrap();
        let (passed, text) = handed(&[&unix, &tcp]);
        assert!(passed, "{text}");
        let port = tcp.local_addr().unwrap().port();
        let places =
            format!("places: http://127.0.0.1:{port}/metrics and the unix socket {}\n", path.display());
        assert!(text.contains(&places), "{text}");
    }

    #[test]
    fn what_is_no_listening_stream_is_an_error() {
        let datagram = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (passed, text) = handed(&[&datagram]);
        assert!(!passed && text.contains("Inherited("), "{text}");
    }

    #[test]
    fn a_socket_that_other_hosts_reach_has_to_be_asked_for_twice() {
        let tcp = TcpListener::bind("0.0.0.0:0").unwrap();
        let address = tcp.local_addr().unwrap();
        let inherited = Inherited { tcp: vec![tcp], unix: Vec::new() };
        assert!(matches!(inherited.bound(false), Err(ListenError::Anywhere(of)) if of == address));
        assert_eq!(inherited.bound(true).unwrap().tcp.len(), 1);
    }
}
