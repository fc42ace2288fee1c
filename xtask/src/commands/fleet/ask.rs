//! Asks a server on loopback. HTTP/1.0: one request a connection, the answer ends with it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;

/// A port that is free now.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr().context("a socket without an address")?.port())
}

/// The body of an answer.
pub fn get(port: u16, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("nobody answers at port {port}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).context("cannot set a time-out")?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").context("cannot ask")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).with_context(|| format!("no answer to {path}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.contains(" 200 "), "{path}: {status}: {body}");
    Ok(body.to_owned())
}

/// One series of an answer: its labels.
pub type Labels = BTreeMap<String, String>;

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: Labels,
}

/// What Prometheus has of an expression now.
pub fn query(port: u16, expr: &str) -> anyhow::Result<Vec<Labels>> {
    let mut path = String::from("/api/v1/query?query=");
    for byte in expr.bytes() {
        if byte.is_ascii_alphanumeric() {
            path.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    let body = get(port, &path).with_context(|| format!("asking for {expr}"))?;
    let answer: Answer = serde_json::from_str(&body).context("an answer that is no JSON of Prometheus")?;
    Ok(answer.data.result.into_iter().map(|series| series.metric).collect())
}
