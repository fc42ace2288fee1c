//! Words that people try and clap cannot guess: what they mean here.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What a word for a command means, and the command.
const COMMANDS: [(&str, &str); 17] = [
    ("check", "inspect --check-host"),
    ("check-host", "inspect --check-host"),
    ("late-cost", "inspect --late-cost"),
    ("gate", "inspect"),
    ("show", "audit"),
    ("list", "status"),
    ("scan", "audit"),
    ("ps", "status"),
    ("verify", "verify-journal"),
    ("replay", "watch --from"),
    ("record", "watch --journal"),
    ("trace", "watch"),
    ("monitor", "watch"),
    ("top", "tui"),
    ("test", "assert"),
    ("completion", "completions"),
    ("findings", "explain"),
];

/// What a word for an option means; an empty one has nothing like it, and no guess is better than a wrong one.
const OPTIONS: [(&str, &str); 6] = [
    ("--since", ""),
    ("--until", ""),
    ("--last", ""),
    ("--no-color", "--color never"),
    ("--timeout", ""),
    ("--follow", ""),
];

/// Replaces a guess of clap's that leads astray.
pub(super) fn correct(error: &mut clap::Error) {
    let (kind, said, table): (_, _, &[(&str, &str)]) = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            (ContextKind::InvalidSubcommand, ContextKind::SuggestedSubcommand, &COMMANDS)
        }
        ErrorKind::UnknownArgument => (ContextKind::InvalidArg, ContextKind::SuggestedArg, &OPTIONS),
        _ => return,
    };
    let Some(ContextValue::String(word)) = error.get(kind) else { return };
    let Some((_, meant)) = table.iter().find(|(known, _)| known == word) else { return };
    error.remove(said);
    // It names what clap had guessed.
    error.remove(ContextKind::Usage);
    if !meant.is_empty() {
        let value = match said {
            ContextKind::SuggestedSubcommand => ContextValue::Strings(vec![(*meant).to_owned()]),
            _ => ContextValue::String((*meant).to_owned()),
        };
        error.insert(said, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser as _;

    fn said(line: &[&str]) -> String {
        let mut error = Cli::try_parse_from([&["klp-trace"], line].concat()).unwrap_err();
        correct(&mut error);
        error.to_string()
    }

    #[test]
    fn the_command_that_was_meant_is_named() {
        for (word, meant) in COMMANDS {
            let said = said(&[word]);
            assert!(said.contains(&format!("'{meant}'")), "{word}: {said}");
        }
        assert!(said(&["wach"]).contains("'watch'"));
    }

    #[test]
    fn no_option_is_proposed_that_does_something_else() {
        let said = said(&["watch", "--since", "1h"]);
        assert!(!said.contains("--sync") && said.contains("--since"), "{said}");
    }
}
