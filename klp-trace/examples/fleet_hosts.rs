//! For `cargo xtask fleet`: many hosts in one process, on loopback. Recordings of real kernels go through the real verifier into the
//! real exposition; host N answers at `/h/N/metrics`.
//!
//! `fleet_hosts RECORDINGS PLAN` prints the port. PLAN has a line for each host: a recording, and how far it is replayed (a
//! verdict that some relocation must have, a finding that must hold, or `end`); then, if wanted, what the running kernel says
//! beside it, such as `transition=700`. Lines on standard input change a host while it runs: `17 blind`, `17 down`; at its end the
//! process ends. What is posted to `/notify` is printed, a line each.
#![forbid(unsafe_code)]

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt::Write as _,
    io::BufRead as _,
    net::{Ipv4Addr, SocketAddr},
    ops::ControlFlow,
    path::Path,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail, ensure};
use hyper::body::{Body as _, Incoming};
use hyper::{Request, Response, StatusCode, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use klp_trace::{
    arch::Arch,
    journal::{LossCause, recording::replay},
    metrics::{Counts, Exposition, Journal, Kernel, Looks, Moment, Process, Sight, Snapshot, State},
    model::FindingId,
    output::event_sink::EventSink as _,
    verify::Verifier,
};

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [recordings, plan] = &words[..] else { bail!("give the folder of the recordings and a plan") };
    let plan = std::fs::read_to_string(plan).context("cannot read the plan")?;
    let mut known = HashMap::new();
    let mut hosts = Vec::new();
    for line in plan.lines() {
        if !known.contains_key(line) {
            known.insert(line, snapshot(Path::new(recordings), line).with_context(|| line.to_owned())?);
        }
        hosts.extend(known.get(line).cloned());
    }
    let hosts = Arc::new(RwLock::new(hosts));
    let commanded = Arc::clone(&hosts);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if let Err(error) = command(&commanded, &line) {
                eprintln!("{line}: {error:#}");
            }
        }
        std::process::exit(0);
    });
    let count = hosts.read().map_or(0, |hosts| hosts.len());
    let expositions = (0..count).map(|number| exposition(Arc::clone(&hosts), number));
    let fleet = Fleet { expositions: expositions.collect::<anyhow::Result<_>>()?, hosts };
    tokio::runtime::Builder::new_current_thread().enable_io().build()?.block_on(serve(Arc::new(fleet)))
}

/// All that is asked.
struct Fleet {
    hosts: Hosts,
    expositions: Vec<Exposition>,
}

impl Fleet {
    /// What a host answers; none: it does not.
    fn metrics(&self, number: usize) -> Option<String> {
        let answers = self.hosts.read().ok()?.get(number)?.is_some();
        self.expositions.get(number).filter(|_| answers)?.text().ok()
    }
}

/// What Prometheus reads of a host, as klp-trace writes it.
fn exposition(hosts: Hosts, number: usize) -> anyhow::Result<Exposition> {
    Ok(Exposition::new(move || {
        let hosts = hosts.read().unwrap_or_else(PoisonError::into_inner);
        moment(hosts.get(number).and_then(Option::as_ref))
    })?)
}

/// What is known of a host.
#[derive(Clone)]
struct Host {
    snapshot: Snapshot,
    /// How long ago its last look was, whenever it is asked.
    ago: Duration,
    /// Whether it has lost more records whenever it is asked.
    losing: bool,
}

/// None: it does not answer.
type Known = Option<Host>;
type Hosts = Arc<RwLock<Vec<Known>>>;

fn command(hosts: &Hosts, line: &str) -> anyhow::Result<()> {
    let (number, what) = line.split_once(' ').context("give a host and what becomes of it")?;
    let Ok(mut hosts) = hosts.write() else { bail!("a thread broke down") };
    let host = hosts.get_mut(number.parse::<usize>()?).context("no such host")?;
    match (what, host) {
        ("down", host) => *host = None,
        ("blind", Some(host)) => host.snapshot.sight = Sight::Blind("no hook fires".to_owned()),
        // Refused, and loaded after all before anybody asked.
        ("refused", Some(host)) => *host.snapshot.counts.findings.entry(FindingId::Klp009).or_default() += 1,
        _ => bail!("blind, down or refused"),
    }
    Ok(())
}

