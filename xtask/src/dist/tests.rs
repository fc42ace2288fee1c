//! The tables of the packages, held against the tree.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::check::listing;
use super::contents::{self, COMPLETIONS, CONFIG, Format, MAN, PROGRAM, SOCKET, UNIT};
use super::pack::MAINTAINER;
use crate::testbed::workspace;

fn text(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The commands that `klp-trace --help` lists, as its source has them.
fn commands() -> BTreeSet<String> {
    let source = text("klp-trace/src/cli/mod.rs");
    let (_, rest) = source.split_once("pub enum Command {").unwrap();
    let (body, _) = rest.split_once("\n}").unwrap();
    let mut found = BTreeSet::new();
    let mut hidden = false;
    for line in body.lines().map(str::trim) {
        if let Some((_, module)) = line.strip_suffix("::Args),").and_then(|line| line.split_once('(')) {
            if !hidden {
                found.insert(module.replace('_', "-"));
            }
            hidden = false;
        } else {
            hidden |= line.contains("hide = true");
        }
    }
    found
}

#[test]
fn what_must_be_there_is_laid_out() {
    for format in Format::ALL {
        let entries = contents::entries(&workspace(), format).unwrap();
        let mut laid: BTreeSet<String> = entries.into_iter().map(|entry| entry.to).collect();
        laid.insert(PROGRAM.to_owned());
        let own = COMPLETIONS.iter().filter(|(.., formats)| formats.contains(&format));
        laid.extend(own.map(|(_, path, _)| (*path).to_owned()));
        laid.insert(format!("{MAN}/klp-trace.1.gz"));
        laid.extend(commands().iter().map(|command| format!("{MAN}/klp-trace-{command}.1.gz")));
        let missing: Vec<String> = listing::must(&workspace(), format)
            .unwrap()
            .into_iter()
            .filter(|path| !laid.contains(path))
            .collect();
        assert!(missing.is_empty(), "{format:?}: {missing:#?}");
    }
}

#[test]
fn every_command_must_have_its_page() {
    let must = listing::must(&workspace(), Format::Deb).unwrap();
    let commands = commands();
    assert!(
        commands.contains("serve") && commands.contains("verify-journal") && !commands.contains("version")
    );
    for command in commands {
        assert!(must.contains(&format!("{MAN}/klp-trace-{command}.1.gz")), "{command}");
    }
}

#[test]
fn the_unit_starts_what_the_package_installs() {
    let unit = text("packaging/systemd/klp-trace.service");
    let values = |key: &str| -> Vec<String> {
        unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned).collect()
    };
    assert_eq!(values("ExecStart"), [format!("/{PROGRAM} serve")]);
    assert!(values("ExecPaths")[0].split(' ').any(|path| path == format!("/{PROGRAM}")));
    let folder = Path::new("/").join(CONFIG).parent().unwrap().to_owned();
    assert_eq!(folder, Path::new("/etc").join(&values("ConfigurationDirectory")[0]));
    let serve = text("klp-trace/src/cli/serve.rs");
    assert!(serve.contains(&format!("\"/{CONFIG}\"")), "serve reads another file");
    let state = format!("/var/lib/{}", values("StateDirectory")[0]);
    assert!(
        text("packaging/debian/postrm").contains(&format!("{state} /var/lib/private/")),
        "{state} is not purged"
    );
    assert!(text("packaging/systemd/serve.toml").contains(&format!("file = \"{state}/")));
    for script in ["post.sh", "preun.sh", "postun.sh"] {
        let name = Path::new(UNIT).file_name().unwrap().to_str().unwrap();
        assert!(text(&format!("packaging/rpm/{script}")).contains(name), "{script}");
    }
}

