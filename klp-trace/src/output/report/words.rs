//! Text made harmless, and addresses left out where they are not to be seen.

use crate::{
    arch::is_distance,
    journal::{RelocState, redact},
    model::{Bytes, Verdict},
    output::text::name,
};

/// What stands in place of an address.
const HIDDEN: &str = "(address)";

/// How text is written in one report.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    /// Leave kernel addresses out, and bytes that tell them.
    pub redact: bool,
}

impl Words {
    /// A name or sentence without anything that acts on a terminal or a reader, on one line.
    pub(super) fn of(self, text: &str) -> String {
        let text = name(text);
        if self.redact { redact::hide(&text, HIDDEN) } else { text.into_owned() }
    }

    /// The address of a relocation's target.
    pub(super) fn address(self, state: &RelocState) -> Option<String> {
        state.address.map(|address| if self.redact { HIDDEN.to_owned() } else { address.to_string() })
    }

    /// What a relocation should hold and what it holds.
    pub(super) fn bytes(self, state: &RelocState) -> (String, String) {
        let actual = state.actual.map_or_else(|| "unreadable".to_owned(), |bytes| self.one(state, bytes));
        let expected = match (state.expected, state.verdict, state.actual) {
            (Some(expected), _, _) => self.one(state, expected),
            // The object is gone, and its value should be.
            (None, Some(Verdict::Stale), Some(actual)) => "00".repeat(actual.as_slice().len()),
            (None, _, _) => "not known".to_owned(),
        };
        (expected, actual)
    }

    /// Bytes that hold a difference of two addresses tell neither; of all others only zero may be seen.
    fn one(self, state: &RelocState, bytes: Bytes) -> String {
        if self.redact && !is_distance(&state.reloc.rtype) && !bytes.is_zero() {
            "(hidden)".to_owned()
        } else {
            bytes.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::testing;

    #[test]
    fn addresses_are_left_out_and_nothing_else() {
        let words = Words { redact: true };
        for (text, shown) in [
            ("at 0xffffffffc0400010: holds", "at (address): holds"),
            ("base=ffffffffc0400010,", "base=(address),"),
            ("0x10 R_X86_64_64 target_secret.isra.0", "0x10 R_X86_64_64 target_secret.isra.0"),
            ("build-id 7c0ffee07c0ffee07c0ffee07c0ffee0", "build-id 7c0ffee07c0ffee07c0ffee07c0ffee0"),
            ("0x00000000ffffffff", "0x00000000ffffffff"),
            ("größe 0xFFFFFFFF81000000", "größe (address)"),
        ] {
            assert_eq!(words.of(text), shown);
        }
        assert_eq!(Words { redact: false }.of("0xffffffffc0400010"), "0xffffffffc0400010");
    }

    #[test]
    fn bytes_of_absolute_relocations_are_left_out() {
        let mut state = testing::state(0, None, None, Verdict::Mismatch);
        let shown = |state: &RelocState, redact| Words { redact }.bytes(state);
        let both = ("2c70ffff".to_owned(), "2c70ffff".to_owned());
        assert_eq!(shown(&state, true), both);
        state.reloc.rtype = "R_X86_64_64".into();
        assert_eq!(shown(&state, true), ("(hidden)".into(), "(hidden)".into()));
        assert_eq!(shown(&state, false), both);
        state.actual = Some(Bytes::new([0; 8], 8));
        assert_eq!(shown(&state, true).1, "0000000000000000");
        state.reloc.rtype = "R_SOMETHING_NEW".into();
        assert_eq!(shown(&state, true).0, "(hidden)");
    }
}
