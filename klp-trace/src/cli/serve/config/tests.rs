use super::*;
use crate::journal::testing::golden;

fn wrong(text: &str) -> String {
    Config::parse(text).unwrap_err()
}

#[test]
fn nothing_given_is_the_defaults() {
    let config = Config::parse("").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.metrics.listen.0.unwrap().to_string(), "127.0.0.1:11216");
    assert_eq!(config.look.interval.0.as_secs(), 900);
    assert_eq!((config.journal.rotate_size.0, config.journal.rotate_keep.0), (64 << 20, 1 << 30));
    assert_eq!(config.attach().ring_size, 4 << 20);
    assert!(config.journal.file.is_none() && config.textfile.file.is_none());
}

const WHOLE: &str = r#"
schema = "klp-trace.serve/1"

[metrics]
listen = "0.0.0.0:11216"
listen-anywhere = true
hosts = ["node7.example.org"]
socket = "/run/klp-trace/metrics.sock"

[textfile]
file = "/var/lib/prometheus/node-exporter/klp-trace.prom"
interval = "30s"

[look]
interval = "1h"

[journal]
file = "/var/lib/klp-trace/klp.ndjson"
rotate-size = "1M"
rotate-age = "24h"
rotate-keep = "3M"
compress = true
sync = "always"
sign-key = "/etc/klp-trace/key.pem"
redact-addresses = true

[log]
journald = "never"

[attach]
how = "fentry"
ring-size = "8M"
max-sections = 100
ko = ["/srv/patches"]
"#;

#[test]
fn everything_given_is_taken() {
    let config = Config::parse(WHOLE).unwrap();
    assert_eq!(config.metrics.socket.as_deref(), Some(Path::new("/run/klp-trace/metrics.sock")));
    assert_eq!(config.textfile.interval.0.as_secs(), 30);
    assert_eq!(config.journal.rotation().age.unwrap().as_secs(), 86_400);
    assert!(config.journal.compress && config.journal.redact_addresses);
    assert_eq!(config.log.journald, Records::Never);
    assert_eq!(config.journal.synced(), Sync::Always);
    assert_eq!((config.attach().ring_size, config.attach.max_sections.0), (8 << 20, 100));
    assert_eq!(config.attach().attach, Attach::Fentry);
    assert_eq!(
        config.told("/x"),
        "/x: valid\nmetrics: http://0.0.0.0:11216/metrics\nmetrics: unix socket /run/klp-trace/metrics.sock\n\
         textfile: /var/lib/prometheus/node-exporter/klp-trace.prom, every 30 s\n\
         journal: /var/lib/klp-trace/klp.ndjson\nfull look: every 3600 s, and after any loss"
    );
}

/// Line and key of each value of the example, taken from it.
fn keys() -> Vec<(usize, String)> {
    let mut table = "";
    let mut found = Vec::new();
    for (number, line) in WHOLE.lines().enumerate() {
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_end_matches(']');
        } else if let Some((key, _)) = line.split_once(" = ") {
            found.push((number, if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }));
        }
    }
    found
}