#[test]
fn cargo_deb_is_told_to_take_all_that_is_laid() {
    let manifest: toml::Table = text("klp-trace/Cargo.toml").parse().unwrap();
    let deb = &manifest["package"]["metadata"]["deb"];
    assert_eq!(deb["maintainer"].as_str(), Some(MAINTAINER));
    let assets: Vec<[&str; 2]> = deb["assets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|asset| [asset[0].as_str().unwrap(), asset[1].as_str().unwrap()])
        .collect();
    let units = deb["systemd-units"]["unit-scripts"].as_str().unwrap();
    for entry in contents::entries(&workspace(), Format::Deb).unwrap() {
        // The units are found by their names.
        let by_name = [UNIT, SOCKET].contains(&entry.to.as_str())
            && Path::new(&entry.to)
                .file_name()
                .is_some_and(|name| workspace().join("klp-trace").join(units).join(name).is_file());
        let by_asset = assets.iter().any(|[from, to]| {
            let laid = from.contains("/stage/deb/") && from.contains(to.trim_end_matches('/'));
            entry.to.starts_with(to) && (laid || Path::new(from).ends_with(&entry.from))
        });
        assert!(by_name || by_asset, "{} is not in klp-trace/Cargo.toml", entry.to);
    }
    for script in ["post_install_script", "pre_uninstall_script", "post_uninstall_script"] {
        let script = manifest["package"]["metadata"]["generate-rpm"][script].as_str().unwrap();
        assert!(workspace().join("klp-trace").join(script).is_file(), "{script}");
    }
}

/// Links of documents that are packaged lead to files that exist.
#[test]
fn links_of_packaged_documents_lead_somewhere() {
    for entry in contents::entries(&workspace(), Format::Rpm).unwrap() {
        if entry.how != contents::How::Markdown {
            continue;
        }
        let folder = workspace().join(&entry.from).parent().unwrap().to_owned();
        let document = text(entry.from.to_str().unwrap());
        for part in document.split("](").skip(1) {
            let target = part.split([')', '#']).next().unwrap();
            let local = !target.is_empty() && !target.contains(':') && !target.contains(char::is_whitespace);
            assert!(!local || folder.join(target).exists(), "{}: {target}", entry.from.display());
        }
    }
}

#[test]
fn programs_from_pypi_are_pinned() {
    for line in text("packaging/requirements.txt").lines().filter(|line| !line.starts_with('#')) {
        assert!(
            line.split_once("==").is_some_and(|(name, version)| !name.is_empty() && !version.is_empty()),
            "{line}"
        );
    }
}

/// What stands in for klp-trace in a PATH of its own, and is removed with it.
struct Stand(PathBuf);

impl Stand {
    fn new(name: &str, script: Option<&str>) -> Self {
        let folder = std::env::temp_dir().join(format!("klp-trace-npd-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        if let Some(script) = script {
            let program = folder.join("klp-trace");
            fs::write(&program, script).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self(folder)
    }

    /// What the plugin of node-problem-detector ends with, and says.
    fn plugin(&self) -> (Option<i32>, String) {
        let plugin = workspace().join("examples/node-problem-detector/klp-audit.sh");
        let path = format!("{}:/usr/bin:/bin", self.0.display());
        let done = Command::new("/bin/sh").arg(plugin).env("PATH", path).output().unwrap();
        (done.status.code(), String::from_utf8(done.stdout).unwrap())
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_plugin_of_node_problem_detector_never_calls_unknown_good() {
    for (code, plugin) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 2), (5, 2), (6, 2), (130, 2)] {
        let script =
            format!("#!/bin/sh\n[ \"$1\" = audit ] || exit 99\necho line $*\necho more\nexit {code}\n");
        let stand = Stand::new(&code.to_string(), Some(&script));
        let (ended, said) = stand.plugin();
        assert_eq!(ended, Some(plugin), "audit ends with {code}");
        assert_eq!(said, "line audit --quiet --format summary\n");
    }
    let killed = Stand::new("killed", Some("#!/bin/sh\nkill -KILL $$\n"));
    assert_eq!(killed.plugin().0, Some(2));
    if !Path::new("/usr/bin/klp-trace").exists() {
        let (ended, said) = Stand::new("none", None).plugin();
        assert!(ended == Some(2) && said.contains("not found"), "{ended:?}: {said}");
    }
}

#[test]
fn the_plugins_configuration_is_what_node_problem_detector_takes() {
    let config: serde_json::Value =
        serde_json::from_str(&text("examples/node-problem-detector/klp-trace.json")).unwrap();
    assert_eq!(config["plugin"], "custom");
    // Before the first audit nothing is known: the default condition says that all is fine.
    assert_eq!(config["pluginConfig"]["skip_initial_status"], true);
    assert_eq!(config["rules"][0]["condition"], config["conditions"][0]["type"]);
    assert!(config["rules"][0]["path"].as_str().unwrap().ends_with("/klp-audit.sh"));
    // A rule may take no longer than the whole.
    assert_eq!(config["rules"][0]["timeout"], config["pluginConfig"]["timeout"]);
}
