//! `cargo xtask fleet`: many hosts in one process, scraped by Debian's Prometheus, whose alerts Debian's Alertmanager groups.
//!
//! The states are those of recordings of real kernels, the exposition is klp-trace's own; rules, dashboards and Alertmanager's
//! example are those that are committed, with seconds for minutes.

mod ask;
mod config;
mod engine;
mod kinds;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::dashboards;
use crate::dashboards::queries;
use crate::scenario::prepare::cargo;
use crate::testbed::{cache_dir, workspace};
use engine::Hosts;
use kinds::{EQUAL, GOOD, KINDS, Kind};

/// Arguments of `cargo xtask fleet`.
#[derive(clap::Args)]
pub struct Args {
    /// How many hosts
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(50..=10_000))]
    hosts: u32,
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<()> {
    of(usize::try_from(args.hosts).context("too many hosts")?)
}

/// An alert and the host that it is about.
type Fired = BTreeSet<(String, String)>;

/// A run.
struct Fleet {
    folder: PathBuf,
    hosts: Vec<Kind>,
    process: Hosts,
    /// Seconds that stand for a minute.
    minute: u32,
    /// Prometheus' port.
    port: u16,
    told: Vec<Value>,
}

/// So many hosts: the checks, one after the other.
pub fn of(count: usize) -> anyhow::Result<()> {
    cargo(&["build", "--quiet", "--locked", "--package", "klp-trace", "--example", "fleet_hosts"])?;
    let folder = cache_dir().join("fleet");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let hosts = fleet(count);
    let plan: String = hosts.iter().flat_map(|kind| [kind.plan, "\n"]).collect();
    fs::write(folder.join("plan"), plan).context("cannot write the plan")?;
    let process = Hosts::start(&workspace().join("tests/recordings"), &folder.join("plan"))?;
    // A scrape of all hosts takes its time: some 3 ms each.
    let minute = u32::try_from(count.div_ceil(100)).unwrap_or(u32::MAX);
    let (port, alerts) = (ask::free_port()?, ask::free_port()?);
    let committed = |path: &str| {
        fs::read_to_string(dashboards::folder().join(path)).with_context(|| format!("cannot read {path}"))
    };
    let write = |name: &str, text: String| {
        fs::write(folder.join(name), text).with_context(|| format!("cannot write {name}"))
    };
    write("rules.yml", config::scaled(&committed("prometheus/rules.yml")?, minute))?;
    write("prometheus.yml", config::prometheus(minute, alerts))?;
    let example = committed("alertmanager.example.yml")?;
    let configuration = config::alertmanager(&example, process.port, 10 * minute)?;
    let _alertmanager = engine::alertmanager(&folder, &configuration, alerts)?;
    let mut fleet = Fleet { folder, hosts, process, minute, port, told: Vec::new() };
    fleet.targets(None)?;
    let prometheus = engine::prometheus(&fleet.folder, port, minute)?;
    fleet.states()?;
    fleet.changes()?;
    fleet.one_message()?;
    fleet.panels()?;
    fleet.cost()?;
    prometheus.end()?;
    let _prometheus = engine::prometheus(&fleet.folder, port, minute)?;
    fleet.again()
}

/// One of each kind, as many equal ones as wanted, and good ones: at least four, of which things are to happen.
fn fleet(count: usize) -> Vec<Kind> {
    let rest = count.saturating_sub(KINDS.len());
    let equal = (count * 8 / 10).min(rest.saturating_sub(4));
    let mut hosts = KINDS.to_vec();
    hosts.extend(std::iter::repeat_n(EQUAL, equal));
    hosts.extend(std::iter::repeat_n(GOOD, rest - equal));
    hosts
}

fn instance(host: usize) -> String {
    format!("host{host:05}:11216")
}

impl Fleet {
    /// The good hosts that go blind, do not answer, vanish, and refuse a load.
    fn four(&self) -> [usize; 4] {
        let last = self.hosts.len();
        [last - 1, last - 2, last - 3, last - 4]
    }

