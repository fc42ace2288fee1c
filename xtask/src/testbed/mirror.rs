//! Which Debian mirror to use: the one that the machine's own apt uses.

use std::process::Command;

use anyhow::bail;

use super::run;

/// Names a mirror where the machine has none: the address of a Debian archive, with its last slash.
const VARIABLE: &str = "KLP_TRACE_DEBIAN_MIRROR";

/// Suites by which a Debian source is told from any other.
const SUITES: [&str; 10] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "sid",
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
];

/// Where Debian's packages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    main: String,
    security: String,
}

impl Mirror {
    /// The line for apt's sources that brings `suite`.
    pub fn source(&self, suite: &str, keyring: &str) -> String {
        let address = if suite.ends_with("-security") { &self.security } else { &self.main };
        format!("deb [signed-by={keyring}] {address} {suite} main")
    }
}

/// The mirror in the machine's apt configuration, or the one that the environment names.
pub fn find() -> anyhow::Result<Mirror> {
    if let Ok(main) = std::env::var(VARIABLE) {
        return Ok(with_security(main, None));
    }
    let targets = run::output(
        Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(REPO_URI) $(RELEASE)",
            "Created-By: Packages",
        ]),
        "read the machine's apt sources",
    )?;
    match parse(&targets) {
        Some(mirror) => Ok(mirror),
        None => bail!(
            "the machine's apt has no Debian source to take the mirror from; set {VARIABLE} to the address of a \
             Debian archive (it ends in debian/)"
        ),
    }
}

fn parse(targets: &str) -> Option<Mirror> {
    let (mut main, mut security) = (None, None);
    for line in targets.lines() {
        let Some((address, release)) = line.split_once(' ') else { continue };
        let suite = release.split(['-', '/']).next().unwrap_or_default();
        if !SUITES.contains(&suite) {
            continue;
        }
        let place = if release.contains("security") || release.ends_with("/updates") {
            &mut security
        } else {
            &mut main
        };
        place.get_or_insert_with(|| address.to_owned());
    }
    Some(with_security(main?, security))
}

fn with_security(main: String, security: Option<String>) -> Mirror {
    let security = security.unwrap_or_else(|| {
        format!("{}debian-security/", main.trim_end_matches('/').trim_end_matches("debian"))
    });
    Mirror { main, security }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debian_sources_are_told_from_others() {
        let targets = "https://other.example/apt/ cloud-tools-bookworm\n\
                       http://a.example/debian/ bookworm-updates\n\
                       http://b.example/debian-security/ bookworm-security\n";
        let mirror = parse(targets).unwrap();
        assert_eq!(mirror.source("trixie", "k"), "deb [signed-by=k] http://a.example/debian/ trixie main");
        assert_eq!(
            mirror.source("trixie-security", "k"),
            "deb [signed-by=k] http://b.example/debian-security/ trixie-security main"
        );
        assert_eq!(parse("https://other.example/apt/ cloud-tools-bookworm\n"), None);
    }

    #[test]
    fn a_missing_security_source_lies_beside_the_main_one() {
        assert_eq!(
            with_security("http://a.example/debian/".into(), None).security,
            "http://a.example/debian-security/"
        );
    }
}