/// Where a line of the plan leads to.
fn snapshot(recordings: &Path, line: &str) -> anyhow::Result<Known> {
    let mut words = line.split_whitespace();
    let name = words.next().context("no recording")?;
    let until = words.next().context("how far is it replayed?")?;
    let (mut counts, mut kernel) = (Counts::default(), Kernel::default());
    let mut verifier: Option<Verifier> = None;
    let mut reached = until == "end";
    let mut wrong = None;
    replay(&recordings.join(name), &mut |origin, event| {
        let of = &origin.host.kernel;
        let Some(arch) = Arch::from_uname(&of.arch) else { return ControlFlow::Break(()) };
        kernel = Kernel { release: of.release.clone(), arch: of.arch.clone() };
        let verifier = verifier.get_or_insert_with(|| Verifier::new(arch).on(&of.release));
        let fed = &mut |event| wrong = counts.event(&event).err();
        verifier.feed(event, fed);
        let has = verifier.totals().iter().any(|(verdict, count)| *count > 0 && verdict.word() == until)
            || verifier.open_findings().keys().any(|id| id.to_string() == until);
        if has {
            // What an event ends is told with it.
            verifier.finish(fed);
            reached = true;
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    ensure!(reached && wrong.is_none(), "the recording does not lead there");
    let mut state = State::of(&verifier.context("the recording is empty")?);
    let (mut ago, mut losing) = (Duration::ZERO, false);
    let mut journal =
        Journal { writable: true, bytes: 4096, oldest: Some(now()), seq: 17, ..Journal::default() };
    for patch in state.patches.values_mut() {
        (patch.enabled, patch.build_id) =
            (Some(true), Some("00000000000000000000000000000000000b0b".to_owned()));
    }
    for word in words {
        match word.split_once('=') {
            Some(("transition", seconds)) => {
                let time = Duration::from_secs(seconds.parse()?);
                state.patches.values_mut().for_each(|patch| patch.transition = Some(time));
            }
            Some(("journal", "unwritten")) => journal.writable = false,
            Some(("looked", "ago")) => ago = Duration::from_hours(3),
            Some(("losing", "records")) => losing = true,
            _ => bail!("{word} is nothing that a host can have"),
        }
    }
    let looks = Looks {
        interval: Duration::from_mins(15),
        last: None,
        took: Duration::from_millis(42),
        last_record: None,
    };
    let sight = Sight::Sees(Arc::new(state));
    Ok(Some(Host {
        snapshot: Snapshot { kernel, sight, counts, looks, journal: Some(journal) },
        ago,
        losing,
    }))
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What is known of a host now: the look has just been, or was as long ago as its plan says.
fn moment(host: Option<&Host>) -> Moment {
    let nothing = Host { snapshot: unknown(), ago: Duration::ZERO, losing: false };
    let host = host.unwrap_or(&nothing);
    let mut snapshot = host.snapshot.clone();
    (snapshot.looks.last, snapshot.looks.last_record) = (Some(now().saturating_sub(host.ago)), Some(now()));
    if host.losing {
        snapshot.counts.lost.insert(LossCause::RingFull, now().as_secs());
    }
    let process =
        Process { cpu: Duration::from_secs(1), resident: 20_000_000, threads: 3, ..Process::default() };
    Moment {
        snapshot: Arc::new(snapshot),
        age: Duration::ZERO,
        requests: Some([1, 0, 0]),
        process: Some(process),
    }
}

/// Of a host that does not answer.
fn unknown() -> Snapshot {
    Snapshot {
        kernel: Kernel::default(),
        sight: Sight::Blind("it does not answer".to_owned()),
        counts: Counts::default(),
        looks: Looks::default(),
        journal: None,
    }
}

async fn serve(fleet: Arc<Fleet>) -> anyhow::Result<()> {
    let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    println!("port {}", listener.local_addr()?.port());
    // One thread, and all that it spawns stays on it.
    tokio::task::LocalSet::new()
        .run_until(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let fleet = Arc::clone(&fleet);
                tokio::task::spawn_local(async move {
                    let service = service_fn(|request| {
                        let fleet = Arc::clone(&fleet);
                        async move { Ok::<_, Infallible>(answer(&fleet, request).await) }
                    });
                    // What becomes of a connection is the other side's business.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        })
        .await
}

async fn answer(fleet: &Fleet, request: Request<Incoming>) -> Response<String> {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let text = match parts[..] {
        ["notify"] => {
            println!("notified {}", body(request.into_body()).await);
            Some(String::new())
        }
        // A host as node_exporter tells of it.
        ["node", name, "metrics"] => {
            let mut text = String::from("# TYPE node_uname_info gauge\n");
            let _ = writeln!(text, "node_uname_info{{nodename=\"{name}\"}} 1");
            Some(text)
        }
        ["h", number, "metrics"] => number.parse().ok().and_then(|number| fleet.metrics(number)),
        _ => None,
    };
    let mut response = Response::new(String::new());
    match text {
        Some(text) => *response.body_mut() = text,
        None => *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE,
    }
    response
}

async fn body(mut body: Incoming) -> String {
    let mut all = Vec::new();
    while let Some(Ok(frame)) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
    {
        all.extend(frame.data_ref().map(|data| data.to_vec()).unwrap_or_default());
    }
    String::from_utf8_lossy(&all).replace('\n', " ")
}
