//! `klp-trace man`: the manual pages, one a command.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap_mangen::roff::{Roff, roman};

use super::exit::{self, Exit};
use super::failure::Failure;
use super::print_text;

const EXAMPLES: &str = "\
Examples:
  klp-trace man watch | man -l -
      read the page of a command
  klp-trace man --out /usr/local/share/man/man1
      install all pages

";

/// Prints a manual page, or writes all of them to a folder
#[derive(Debug, clap::Args)]
#[command(after_long_help = format!("{EXAMPLES}{}", exit::help_section(&[Exit::Clean, Exit::Usage, Exit::Runtime])))]
pub struct Args {
    /// The command whose page to print; without it, the page of klp-trace itself
    #[arg(conflicts_with = "out")]
    pub command: Option<String>,

    /// Write every page to this folder, which is made if needed
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// A manual page: file name and text.
type Page = (String, Vec<u8>);

/// Prints or writes the pages.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let pages = pages().context("cannot render the manual pages")?;
    if let Some(dir) = &args.out {
        write_all(&pages, dir)?;
        return Ok(Exit::Clean);
    }
    let wanted = match &args.command {
        Some(command) => format!("klp-trace-{command}.1"),
        None => "klp-trace.1".to_owned(),
    };
    match pages.iter().find(|(name, _)| *name == wanted) {
        Some((_, text)) => print_text(text),
        None => Err(Failure::new(Exit::Usage, anyhow::anyhow!("no such page: {wanted}"))
            .hint("klp-trace --help lists the commands")),
    }
}

/// Renders the page of klp-trace and of each of its commands.
fn pages() -> std::io::Result<Vec<Page>> {
    let mut main = super::command();
    // Gives each command its full name, "klp-trace-watch".
    main.build();
    let documented = |command: &&clap::Command| !command.is_hide_set() && command.get_name() != "help";
    let commands = std::iter::once(main.clone()).chain(main.get_subcommands().filter(documented).cloned());
    commands
        .map(|command| {
            let command = command.version(env!("CARGO_PKG_VERSION"));
            let page = clap_mangen::Man::new(command.clone())
                .date(date())
                .source(concat!("klp-trace ", env!("CARGO_PKG_VERSION")))
                .manual("klp-trace manual");
            let after = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            let mut text = Vec::new();
            page.render_title(&mut text)?;
            page.render_name_section(&mut text)?;
            page.render_synopsis_section(&mut text)?;
            page.render_description_section(&mut text)?;
            page.render_options_section(&mut text)?;
            if command.has_subcommands() {
                page.render_subcommands_section(&mut text)?;
            }
            after_sections(&after).to_writer(&mut text)?;
            Ok((page.get_filename(), without_idle_breaks(&text)))
        })
        .collect()
}

/// The day of the commit that was built; never empty: `clap_mangen` leaves an empty date out, and the source would take its place.
fn date() -> String {
    let seconds = env!("KLP_TRACE_BUILT_AT").parse().ok();
    let time = seconds.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "undated build".to_owned(), |time| time.strftime("%Y-%m-%d").to_string())
}

/// The page without the line breaks around vertical space, which have no effect and which mandoc warns of.
fn without_idle_breaks(page: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(page);
    let mut lines: Vec<&str> = Vec::new();
    let mut space = false;
    for line in text.lines() {
        let blank = line.is_empty() || line.starts_with(".sp");
        if blank && lines.last() == Some(&".br") {
            lines.pop();
        }
        if !(space && line == ".br") {
            lines.push(line);
        }
        space = blank;
    }
    (lines.join("\n") + "\n").into_bytes()
}

/// The help's last sections as man(7) names them, line for line: `clap_mangen` would run the lines together.
fn after_sections(after: &str) -> Roff {
    let mut roff = Roff::new();
    for line in after.lines() {
        match line {
            "Examples:" => roff.control("SH", ["EXAMPLES"]).control("nf", []),
            "Exit codes:" => roff.control("fi", []).control("SH", ["EXIT STATUS"]).control("nf", []),
            line => roff.text([roman(line)]),
        };
    }
    roff.control("fi", []);
    roff
}

fn write_all(pages: &[Page], dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
    for (name, text) in pages {
        let path = dir.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_page_a_command_with_examples_and_exit_codes() {
        let dir = tempfile::tempdir().expect("a folder for the test");
        write_all(&pages().expect("pages render"), dir.path()).expect("pages are written");
        for command in super::super::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let path = dir.path().join(format!("klp-trace-{}.1", command.get_name()));
            let text = std::fs::read_to_string(&path).expect("each command has its page");
            assert!(text.contains(".SH EXAMPLES") && text.contains(".SH \"EXIT STATUS\""), "{text}");
            assert!(text.contains("\n    0  "), "{text}");
            assert!(!text.contains(".br\n\n") && !text.contains("\n\n.br"), "{text}");
            // Title, section, date, source, manual.
            let title = text.lines().find(|line| line.starts_with(".TH ")).expect("a title");
            let words: Vec<&str> = title.split(' ').collect();
            assert!(words.len() >= 7 && !title.contains("1  "), "{title}");
        }
        assert!(dir.path().join("klp-trace.1").exists());
    }

    #[test]
    fn a_page_that_is_not_there_is_wrong_usage() {
        let args = Args { command: Some("nonsense".to_owned()), out: None };
        assert_eq!(run(&args).expect_err("no such command").exit(), Exit::Usage);
    }
}
