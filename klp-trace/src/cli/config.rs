//! `klp-trace config`: the configuration of the TUI, checked.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::exit::{self, Exit};
use super::failure::Failure;
use super::text_file;
use crate::elf::names;
use crate::tui::config::Config;

const EXAMPLES: &str = "\
Examples:
  klp-trace config check
      can klp-trace use ~/.config/klp-trace/config.toml?
  klp-trace config check FILE
      can it use this one?

";

fn after_help() -> String {
    let codes = [Exit::Clean, Exit::Usage, Exit::Runtime];
    format!("{EXAMPLES}{}", exit::help_section(&codes))
}

/// Checks the configuration: palette, alphabet and keys of `klp-trace tui`
///
/// It is ~/.config/klp-trace/config.toml, or below $XDG_CONFIG_HOME where that is set. docs/tui.md says what it may hold.
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
    /// Says which configuration is used and whether it can be, or where and why it cannot
    Check {
        /// The configuration, if not the one that is used
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let Action::Check { file } = &args.action;
    let said = match find(file.as_deref())? {
        Found::Read(path, _) => format!("{}: valid", names::path(&path)),
        Found::None(Some(path)) => {
            format!("no configuration file at {}; the defaults hold", names::path(&path))
        }
        Found::None(None) => {
            "no configuration file: neither XDG_CONFIG_HOME nor HOME says where; the defaults hold".to_owned()
        }
    };
    super::print_text(said.as_bytes())
}

/// The configuration in a file, or in the one that is used by default; without the latter, the defaults.
pub(super) fn load(file: Option<&Path>) -> Result<Config, Failure> {
    Ok(match find(file)? {
        Found::Read(_, config) => config,
        Found::None(_) => Config::default(),
    })
}

/// What became of looking for a configuration.
enum Found {
    /// It was there.
    Read(PathBuf, Config),
    /// It was not there, where it would be if that is known.
    None(Option<PathBuf>),
}

fn find(file: Option<&Path>) -> Result<Found, Failure> {
    let (path, must_exist) = match file {
        Some(path) => (path.to_owned(), true),
        None => match default_path(|name| std::env::var_os(name)) {
            Some(path) => (path, false),
            None => return Ok(Found::None(None)),
        },
    };
    let opened = File::open(&path);
    let missing = matches!(&opened, Err(error) if error.kind() == std::io::ErrorKind::NotFound);
    if missing && !must_exist {
        return Ok(Found::None(Some(path)));
    }
    let text = text_file::read(opened, &path, "configuration")?;
    match Config::read(&text) {
        Ok(config) => Ok(Found::Read(path, config)),
        Err(error) => {
            let name = names::path(&path);
            Err(Failure::new(Exit::Usage, anyhow!("{name}: {error}"))
                .hint("fix it, or name another one with --config; docs/tui.md says what it may hold"))
        }
    }
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
        assert!(said.contains("line 2: unknown word \"pink\"") && said.contains("hint: fix it"), "{said}");
        assert_eq!(load(Some(Path::new("/no/such/file"))).unwrap_err().exit(), Exit::Usage);
    }
}
