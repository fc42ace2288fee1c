//! `klp-trace config`: the configuration of the TUI, checked.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::exit::{self, Exit};
use super::failure::Failure;
use crate::tui::config::Config;

/// Bytes that a configuration may have.
const LARGEST: u64 = 1 << 20;

const EXAMPLES: &str = "\
Examples:
  klp-trace config check
      can klp-trace use ~/.config/klp-trace/config.toml?
  klp-trace config check FILE
      can it use this one?

";

fn after_help() -> String {
    let codes = [Exit::Clean, Exit::Usage];
    format!("{EXAMPLES}{}", exit::help_section(&codes))
}

/// Checks the configuration: palette, alphabet and keys of `klp-trace tui`
///
/// It is ~/.config/klp-trace/config.toml, or below $XDG_CONFIG_HOME where that is set. docs/tui.md says what may stand in it.
#[derive(Debug, Clone, clap::Args)]
#[command(after_long_help = after_help())]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with a configuration.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Action {
    /// Says whether a configuration can be used, and if not, where and why
    Check {
        /// The configuration, if not the one that is used
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let Action::Check { file } = &args.action;
    load(file.as_deref())?;
    Ok(Exit::Clean)
}

/// The configuration in a file, or in the one that is used by default; without the latter, the defaults.
pub(super) fn load(file: Option<&Path>) -> Result<Config, Failure> {
    let (path, must_exist) = match file {
        Some(path) => (path.to_owned(), true),
        None => match default_path(|name| std::env::var_os(name)) {
            Some(path) => (path, false),
            None => return Ok(Config::default()),
        },
    };
    let name = crate::elf::names::path(&path);
    let usage = |error: anyhow::Error| Failure::new(Exit::Usage, error);
    let mut text = String::new();
    match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => {
            return Ok(Config::default());
        }
        opened => opened.and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text)),
    }
    .map_err(|error| usage(anyhow::Error::new(error).context(format!("cannot read {name}"))))?;
    if text.len() as u64 > LARGEST {
        return Err(usage(anyhow!("{name} is longer than 1 MiB: that is no configuration")));
    }
    Config::read(&text).map_err(|error| {
        usage(anyhow!("{name} cannot be used: {error}"))
            .hint("mend it, or name another one with --config; docs/tui.md says what may stand in it")
    })
}

/// Below `$XDG_CONFIG_HOME`, else below `$HOME/.config` (XDG Base Directory Specification).
fn default_path(env: impl Fn(&str) -> Option<std::ffi::OsString>) -> Option<PathBuf> {
    let set = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(folder.join("klp-trace").join("config.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_where_xdg_says() {
        let with = |xdg: Option<&str>, home: Option<&str>| {
            default_path(|name| if name == "HOME" { home } else { xdg }.map(Into::into))
        };
        let at = |folder: &str| Some(PathBuf::from(folder).join("klp-trace/config.toml"));
        assert_eq!(with(None, Some("/home/a")), at("/home/a/.config"));
        assert_eq!(with(Some("/x"), Some("/home/a")), at("/x"));
        assert_eq!(with(Some("relative"), Some("/home/a")), at("/home/a/.config"));
        assert_eq!(with(None, None), None);
    }

    #[test]
    fn a_mistake_is_named_with_its_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(load(Some(file.path())).is_ok());
        std::fs::write(file.path(), "[tui]\npalette = \"pink\"\n").unwrap();
        let failure = load(Some(file.path())).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        let said = failure.to_string();
        assert!(said.contains("pink") && said.contains("cannot be used"), "{said}");
        assert_eq!(load(Some(Path::new("/no/such/file"))).unwrap_err().exit(), Exit::Usage);
    }
}
