//! The configuration of `serve`.
//!
//! ```toml
//! [metrics]
//! listen = "127.0.0.1:11216"
//!
//! [journal]
//! file = "/var/lib/klp-trace/klp.ndjson"
//! ```

mod mistakes;
mod values;

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use serde::Deserialize;

use crate::cli::attach::{Attach, AttachArgs};
use crate::cli::{Exit, Failure, keys, text_file};
use crate::elf::names;
use crate::output::journal::{Rotation, Sync};
pub(super) use values::{Listen, Ring, Schema, Sections, Size, Time};

/// The name and major version of the format, as `schema` may state it.
pub const SCHEMA: &str = "klp-trace.serve/1";

/// The shortest time between two full looks: each reads every section.
const SHORTEST_LOOK: std::time::Duration = std::time::Duration::from_secs(10);

/// What `serve` does.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Config {
    /// The format: `klp-trace.serve/1`. May be left out.
    pub schema: Schema,
    /// The metrics over HTTP.
    pub metrics: Metrics,
    /// The metrics in a file.
    pub textfile: Textfile,
    /// When everything is read again.
    pub look: Look,
    /// The journal.
    pub journal: Journal,
    /// What is told of findings as they come and go.
    pub log: Log,
    /// How the kernel is watched.
    pub attach: Attaching,
}

/// The metrics over HTTP.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Metrics {
    /// Address and port to listen at, or `none`. By default 127.0.0.1:11216.
    pub listen: Listen,
    /// Listen at an address that other hosts reach: whoever reaches it can read names of modules and the kernel's release, without
    /// a password and unencrypted.
    pub listen_anywhere: bool,
    /// Names that a request's Host may have, beside localhost and addresses of this host's loopback.
    pub hosts: Vec<String>,
    /// A unix socket to listen at too.
    pub socket: Option<PathBuf>,
}

/// The metrics in a file, for node_exporter's textfile collector.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Textfile {
    /// The file, such as /var/lib/prometheus/node-exporter/klp-trace.prom.
    pub file: Option<PathBuf>,
    /// How often it is written. By default every 15 s.
    pub interval: Time<15>,
}

/// When everything is read again.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Look {
    /// How often; at least 10 s. By default every 15 minutes. After any loss everything is read again at once.
    pub interval: Time<900>,
}

/// A journal beside the metrics.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Journal {
    /// The journal; `klp.ndjson` is written as klp.000001.ndjson, klp.000002.ndjson, and so on. Without it none is kept.
    pub file: Option<PathBuf>,
    /// Go on in another file once this one has so many bytes. By default 64M.
    pub rotate_size: Size<{ 64 << 20 }>,
    /// Go on in another file, with the next record, once this one is so old.
    pub rotate_age: Option<Time<0>>,
    /// Delete the oldest files while all of them, and one more of `rotate-size`, would take more. By default 1G.
    pub rotate_keep: Size<{ 1 << 30 }>,
    /// Compress closed files with zstd.
    pub compress: bool,
    /// When records are made to survive a power cut: `always`, `interval` (each second, the default) or `never`.
    pub sync: SyncWhen,
    /// Sign each file when it is closed, with this Ed25519 key (PKCS#8 PEM, readable by its owner alone).
    pub sign_key: Option<PathBuf>,
    /// Write no address of this boot.
    pub redact_addresses: bool,
}

/// When records are synced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SyncWhen {
    /// Each batch of records.
    Always,
    /// Every second in which something was written.
    #[default]
    Interval,
    /// When the kernel writes them back.
    Never,
}

/// What is told of findings as they come and go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Log {
    /// Findings, their ends, and the last hashes of closed files of the journal as records of systemd's journal, with fields of
    /// their own: `auto` (where standard error is that journal, in place of the lines there), `always` or `never`.
    pub journald: Records,
}

/// When systemd's journal gets records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Records {
    /// Where standard error is systemd's journal.
    #[default]
    Auto,
    /// Wherever journald is.
    Always,
    /// Not at all: lines on standard error.
    Never,
}

/// How the kernel is watched.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Attaching {
    /// `fentry`, `kprobe`, or `auto`, which takes kprobe where fentry is not available.
    pub how: How,
    /// Size of the buffer between kernel and klp-trace, a power of two from 4k. By default 4M.
    pub ring_size: Ring,
    /// How many livepatch relocation sections the eBPF programs keep. By default 8192.
    pub max_sections: Sections,
    /// Look for the livepatches' files here too: a .ko or a folder.
    pub ko: Vec<PathBuf>,
}

/// How the probes are attached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum How {
    /// fentry, or kprobe where it is not available.
    #[default]
    Auto,
    /// fentry and fexit alone.
    Fentry,
    /// kprobe and kretprobe alone.
    Kprobe,
}

/// Reads the configuration; one that was not named need not be there.
pub(super) fn load(path: &Path, named: bool) -> Result<Config, Failure> {
    let opened = File::open(path);
    let missing = matches!(&opened, Err(error) if error.kind() == ErrorKind::NotFound);
    if missing && !named {
        return Ok(Config::default());
    }
    let text = text_file::read(opened, path, "configuration")?;
    let config = Config::parse(&text).map_err(|mistake| {
        Failure::new(Exit::Usage, anyhow!("{}: {mistake}", names::path(path))).hint(
            "docs/serve.md says what it may hold; klp-trace serve --check-config says whether it can be used",
        )
    })?;
    // A key that cannot be used is a mistake of the configuration, not of the first file that should be signed.
    config.journal.sign_key.as_deref().map(keys::signer).transpose()?;
    Ok(config)
}

