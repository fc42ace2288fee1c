//! Lines of a journal, from whatever can be read.

use crate::journal::reader::MAX_LINE;
use std::io::{self, BufRead};

/// Bytes of one line that are passed over before its file is given up.
const MAX_SKIPPED: usize = 256 << 20;

/// What [`Lines::next`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// With its newline, which is not kept.
    Whole,
    /// Without a newline, at the end.
    Unfinished,
    /// Longer than [`MAX_LINE`]; the next call passes over the rest of it.
    TooLong,
    /// Nothing more.
    End,
}

/// Reads lines, keeping at most [`MAX_LINE`] bytes. An error of kind `WouldBlock` may be followed by another try, which
/// goes on in the middle of the line.
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
    /// The line was given out.
    done: bool,
    /// Bytes passed over of a line that is too long.
    skipped: Option<usize>,
}

impl Lines {
    /// The line that was found, without its newline.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// Finds the next line.
    pub fn next(&mut self, input: &mut dyn BufRead) -> io::Result<Line> {
        if std::mem::take(&mut self.done) {
            self.line.clear();
        }
        loop {
            let buffer = match input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                self.skipped = None;
                self.done = true;
                return Ok(if self.line.is_empty() { Line::End } else { Line::Unfinished });
            }
            let newline = memchr::memchr(b'\n', buffer);
            let part = buffer.get(..newline.unwrap_or(buffer.len())).unwrap_or_default();
            let consumed = part.len() + usize::from(newline.is_some());
            if let Some(skipped) = &mut self.skipped {
                *skipped += consumed;
                let far = *skipped > MAX_SKIPPED;
                input.consume(consumed);
                if far {
                    let why = format!("one line has more than {MAX_SKIPPED} bytes");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why));
                }
                if newline.is_some() {
                    self.skipped = None;
                }
                continue;
            }
            if self.line.len().saturating_add(part.len()) > MAX_LINE {
                self.skipped = newline.is_none().then_some(consumed);
                self.line.clear();
                input.consume(consumed);
                return Ok(Line::TooLong);
            }
            self.line.extend_from_slice(part);
            input.consume(consumed);
            if newline.is_some() {
                self.done = true;
                return Ok(Line::Whole);
            }
        }
    }
}
