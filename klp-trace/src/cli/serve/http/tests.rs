//! By real sockets, as hostile clients meet it.

use super::*;
use crate::cli::serve::config::Listen;
use crate::metrics::{Counts, Kernel, Looks, Sight, Snapshot, State};
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Instant;

struct Running {
    address: SocketAddr,
    shelf: Arc<Shelf>,
    _server: Server,
}

fn snapshot(sight: Sight) -> Snapshot {
    Snapshot {
        kernel: Kernel { release: "6.1.0".to_owned(), arch: "x86_64".to_owned() },
        sight,
        counts: Counts::default(),
        looks: Looks::default(),
        journal: None,
    }
}

fn sees() -> Snapshot {
    snapshot(Sight::Sees(Arc::new(State::default())))
}

fn start(unix: Option<&std::path::Path>) -> Running {
    let Listen(Some(mut address)) = Listen::default() else { panic!("the default is an address") };
    address.set_port(0);
    let bound = Bound::bind(Some(address), unix).unwrap();
    let address = bound.tcp[0].local_addr().unwrap();
    let shelf = Arc::new(Shelf::new(sees()));
    let of = Arc::clone(&shelf);
    let metrics = Exposition::new(move || of.moment()).unwrap();
    let server = Server::start(bound, vec!["node7.example".to_owned()], Arc::clone(&shelf), metrics).unwrap();
    Running { address, shelf, _server: server }
}

impl Running {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// What comes back for these bytes, until the connection ends.
    fn send(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // It may have been dropped half-way.
        let _ = stream.write_all(bytes);
        read(&mut stream)
    }

    fn get(&self, path: &str) -> String {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).as_bytes())
    }
}

