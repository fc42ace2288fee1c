//! The filter, while it is being typed.

use ratatui::crossterm::event::KeyCode;

/// Characters that a filter may have.
const LONGEST: usize = 512;

/// A line being typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prompt {
    /// What was typed.
    pub text: String,
    /// What is wrong with it, said when it was entered.
    pub error: Option<String>,
}

/// What a key did to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typed {
    /// It goes on.
    On,
    /// It is to be used.
    Enter,
    /// It is to be dropped.
    Cancel,
}

impl Prompt {
    /// Takes a key.
    pub fn key(&mut self, code: KeyCode, ctrl: bool, typed: Option<char>) -> Typed {
        match (code, ctrl) {
            (KeyCode::Enter, _) => return Typed::Enter,
            (KeyCode::Esc, _) | (KeyCode::Char('c'), true) => return Typed::Cancel,
            (KeyCode::Char('u'), true) => self.text.clear(),
            (KeyCode::Char('w'), true) => {
                let kept = self.text.trim_end();
                let kept = kept.rfind(' ').map_or(0, |at| at + 1);
                self.text.truncate(kept);
            }
            (KeyCode::Backspace, _) => {
                self.text.pop();
            }
            _ => {
                if let Some(typed) = typed.filter(|c| !c.is_control() && self.text.chars().count() < LONGEST)
                {
                    self.text.push(typed);
                }
            }
        }
        self.error = None;
        Typed::On
    }
}
