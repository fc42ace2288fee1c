//! `klp-trace explain`: what a finding, a rule, a verdict, a reason or another word of the output means, and what to do.

mod words;

use super::args::{OutputArgs, TextArgs};
use super::exit::{self, Exit};
use super::failure::Failure;
use super::print_text;
use crate::model::{FindingId, nearest, page};
use crate::output::markdown;
use anyhow::anyhow;
use std::fmt::Write as _;
use words::Word;

const EXAMPLES: &str = "\
Examples:
  klp-trace explain
      everything that can be explained, a line each
  klp-trace explain KLP003
      a finding's page; klp3, 3 and its name do as well
  klp-trace explain symbol-not-in-object
      a rule that klp-trace inspect has named
  klp-trace explain stale symbols-hidden
      a verdict, and the reason of one

";

/// Says what a finding, a rule, a verdict, a reason or another word of klp-trace means, and what to do
#[derive(Debug, clap::Args)]
#[command(after_long_help = format!("{EXAMPLES}{}", exit::help_section(&[Exit::Clean, Exit::Usage, Exit::Runtime])))]
pub struct Args {
    /// A finding (KLP003, 3, failed-load-left-applied), a rule of inspect, a verdict, a reason; all are listed without
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,

    /// How text looks
    #[command(flatten)]
    pub look: TextArgs,
}

/// Prints it to standard output.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let mut texts = Vec::new();
    for word in &args.words {
        texts.push(about(word).ok_or_else(|| unknown(word))?);
    }
    if texts.is_empty() {
        texts.push(list());
    }
    let style = args.look.style(&OutputArgs::default());
    let said = texts.join("\n\n");
    let text = if args.words.is_empty() { style.wrap_text(&said) } else { markdown::text(&said, style) };
    print_text(text.as_bytes())
}

fn unknown(word: &str) -> Failure {
    let all = words::all();
    let known: Vec<String> = FindingId::ALL
        .iter()
        .flat_map(|id| [id.to_string(), id.name().to_owned()])
        .chain(all.iter().map(|word| word.name.to_owned()))
        .collect();
    let meant = nearest::meant(word, known.iter().map(String::as_str));
    Failure::new(Exit::Usage, anyhow!("there is no finding, rule, verdict or reason {word:?}{meant}"))
        .hint("klp-trace explain lists them all")
}

/// What is known of a word: a finding's page, and what the pages on verdicts and rules say of it.
fn about(word: &str) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(id) = finding(word) {
        parts.push(page(id).trim_end().to_owned());
    }
    let all = words::all();
    parts.extend(all.iter().filter(|known| known.name.eq_ignore_ascii_case(word)).map(Word::text));
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// A finding by its id, the number in it, or its name.
fn finding(text: &str) -> Option<FindingId> {
    let lower = text.to_lowercase();
    let number = lower.strip_prefix("klp-").or_else(|| lower.strip_prefix("klp")).unwrap_or(&lower);
    let number = number.parse::<u16>().ok();
    let is = |id: &&FindingId| {
        let own = id.to_string().get(3..).and_then(|digits| digits.parse::<u16>().ok());
        id.name() == lower || (number.is_some() && number == own)
    };
    FindingId::ALL.iter().find(is).copied()
}

/// Findings with the first sentence of each page; then rules, verdicts, reasons and words, by where they stand.
fn list() -> String {
    let mut text = String::from("Findings\n");
    for id in FindingId::ALL {
        let said = page(*id).split("\n\n").nth(2).unwrap_or_default().replace('\n', " ");
        let sentence = said.split_once(". ").map_or(said.trim_end_matches('.'), |(first, _)| first);
        let _ = writeln!(text, "{id}  {}\n        {sentence}", id.name());
    }
    let mut section = "";
    for word in words::all() {
        if word.section != section {
            section = word.section;
            let _ = writeln!(text, "\n{section}");
        }
        let _ = writeln!(text, "  {}  {}", word.name, word.gist());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint;
    use crate::model::{Hook, Reason, Verdict};

    #[test]
    fn a_finding_is_found_by_id_number_and_name() {
        for text in [
            "klp003",
            "KLP003",
            "klp3",
            "KLP-3",
            "3",
            "003",
            "failed-load-left-applied",
            "Failed-Load-Left-Applied",
        ] {
            assert_eq!(finding(text), Some(FindingId::Klp003), "{text}");
        }
        for text in ["KLP099", "0", "", "klp", "-3", "99999999", "stale"] {
            assert_eq!(finding(text), None, "{text}");
        }
    }

    #[test]
    fn every_word_that_the_output_has_is_explained() {
        let verdicts = Verdict::ALL.iter().map(|verdict| verdict.word());
        let reasons = Reason::ALL.iter().map(|reason| reason.word());
        let rules = lint::policy::abouts().map(|about| about.rule);
        let hooks = Hook::ALL.iter().map(|hook| hook.name()).filter(|name| *name != Hook::Demand.name());
        for word in verdicts.chain(reasons).chain(rules).chain(hooks).chain(["patch_state", "sympos"]) {
            let text = about(word).unwrap_or_default();
            assert!(text.len() > word.len() + 20, "{word}: {text:?}");
        }
    }

    #[test]
    fn what_is_two_things_is_explained_twice() {
        let text = about("symbol-not-found").unwrap();
        assert!(text.contains("# KLP014") && text.contains("Reasons"), "{text}");
    }

    #[test]
    fn a_near_miss_is_understood_and_nonsense_is_not() {
        assert!(unknown("stael").to_string().contains("did you mean stale?"));
        assert!(unknown("KLP099").to_string().contains("did you mean KLP0"));
        assert!(unknown("symbol-not-in-objct").to_string().contains("did you mean symbol-not-in-object?"));
        assert!(!unknown("qqqq").to_string().contains("did you mean"));
        assert!(!unknown("a\u{1b}[2J").to_string().contains('\u{1b}'));
    }

    #[test]
    fn each_is_listed() {
        let list = list();
        for part in
            ["KLP001  stale-after-unload", "  stale  ", "  symbols-hidden  ", "  symbol-not-in-object  "]
        {
            assert!(list.contains(part), "{part}: {list}");
        }
    }
}