fn read(stream: &mut impl std::io::Read) -> String {
    let mut all = Vec::new();
    // A reset after the answer is an end too.
    let mut part = [0; 4096];
    while let Ok(length) = stream.read(&mut part) {
        if length == 0 {
            break;
        }
        all.extend_from_slice(&part[..length]);
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[test]
fn three_pages_and_no_other() {
    let server = start(None);
    let metrics = server.get("/metrics");
    assert_eq!(status(&metrics), "200");
    assert!(metrics.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{metrics}");
    assert!(body(&metrics).contains("\nklp_trace_up 1\n") && body(&metrics).contains("\nprocess_threads "));
    assert_eq!(body(&server.get("/healthz")), "ok\n");
    assert!(body(&server.get("/")).contains("/metrics"));
    assert_eq!(status(&server.get("/metrics?a=b")), "200");
    for path in ["/metric", "/metrics/", "/../etc/passwd", "//metrics", "/%00", "/debug/pprof"] {
        assert_eq!(status(&server.get(path)), "404", "{path}");
    }
    let again = server.get("/metrics");
    assert!(body(&again).contains("klp_trace_http_requests_total{code=\"4xx\"} 6\n"), "{again}");
    let why = "no hook fires";
    server.shelf.publish(snapshot(Sight::Blind(why.to_owned())));
    let blind = server.get("/healthz");
    assert_eq!((status(&blind), body(&blind)), ("503", "no hook fires\n"));
    assert!(body(&server.get("/metrics")).contains("\nklp_trace_up 0\n"));
}

#[test]
fn head_is_get_without_the_body_and_nothing_else_is_taken() {
    let server = start(None);
    let ask = |method: &str, path: &str| {
        server.send(
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").as_bytes(),
        )
    };
    for path in ["/metrics", "/healthz", "/"] {
        let head = ask("HEAD", path);
        assert!(
            status(&head) == "200" && body(&head).is_empty() && head.contains("content-length: "),
            "{head}"
        );
        assert!(!head.contains("content-length: 0\r\n"), "{head}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            let answer = ask(method, path);
            assert_eq!(status(&answer), "405", "{method}");
            assert!(answer.contains("allow: GET, HEAD\r\n"), "{answer}");
        }
    }
}

#[test]
fn who_asks_for_another_host_is_sent_away() {
    let server = start(None);
    let ask = |fields: &str| server.send(format!("GET /metrics HTTP/1.1\r\n{fields}\r\n").as_bytes());
    for host in [
        "localhost",
        "LOCALHOST:11216",
        "127.0.0.1",
        "127.0.0.1:1",
        "[::1]:11216",
        "node7.example:80",
        "192.0.2.1",
    ] {
        assert_eq!(status(&ask(&format!("Host: {host}\r\n"))), "200", "{host}");
    }
    for host in [
        "evil.example",
        "evil.example:11216",
        "localhost.evil.example",
        "node7.example.evil",
        "a b",
        "@",
        "",
        "\u{e4}",
    ] {
        let answer = ask(&format!("Host: {host}\r\n"));
        assert!(["400", "421"].contains(&status(&answer)), "{host}: {answer}");
        assert!(!answer.contains("klp_trace"), "{answer}");
    }
    for fields in ["", "Host: localhost\r\nHost: evil.example\r\n", "Host: localhost\r\nHost: localhost\r\n"]
    {
        assert!(["400", "421"].contains(&status(&ask(fields))), "{fields}");
    }
}

#[test]
fn what_is_no_request_is_answered_or_dropped() {
    let server = start(None);
    let long = "x".repeat(1 << 20);
    let many = "A: b\r\n".repeat(1000);
    let requests: Vec<Vec<u8>> = vec![
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nA: {long}\r\n\r\n").into_bytes(),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n").into_bytes(),
        format!("{long}{long}").into_bytes(),
        b"GET /\xff\xfe\xc3 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: local\xffhost\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20),
        b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nabc".to_vec(),
        b"GET http://evil.example/metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_vec(),
        b"GET metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        b"\0\0\0\0\r\n\r\n".to_vec(),
        b"\r\n\r\n\r\n\r\n".repeat(3000),
    ];
    for request in &requests {
        let shown = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        let answer = server.send(request);
        assert!(answer.len() < 2048 && !answer.contains("klp_trace_up"), "{shown:?}: {answer}");
        if !answer.is_empty() {
            assert!(
                ["400", "404", "421", "431", "505", "200", "414"].contains(&status(&answer)),
                "{shown:?}: {answer}"
            );
        }
    }
    let over = server.send(&requests[1]);
    assert!(over.is_empty() || status(&over) == "431", "{over}");
    assert_eq!(status(&server.get("/metrics")), "200", "it goes on");
}

#[test]
fn of_several_requests_in_one_the_first_is_answered() {
    let server = start(None);
    let one = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let answer = server.send(one.repeat(100).as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
}

/// Slow clients take the eight connections, and give them back; meanwhile the publisher goes on.
#[test]
fn slow_clients_hold_up_no_publisher_and_are_dropped() {
    let server = start(None);
    let started = Instant::now();
    let mut slow: Vec<TcpStream> = (0..CONNECTIONS * 3).map(|_| server.connect()).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /metr").unwrap();
    }
    for _ in 0..1000 {
        server.shelf.publish(sees());
    }
    assert!(started.elapsed() < Duration::from_secs(2), "publishing waited: {:?}", started.elapsed());
    // One that dribbles: the head's time is that of all of it.
    let mut dribbling = slow.pop().unwrap();
    std::thread::spawn(move || {
        for _ in 0..200 {
            if dribbling.write_all(b"i").is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let answer = server.get("/metrics");
    let waited = started.elapsed();
    assert_eq!(status(&answer), "200", "{answer}");
    assert!(waited >= HEAD && waited < Duration::from_secs(28), "{waited:?}");
    for stream in &mut slow {
        assert!(!read(stream).contains("klp_trace"));
    }
}

/// Who asks and does not read holds a connection for its time, and no longer.
#[test]
fn a_thousand_connections_are_answered_or_wait() {
    let server = start(None);
    let ask = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    let mut open = Vec::new();
    for _ in 0..1000 {
        if let Ok(mut stream) = TcpStream::connect_timeout(&server.address, Duration::from_millis(500)) {
            let _ = stream.write_all(ask.as_bytes());
            open.push(stream);
        }
    }
    assert!(open.len() > 100, "{}", open.len());
    let begun = Instant::now();
    server.shelf.publish(sees());
    assert!(begun.elapsed() < Duration::from_millis(500));
    drop(open);
    assert_eq!(status(&server.get("/healthz")), "200");
}

#[test]
fn the_unix_socket_is_for_its_group_and_is_taken_over_when_nobody_listens() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.sock");
    for _ in 0..2 {
        // The second time it is what the first one left.
        let _server = start(Some(&path));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: anything\r\n\r\n").unwrap();
        assert_eq!(body(&read(&mut stream)), "ok\n");
        let taken = Bound::bind(None, Some(&path)).unwrap_err();
        assert!(taken.to_string().contains("metrics.sock: Address already in use"), "{taken}");
    }
    let file = folder.path().join("file");
    std::fs::write(&file, "kept").unwrap();
    assert!(Bound::bind(None, Some(&file)).is_err());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
}

#[test]
fn an_address_that_is_taken_is_said() {
    let server = start(None);
    let error = Bound::bind(Some(server.address), None).unwrap_err();
    let said = crate::cli::Failure::from(error).to_string();
    assert!(said.contains(&server.address.to_string()) && said.contains("hint: "), "{said}");
}
