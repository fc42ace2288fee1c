//! CSV for spreadsheets, after RFC 4180. Names come from hostile files and kernels: a cell that a spreadsheet would take
//! for a formula is led in by an apostrophe (OWASP, "CSV injection").

use std::borrow::Cow;

use csv::{Writer, WriterBuilder};

use super::sink::{LineSink, SinkError};

/// A text, escaped already, as a cell that is no formula.
pub(super) fn cell(text: Cow<'_, str>) -> Cow<'_, str> {
    // Control characters, which some spreadsheets skip before a formula, are escaped already.
    if text.trim_start().starts_with(['=', '+', '-', '@']) { format!("'{text}").into() } else { text }
}

/// Has rows written to a sink.
///
/// # Errors
/// The sink's.
pub fn write(
    sink: &mut LineSink,
    fill: impl FnOnce(&mut Writer<&mut LineSink>) -> Result<(), csv::Error>,
) -> Result<(), SinkError> {
    let mut out = WriterBuilder::new().flexible(false).from_writer(&mut *sink);
    let filled = fill(&mut out);
    // The rest of its buffer; a failure is the sink's.
    let flushed = out.flush();
    drop(out);
    if filled.is_err() || flushed.is_err() { sink.flush() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::escape::escape;

    #[test]
    fn formulas_are_disarmed() {
        for name in ["=1+1", "+A1", "-A1", "@SUM(A1)", "  =x", "\u{a0}=x", "=cmd|' /C calc'!A0"] {
            assert_eq!(cell(name.into()), format!("'{name}"));
        }
        assert_eq!(cell(escape(b"\t=x")), "\\x09=x");
        assert_eq!(cell(".klp.rela.tmod..data".into()), ".klp.rela.tmod..data");
    }
}