    /// The targets, all or all but one.
    fn targets(&self, without: Option<usize>) -> anyhow::Result<()> {
        let at = format!("127.0.0.1:{}", self.process.port);
        let target = |path: String, instance: String| json!({"targets": [at], "labels": {"__metrics_path__": path, "instance": instance}});
        let all = (0..self.hosts.len()).filter(|host| Some(*host) != without);
        let hosts: Vec<Value> =
            all.map(|host| target(format!("/h/{host}/metrics"), instance(host))).collect();
        let nodes: Vec<Value> = (0..5)
            .map(|host| target(format!("/node/host{host:05}/metrics"), format!("host{host:05}:9100")))
            .collect();
        for (name, targets) in [("hosts.json", hosts), ("nodes.json", nodes)] {
            // Renamed, so that Prometheus never reads half of it.
            let new = self.folder.join("new");
            fs::write(&new, Value::from(targets).to_string()).context("cannot write the targets")?;
            fs::rename(&new, self.folder.join(name)).context("cannot put the targets in place")?;
        }
        Ok(())
    }

    /// What the plan makes fire.
    fn expected(&self) -> Fired {
        let of = |(host, kind): (usize, &Kind)| {
            kind.alerts.iter().map(move |alert| ((*alert).to_owned(), instance(host)))
        };
        self.hosts.iter().enumerate().flat_map(of).collect()
    }

    fn fired(&self, expr: &str) -> anyhow::Result<Fired> {
        let series = ask::query(self.port, expr)?;
        let text = |labels: &ask::Labels, label: &str| labels.get(label).cloned().unwrap_or_default();
        Ok(series.iter().map(|labels| (text(labels, "alertname"), text(labels, "instance"))).collect())
    }