impl Config {
    /// Reads a configuration; the mistake comes with its line and key.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|error| mistakes::of_toml(text, &error))?;
        match config.contradiction() {
            Some((key, what)) => Err(mistakes::at_key(text, key, &what)),
            None => Ok(config),
        }
    }

    /// What cannot be meant, and the key to look at.
    fn contradiction(&self) -> Option<(&'static [&'static str], String)> {
        let Self { metrics, textfile, look, journal, .. } = self;
        if let Listen(Some(address)) = metrics.listen
            && !address.ip().is_loopback()
            && !metrics.listen_anywhere
        {
            let what = format!(
                "{address} is reached from other hosts, which could read the metrics without a password and unencrypted; where \
                 that is meant, add listen-anywhere = true"
            );
            return Some((&["metrics", "listen"], what));
        }
        if metrics.listen_anywhere && metrics.listen.0.is_none_or(|address| address.ip().is_loopback()) {
            return Some((
                &["metrics", "listen-anywhere"],
                "listen is not reached from other hosts; take this away".to_owned(),
            ));
        }
        if let Some(name) = metrics.hosts.iter().find(|name| !http_name(name)) {
            return Some((
                &["metrics", "hosts"],
                format!("\"{name}\" is no name of a host; write it without a port"),
            ));
        }
        if look.interval.0 < SHORTEST_LOOK {
            return Some((
                &["look", "interval"],
                "everything would be read without a pause; make it 10s or more".to_owned(),
            ));
        }
        if textfile.interval.0 < std::time::Duration::from_secs(1) {
            return Some((
                &["textfile", "interval"],
                "nothing changes faster than each second; make it 1s or more".to_owned(),
            ));
        }
        if journal.rotate_keep.0 < journal.rotate_size.0.saturating_mul(2) {
            return Some((
                &["journal", "rotate-keep"],
                "it leaves no room for a closed file; make it at least twice rotate-size (64M unless it is given)".to_owned(),
            ));
        }
        let paths = [
            (&["metrics", "socket"], &metrics.socket),
            (&["textfile", "file"], &textfile.file),
            (&["journal", "file"], &journal.file),
            (&["journal", "sign-key"], &journal.sign_key),
        ];
        for (key, path) in paths {
            // A service's folder is /, which nobody means.
            if path.as_ref().is_some_and(|path| !path.is_absolute() || path.file_name().is_none()) {
                return Some((key, "name a file by its whole path, from / on".to_owned()));
            }
        }
        if textfile
            .file
            .as_ref()
            .is_some_and(|file| file.extension().is_none_or(|extension| extension != "prom"))
        {
            return Some((
                &["textfile", "file"],
                "node_exporter reads files whose names end with .prom, and no others".to_owned(),
            ));
        }
        if metrics.listen.0.is_none()
            && metrics.socket.is_none()
            && textfile.file.is_none()
            && journal.file.is_none()
        {
            return Some((
                &["metrics", "listen"],
                "nobody would be told: name an address, a socket, a textfile or a journal".to_owned(),
            ));
        }
        None
    }

    /// How to attach, as `watch` takes it.
    pub(super) fn attach(&self) -> AttachArgs {
        let attach = match self.attach.how {
            How::Auto => Attach::Auto,
            How::Fentry => Attach::Fentry,
            How::Kprobe => Attach::Kprobe,
        };
        AttachArgs { ko: self.attach.ko.clone(), attach, ring_size: self.attach.ring_size.0 }
    }

    /// What it comes to, in lines for people.
    pub(super) fn told(&self, source: &str) -> String {
        let mut lines = vec![format!("{source}: valid")];
        match self.metrics.listen.0 {
            Some(address) => lines.push(format!("metrics: http://{address}/metrics")),
            None => lines.push("metrics: at no address".to_owned()),
        }
        let path = |path: &PathBuf| names::path(path);
        lines.extend(
            self.metrics.socket.as_ref().map(|socket| format!("metrics: unix socket {}", path(socket))),
        );
        lines.extend(self.textfile.file.as_ref().map(|file| {
            format!("textfile: {}, every {} s", path(file), self.textfile.interval.0.as_secs_f64())
        }));
        lines.push(match &self.journal.file {
            Some(file) => format!("journal: {}", path(file)),
            None => "journal: none".to_owned(),
        });
        lines.push(format!("full look: every {} s, and after any loss", self.look.interval.0.as_secs_f64()));
        lines.join("\n")
    }
}

impl Journal {
    /// How the files are rotated.
    pub(super) fn rotation(&self) -> Rotation {
        Rotation {
            size: Some(self.rotate_size.0),
            age: self.rotate_age.map(|age| age.0),
            keep: Some(self.rotate_keep.0),
            compress: self.compress,
        }
    }

    /// When they are synced.
    pub(super) fn synced(&self) -> Sync {
        match self.sync {
            SyncWhen::Always => Sync::Always,
            SyncWhen::Interval => Sync::Interval,
            SyncWhen::Never => Sync::Never,
        }
    }
}

/// Letters, digits, dots and dashes: what a name in DNS is made of.
fn http_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

/// The JSON Schema of [`Config`].
pub fn schema() -> serde_json::Value {
    values::schema()
}

#[cfg(test)]
mod tests;
