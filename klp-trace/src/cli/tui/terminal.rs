//! Owns the terminal: as it was found, so it is left, whatever ends the program.

use crate::cli::Exit;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::layout::Size;
use std::io::{self, Stdout, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the terminal is ours now: what a panic on any thread has to give back.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal, while it is ours.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal; a panic gives it back before it says what happened, and ends the program.
    pub(super) fn take() -> io::Result<Self> {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            default(panic);
            // Another thread's panic would otherwise leave this one drawing over it.
            std::process::exit(Exit::Runtime.code().into());
        }));
        take()?;
        Ok(Self { terminal: Terminal::new(CrosstermBackend::new(io::stdout()))? })
    }

    /// Draws a frame; only what differs from the one before is written.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(draw).map(|_| ())
    }

    /// Clears the terminal, so that the next frame is written whole. Not by `Terminal::clear`, which asks the terminal
    /// where its cursor is: the thread that reads keys would take the answer.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }

    /// Gives the terminal back, stops as Ctrl-Z does, and takes it again when the shell goes on with us.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        give_back();
        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)?;
        take()?;
        self.clear()
    }

    /// Has the terminal put a text into the clipboard: OSC 52, as xterm defines it. Many terminals ask first or ignore it.
    pub(super) fn copy(text: &str) -> io::Result<()> {
        use base64ct::{Base64, Encoding as _};
        let mut out = io::stdout();
        write!(out, "\x1b]52;c;{}\x07", Base64::encode_string(text.as_bytes()))?;
        out.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
        // The hook of a panic has nothing to give back any more.
        let _ = std::panic::take_hook();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let taken = execute!(io::stdout(), EnterAlternateScreen, Hide);
    if taken.is_err() {
        give_back();
    }
    taken
}

fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // Nobody is left to be told.
        let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// The terminal's size; none at all when it does not say.
pub(super) fn size() -> Size {
    ratatui::crossterm::terminal::size().map_or(Size::default(), |(width, height)| Size { width, height })
}