    /// Waits until exactly these fire.
    fn until(&self, what: &str, expected: &Fired, minutes: u32) -> anyhow::Result<()> {
        // What was stored before does not count.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let expr = format!("timestamp(ALERTS{{alertstate=\"firing\"}}) > {since}");
        let begun = Instant::now();
        let patience = Duration::from_secs(u64::from(minutes * self.minute) + 30);
        loop {
            let fired = self.fired(&expr)?;
            if fired == *expected {
                println!("{what}: {} alerts, as they should be, after {:.0?}", fired.len(), begun.elapsed());
                return Ok(());
            }
            if begun.elapsed() > patience {
                let list = |set: BTreeSet<&(String, String)>| {
                    format!("{:?}", set.into_iter().take(10).collect::<Vec<_>>())
                };
                anyhow::bail!(
                    "{what}: missing {}; too many {}",
                    list(expected.difference(&fired).collect()),
                    list(fired.difference(expected).collect())
                );
            }
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// All are up, and exactly what is wrong is told.
    fn states(&mut self) -> anyhow::Result<()> {
        self.until("states", &self.expected(), 32)?;
        let up = ask::query(self.port, r#"up{job="klp-trace"} == 1"#)?.len();
        ensure!(up == self.hosts.len(), "{up} of {} hosts are up", self.hosts.len());
        let ever =
            self.fired(r#"max by (alertname, instance) (max_over_time(ALERTS{alertstate="firing"}[1h]))"#)?;
        let false_alarms: Vec<_> = ever.difference(&self.expected()).cloned().collect();
        ensure!(false_alarms.is_empty(), "these fired for a while: {false_alarms:?}");
        Ok(())
    }

    /// A host goes blind, one does not answer, one is no target any more, one refuses a load between two scrapes.
    fn changes(&mut self) -> anyhow::Result<()> {
        let [blind, down, gone, refused] = self.four();
        self.process.becomes(blind, "blind")?;
        self.process.becomes(down, "down")?;
        self.process.becomes(refused, "refused")?;
        self.targets(Some(gone))?;
        // Its time is over before the last of the others is told.
        self.saw("a load that was refused", refused, "KlpTraceLoadRefused")?;
        self.until("blind, silent and vanished hosts", &self.after_changes(), 40)
    }

    /// What fires once all that was to happen has happened.
    fn after_changes(&self) -> Fired {
        let [blind, down, gone, _] = self.four();
        let changed = [("KlpTraceBlind", blind), ("KlpTraceDown", down), ("KlpTraceVanished", gone)];
        let changed = changed.map(|(alert, host)| (alert.to_owned(), instance(host)));
        self.expected().into_iter().chain(changed).collect()
    }

    /// Waits until an alert fires for a host, among others.
    fn saw(&self, what: &str, host: usize, alert: &str) -> anyhow::Result<()> {
        let begun = Instant::now();
        let expr =
            format!(r#"ALERTS{{alertstate="firing", alertname="{alert}", instance="{}"}}"#, instance(host));
        while ask::query(self.port, &expr)?.is_empty() {
            ensure!(
                begun.elapsed() < Duration::from_secs(u64::from(10 * self.minute) + 20),
                "{what}: {alert} does not fire"
            );
            thread::sleep(Duration::from_millis(200));
        }
        println!("{what}: {alert} fires after {:.0?}", begun.elapsed());
        Ok(())
    }

    /// Alertmanager has told of all hosts with the same bad patch at once.
    fn one_message(&mut self) -> anyhow::Result<()> {
        self.told.extend(self.process.notified());
        let name = "KlpTraceRelocationsWrong";
        let those: Vec<&Value> =
            self.told.iter().filter(|told| told["groupLabels"]["alertname"] == name).collect();
        let hosts = self.expected().iter().filter(|(alert, _)| alert == name).count();
        ensure!(those.len() == 1, "{} messages about {name}, not one", those.len());
        let told = those.first().and_then(|told| told["alerts"].as_array()).map_or(0, Vec::len);
        ensure!(told == hosts, "the message about {name} tells of {told} hosts, not of {hosts}");
        ensure!(
            those.iter().all(|told| told["receiver"] == "pager"),
            "{name} went to another than the pager"
        );
        println!(
            "one message about {name} on {told} hosts, to the pager; {} messages in all",
            self.told.len()
        );
        Ok(())
    }

    /// Each query of both dashboards gives rows, a reader's wait long.
    fn panels(&self) -> anyhow::Result<()> {
        let (mut count, mut slowest, mut empty) = (0, (Duration::ZERO, String::new()), Vec::new());
        for file in ["host.json", "fleet.json"] {
            let path = dashboards::folder().join("grafana").join(file);
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            for query in
                queries::queries(&serde_json::from_str(&text).context("a dashboard that is no JSON")?)
            {
                let begun = Instant::now();
                if ask::query(self.port, &query.asked())?.is_empty() {
                    empty.push(format!("{file}: {}", query.of));
                }
                slowest = slowest.max((begun.elapsed(), query.of));
                count += 1;
            }
        }
        ensure!(empty.is_empty(), "these panels and variables show nothing: {empty:?}");
        println!(
            "{count} queries of panels, variables and annotations give rows; the slowest, {}, after {:.0?}",
            slowest.1, slowest.0
        );
        Ok(())
    }

    /// What Prometheus takes.
    fn cost(&self) -> anyhow::Result<()> {
        let metrics = ask::get(self.port, "/metrics")?;
        let value = |name: &str| -> f64 {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.parse().ok()).unwrap_or_default()
        };
        println!(
            "Prometheus: {:.0} series, {:.0} MB resident",
            value("prometheus_tsdb_head_series"),
            value("process_resident_memory_bytes") / 1e6
        );
        Ok(())
    }

    /// Prometheus was restarted: the same fires, and nobody is told twice.
    fn again(&mut self) -> anyhow::Result<()> {
        self.until("Prometheus restarted", &self.after_changes(), 45)?;
        self.told.extend(self.process.notified());
        self.one_message()
    }
}

#[cfg(test)]
mod tests {
    use super::{EQUAL, KINDS, fleet};

    #[test]
    fn a_fleet_has_one_of_each_kind_and_good_ones_for_what_is_to_happen() {
        for count in [50, 1000] {
            let hosts = fleet(count);
            assert_eq!(hosts.len(), count);
            assert!(hosts.iter().rev().take(4).all(|kind| kind.alerts.is_empty()));
            assert!(KINDS.iter().all(|kind| hosts.iter().any(|host| host.plan == kind.plan)));
        }
        assert_eq!(fleet(1000).iter().filter(|host| host.plan == EQUAL.plan).count(), 800);
    }
}
