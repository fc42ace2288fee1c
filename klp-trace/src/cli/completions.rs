//! `klp-trace completions SHELL`.

use clap_complete::Shell;

use super::exit::{self, Exit};
use super::failure::Failure;
use super::print_text;

const EXAMPLES: &str = "\
Examples:
  klp-trace completions bash > /usr/share/bash-completion/completions/klp-trace
  klp-trace completions zsh > /usr/local/share/zsh/site-functions/_klp-trace
  klp-trace completions fish > ~/.config/fish/completions/klp-trace.fish

";

/// Prints the completions of a shell: command, option and value names
#[derive(Debug, clap::Args)]
#[command(after_long_help = format!("{EXAMPLES}{}", exit::help_section(&[Exit::Clean, Exit::Usage, Exit::Runtime])))]
pub struct Args {
    /// The shell to write for
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Prints the script to standard output.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "klp-trace", &mut script);
    print_text(&script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_gets_every_command() {
        for shell in [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut super::super::command(), "klp-trace", &mut script);
            let script = String::from_utf8(script).expect("completions are text");
            for command in super::super::command().get_subcommands().filter(|command| !command.is_hide_set())
            {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }
}
