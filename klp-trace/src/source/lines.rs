//! Lines of a journal, from whatever can be read.

use crate::event::reader::MAX_LINE;
use std::io::{self, BufRead};

/// What [`read_line`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// With its newline, which is not kept.
    Whole,
    /// Without a newline, at the end.
    Unfinished,
    /// Longer than [`MAX_LINE`]; skipped.
    TooLong,
    /// Nothing more.
    End,
}

/// Reads the next line into `line`, without its newline, keeping at most [`MAX_LINE`] bytes.
pub fn read_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let mut too_long = false;
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(match (too_long, line.is_empty()) {
                (true, _) => Line::TooLong,
                (false, true) => Line::End,
                (false, false) => Line::Unfinished,
            });
        }
        let newline = memchr::memchr(b'\n', buffer);
        let part = buffer.get(..newline.unwrap_or(buffer.len())).unwrap_or_default();
        too_long |= line.len().saturating_add(part.len()) > MAX_LINE;
        if !too_long {
            line.extend_from_slice(part);
        }
        let consumed = part.len() + usize::from(newline.is_some());
        input.consume(consumed);
        if newline.is_some() {
            return Ok(if too_long { Line::TooLong } else { Line::Whole });
        }
    }
}
