//! `klp-trace explain`: what a finding means, and what to do.

use super::exit::{self, Exit};
use super::failure::Failure;
use super::print_text;
use crate::model::{FindingId, page};
use std::fmt::Write as _;

const EXAMPLES: &str = "\
Examples:
  klp-trace explain
      every finding, a line each
  klp-trace explain KLP003
      its page; the finding's name does as well

";

/// Says what a finding means, how klp-trace knows it, and what to do
#[derive(Debug, clap::Args)]
#[command(after_long_help = format!("{EXAMPLES}{}", exit::help_section(&[Exit::Clean, Exit::Usage, Exit::Runtime])))]
pub struct Args {
    /// A finding's id (KLP003) or name (failed-load-left-applied); all are listed when none is given
    #[arg(value_name = "FINDING", value_parser = parse)]
    pub finding: Option<FindingId>,
}

fn parse(text: &str) -> Result<FindingId, String> {
    let is =
        |id: &&FindingId| id.to_string().eq_ignore_ascii_case(text) || id.name().eq_ignore_ascii_case(text);
    FindingId::ALL.iter().find(is).copied().ok_or_else(|| {
        let all: Vec<String> = FindingId::ALL.iter().map(ToString::to_string).collect();
        format!(
            "no such finding; there are {} (klp-trace explain lists them with their names)",
            all.join(", ")
        )
    })
}

/// Prints it to standard output.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    match args.finding {
        Some(id) => print_text(page(id).as_bytes()),
        None => print_text(list().as_bytes()),
    }
}

/// Id, name, and the first sentence of each page.
fn list() -> String {
    let mut text = String::new();
    for id in FindingId::ALL {
        let said = page(*id).split("\n\n").nth(2).unwrap_or_default().replace('\n', " ");
        let sentence = said.split_once(". ").map_or(said.trim_end_matches('.'), |(first, _)| first);
        let _ = writeln!(text, "{id}  {}\n        {sentence}", id.name());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_found_by_id_and_by_name() {
        assert_eq!(parse("klp003"), Ok(FindingId::Klp003));
        assert_eq!(parse("failed-load-left-applied"), Ok(FindingId::Klp003));
        assert!(parse("KLP099").unwrap_err().contains("KLP001, "));
    }

    #[test]
    fn each_is_listed_with_a_sentence() {
        let list = list();
        assert_eq!(list.lines().count(), 2 * FindingId::ALL.len());
        assert!(list.lines().all(|line| line.len() > 12), "{list}");
    }
}