#[test]
fn every_key_of_a_wrong_kind_is_named_with_its_line() {
    let keys = keys();
    assert_eq!(keys.len(), 21);
    for (number, key) in keys {
        for value in ["{ a = 1 }", "-7", "1979-05-27", "[[1]]", "\"\\u0007no such\""] {
            // A list of any paths, or of one path, is a list of paths.
            if value.starts_with('"')
                && ["journal.file", "journal.sign-key", "metrics.socket", "textfile.file"].contains(&&*key)
            {
                continue;
            }
            let last = key.rsplit('.').next().unwrap();
            let mut lines: Vec<String> = WHOLE.lines().map(str::to_owned).collect();
            lines[number] = format!("{last} = {value}");
            let said = wrong(&lines.join("\n"));
            // Of a table where a word should be, its first key is the mistake.
            let at = [format!("line {}: {key}: ", number + 1), format!("line {}: {key}.a: ", number + 1)];
            assert!(at.iter().any(|at| said.starts_with(at)), "{key} = {value}: {said}");
        }
    }
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest() {
    for (number, key) in keys() {
        let last = key.rsplit('.').next().unwrap();
        let slip = format!("{}x", &last[..last.len() - 1]);
        let mut lines: Vec<String> = WHOLE.lines().map(str::to_owned).collect();
        lines[number] = format!("{slip} = true");
        let said = wrong(&lines.join("\n"));
        let at = format!("line {}: unknown key \"{slip}\"", number + 1);
        assert!(said.starts_with(&at), "{said}");
        // Of two letters one is no likeness.
        assert!(last == "ko" || said.ends_with(&format!("did you mean {last}?")), "{said}");
    }
    for table in ["metrics", "textfile", "look", "journal", "log", "attach"] {
        let said = wrong(&format!("\n[{}q]\n", &table[..table.len() - 1]));
        assert!(
            said.starts_with("line 2: unknown key") && said.ends_with(&format!("did you mean {table}?")),
            "{said}"
        );
        assert!(wrong(&format!("\n{table} = 5")).starts_with(&format!("line 2: {table}: invalid type")));
    }
    assert!(wrong("[metrics]\nlisten = \n").starts_with("line 2: "));
    assert!(wrong("[metrics]\nlisten = \"none\"\nlisten = \"none\"").starts_with("line 3: "));
}

#[test]
fn what_cannot_be_meant_is_said() {
    let says = |text: &str, parts: &[&str]| {
        let said = wrong(text);
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    };
    for anywhere in ["0.0.0.0:9", "[::]:9", "192.0.2.7:9", "[2001:db8::1]:9"] {
        says(
            &format!("\n[metrics]\nlisten = \"{anywhere}\""),
            &["line 3: metrics.listen: ", "listen-anywhere = true"],
        );
        assert!(
            Config::parse(&format!("[metrics]\nlisten = \"{anywhere}\"\nlisten-anywhere = true")).is_ok()
        );
    }
    for own in ["127.0.0.1:9", "127.1.2.3:9", "[::1]:9"] {
        assert!(Config::parse(&format!("[metrics]\nlisten = \"{own}\"")).is_ok());
    }
    says("[metrics]\nlisten-anywhere = true", &["line 2: metrics.listen-anywhere: "]);
    says("[metrics]\nlisten = \"localhost:9\"", &["line 2: metrics.listen: ", "write it as 127.0.0.1:11216"]);
    says("[metrics]\nlisten = \"127.0.0.1\"", &["line 2: metrics.listen: "]);
    says("[metrics]\nhosts = [\"a:80\"]", &["line 2: metrics.hosts: ", "a:80"]);
    says("[metrics]\nlisten = \"none\"", &["line 2: metrics.listen: nobody would be told"]);
    says("[look]\ninterval = \"1s\"", &["line 2: look.interval: "]);
    says("[look]\ninterval = \"15 min\"", &["line 2: look.interval: ", "15 min"]);
    says("[textfile]\ninterval = \"1ms\"", &["line 2: textfile.interval: "]);
    says("[journal]\nrotate-size = \"600M\"", &["journal.rotate-keep: ", "twice"]);
    says("[journal]\nrotate-keep = \"1M\"", &["line 2: journal.rotate-keep: ", "twice"]);
    says("[journal]\nfile = \"klp.ndjson\"", &["line 2: journal.file: ", "whole path"]);
    says("[journal]\nfile = \"\"", &["line 2: journal.file: "]);
    says("[textfile]\nfile = \"/etc/passwd\"", &["line 2: textfile.file: ", ".prom"]);
    says("[attach]\nring-size = \"5k\"", &["line 2: attach.ring-size: ", "power of two"]);
    says("[attach]\nmax-sections = 0", &["line 2: attach.max-sections: "]);
    says(
        "[attach]\nhow = \"fentri\"",
        &["line 2: attach.how: unknown word \"fentri\"", "did you mean fentry?"],
    );
    says("schema = \"klp-trace.serve/2\"", &["line 1: schema: ", "klp-trace.serve/1"]);
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let none = Path::new("/no/such/serve.toml");
    assert_eq!(load(none, false).unwrap(), Config::default());
    assert_eq!(load(none, true).unwrap_err().exit(), Exit::Usage);
    let file = tempfile::NamedTempFile::new().unwrap();
    let key = tempfile::NamedTempFile::new().unwrap();
    for named in [true, false] {
        std::fs::write(file.path(), format!("[journal]\nsign-key = \"{}\"\n", key.path().display())).unwrap();
        assert_eq!(load(file.path(), named).unwrap_err().exit(), Exit::Usage);
        std::fs::write(file.path(), "[metrics]\nlisten = 5\n").unwrap();
        let failure = load(file.path(), named).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        let said = failure.to_string();
        assert!(
            said.contains("line 2: metrics.listen: invalid type") && said.contains("docs/serve.md"),
            "{said}"
        );
    }
}

#[test]
fn the_schema_is_the_documented_one() {
    let schema = schema();
    golden("../../docs/schema/klp-trace.serve-1.json", &format!("{schema:#}\n"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let json = |text: &str| serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap();
    assert!(validator.is_valid(&json(WHOLE)) && validator.is_valid(&json("")));
    assert!(!validator.is_valid(&json("[metrics]\nlisten = 5")) && !validator.is_valid(&json("[metric]")));
}

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
}

#[test]
fn the_page_has_every_key() {
    let page = file("docs/serve.md");
    for (_, key) in keys() {
        assert!(page.contains(&format!("\n| `{key}` |")), "{key}");
    }
}

/// What is commented out is the default.
#[test]
fn the_example_is_the_defaults_and_a_journal() {
    let text = file("packaging/systemd/serve.toml");
    let journal = Journal { file: Some("/var/lib/klp-trace/klp.ndjson".into()), ..Journal::default() };
    let want = Config { journal, ..Config::default() };
    assert_eq!(Config::parse(&text).unwrap(), want);
    let shown = text.lines().filter(|line| !line.contains("socket =") && !line.contains(".prom"));
    let shown: Vec<&str> = shown
        .map(|line| line.strip_prefix("# ").filter(|line| line.contains(" = ")).unwrap_or(line))
        .collect();
    assert!(shown.len() > 20);
    assert_eq!(Config::parse(&shown.join("\n")).unwrap(), want);
}
