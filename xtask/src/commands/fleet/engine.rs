//! The programs of a run: the hosts, Debian's Prometheus and Alertmanager. They end with the run.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::ask;
use crate::testbed::{Extent, cache_dir, run_output, unpacked};

const LIBRARY: &str = "usr/lib/x86_64-linux-gnu";
const LOADER: &str = "ld-linux-x86-64.so.2";

/// A program that is ended when it is dropped.
pub struct Running {
    child: Child,
}

impl Running {
    fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let log = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let errors = log.try_clone().context("cannot share a log")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self { child })
    }

    /// Ends it as a service manager does, and waits until it has ended.
    pub fn end(mut self) -> anyhow::Result<()> {
        run_output(Command::new("kill").arg(self.child.id().to_string()), "end a program")?;
        self.child.wait().context("cannot wait for a program")?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a server says that it is ready.
fn ready(port: u16, log: &Path) -> anyhow::Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(90) {
        if ask::get(port, "/-/ready").is_ok() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(200));
    }
    bail!("not ready after 90 s; see {}", log.display());
}

/// Prometheus on `folder/prometheus.yml`, with what it has stored there.
pub fn prometheus(folder: &Path, port: u16, minute: u32) -> anyhow::Result<Running> {
    let library = unpacked("promtool", Extent::WithDependencies)?.join(LIBRARY);
    let program = unpacked("prometheus", Extent::Alone)?.join("usr/bin/prometheus");
    let log = folder.join("prometheus.log");
    let running = Running::start(
        Command::new(library.join(LOADER))
            .arg("--library-path")
            .arg(&library)
            .arg(program)
            .arg(format!("--config.file={}", folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("stored").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg(format!("--query.lookback-delta={}s", 15 * minute))
            .arg(format!("--rules.alert.for-grace-period={minute}s")),
        &log,
    )?;
    ready(port, &log)?;
    Ok(running)
}

/// Alertmanager with this configuration. It looks for its templates below /usr/share, whatever is configured: it gets a root of its own.
pub fn alertmanager(folder: &Path, configuration: &str, port: u16) -> anyhow::Result<Running> {
    let root = unpacked("prometheus-alertmanager", Extent::WithDependencies)?;
    let inside = root.join("fleet");
    if inside.exists() {
        fs::remove_dir_all(&inside).context("cannot remove Alertmanager's folder")?;
    }
    fs::create_dir_all(&inside).context("cannot make Alertmanager's folder")?;
    fs::write(inside.join("alertmanager.yml"), configuration)
        .context("cannot write Alertmanager's configuration")?;
    let log = folder.join("alertmanager.log");
    let running = Running::start(
        Command::new("unshare")
            .arg("--map-root-user")
            .arg(format!("--root={}", root.display()))
            .arg(format!("/{LIBRARY}/{LOADER}"))
            .args(["--library-path", &format!("/{LIBRARY}"), "/usr/bin/prometheus-alertmanager"])
            .args(["--config.file=/fleet/alertmanager.yml", "--storage.path=/fleet/stored"])
            .args(["--cluster.listen-address=", &format!("--web.listen-address=127.0.0.1:{port}")]),
        &log,
    )?;
    ready(port, &log)?;
    Ok(running)
}

/// The process that is all hosts.
pub struct Hosts {
    child: Child,
    commands: ChildStdin,
    lines: Receiver<String>,
    /// Where they answer.
    pub port: u16,
}

impl Hosts {
    /// Starts it on a plan.
    pub fn start(recordings: &Path, plan: &Path) -> anyhow::Result<Self> {
        let program: PathBuf = cache_dir().with_file_name("debug").join("examples/fleet_hosts");
        let mut child = Command::new(&program)
            .arg(recordings)
            .arg(plan)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let commands = child.stdin.take().context("no way to tell the hosts anything")?;
        let output = child.stdout.take().context("no way to hear from the hosts")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let first = lines.recv_timeout(Duration::from_mins(2)).context("the hosts do not start")?;
        let port = first.strip_prefix("port ").and_then(|port| port.parse().ok());
        let port = port.with_context(|| format!("the hosts say {first:?} in place of their port"))?;
        Ok(Self { child, commands, lines, port })
    }

    /// Changes a host.
    pub fn becomes(&mut self, host: usize, what: &str) -> anyhow::Result<()> {
        writeln!(self.commands, "{host} {what}").context("the hosts have ended")
    }

    /// What Alertmanager has told since this was asked last.
    pub fn notified(&self) -> Vec<serde_json::Value> {
        let lines = self.lines.try_iter();
        lines.filter_map(|line| serde_json::from_str(line.strip_prefix("notified ")?).ok()).collect()
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
