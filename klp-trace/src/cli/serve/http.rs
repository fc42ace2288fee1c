//! The metrics over HTTP, on a thread of its own. hyper reads the requests; here are the bounds, and the answers.
//!
//! A client can take a connection of the eight for ten seconds, and nothing else: the collecting thread does not know of it.

mod answer;
mod inherited;
mod listener;

#[cfg(test)]
mod tests;

use super::shelf::Shelf;
use crate::metrics::Exposition;
use answer::Answers;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
pub(super) use inherited::Inherited;
pub(super) use listener::{Bound, ListenError};
use std::convert::Infallible;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, oneshot};

/// Connections at a time; others wait until one of them has ended.
const CONNECTIONS: usize = 8;

/// From the first byte to the end of a request's head.
const HEAD: Duration = Duration::from_secs(5);

/// From the connection to the end of its answer.
const WHOLE: Duration = Duration::from_secs(10);

/// Bytes of a request's head.
const HEAD_BYTES: usize = 4096;

/// Fields of a request's head.
const FIELDS: usize = 32;

/// What hyper may hold of a connection: the least that it allows.
const BUFFER: usize = 8192;

/// Until a listener that failed, for want of file descriptors or memory, is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// The thread that answers.
pub(super) struct Server {
    thread: Option<JoinHandle<()>>,
    stop: Option<oneshot::Sender<()>>,
}

impl Server {
    /// Answers at what is bound until it is dropped.
    pub(super) fn start(
        bound: Bound,
        hosts: Vec<String>,
        shelf: Arc<Shelf>,
        metrics: Exposition,
    ) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (stop, stopped) = oneshot::channel();
        let answers = Arc::new(Answers { hosts, shelf, metrics });
        let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
            runtime.block_on(async {
                let free = Arc::new(Semaphore::new(CONNECTIONS));
                // What cannot be handed over to the runtime is told by the address not answering.
                for tcp in bound.tcp.into_iter().filter_map(|tcp| TcpListener::from_std(tcp).ok()) {
                    tokio::spawn(tcp_loop(tcp, Arc::clone(&free), Arc::clone(&answers)));
                }
                for unix in bound.unix.into_iter().filter_map(|unix| UnixListener::from_std(unix).ok()) {
                    tokio::spawn(unix_loop(unix, Arc::clone(&free), Arc::clone(&answers)));
                }
                let _ = stopped.await;
            });
        })?;
        Ok(Self { thread: Some(thread), stop: Some(stop) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        // Its connections end with the runtime.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn tcp_loop(listener: TcpListener, free: Arc<Semaphore>, answers: Arc<Answers>) {
    // Closed never: it lives as long as this.
    while let Ok(permit) = Arc::clone(&free).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let answers = Arc::clone(&answers);
                tokio::spawn(async move {
                    serve(stream, answers, false).await;
                    drop(permit);
                });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn unix_loop(listener: UnixListener, free: Arc<Semaphore>, answers: Arc<Answers>) {
    while let Ok(permit) = Arc::clone(&free).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let answers = Arc::clone(&answers);
                tokio::spawn(async move {
                    serve(stream, answers, true).await;
                    drop(permit);
                });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// One connection, one answer. `trusted`: no browser can be led to it, so any Host will do.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    answers: Arc<Answers>,
    trusted: bool,
) {
    let service = service_fn(move |request| {
        let answers = Arc::clone(&answers);
        async move { Ok::<_, Infallible>(answers.to(&request, trusted)) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .header_read_timeout(HEAD)
        .max_header_size(HEAD_BYTES)
        .max_headers(FIELDS)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    // What became of it is the client's business: the answer is counted when it is made.
    let _ = tokio::time::timeout(WHOLE, connection).await;
}
