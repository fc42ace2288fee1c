//! Why nothing is known of a livepatch's relocations: a closed list of reasons, none of which holds an address.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// Why the sections of a livepatch could not be read. In a journal it is its sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// Where its `struct module` is, is hidden from this process.
    Hidden,
    /// Nothing is to be read where its `struct module` was.
    Gone,
    /// What is there is another module's `struct module`.
    OtherModule,
    /// A header among its section headers is unreadable.
    Header,
    /// A section is unreadable, by its number.
    Section(u32),
    /// Not all of a section arrived.
    Partly(u32),
    /// A section is not one that livepatch applies.
    NotLivepatch(u32),
    /// A section's name is not that of a livepatch section.
    Misnamed(u32),
    /// A symbol is unreadable, by its number.
    Symbol(u32),
    /// The ring buffer stays full.
    RingFull,
    /// A record that was sent does not arrive.
    Stalled,
    /// The kernel does not run the reading program; its own words.
    Refused(String),
    /// In the words of another version of klp-trace.
    Other(String),
}

const HIDDEN: &str = "where its struct module is, is not shown: /sys/module and /proc/kallsyms hide addresses from this \
                      process (run it as root, with CAP_SYSLOG and kernel.kptr_restrict below 2)";
const GONE: &str = "nothing to read: not a loaded livepatch, or it is gone by now";
const OTHER_MODULE: &str = "where its struct module was, another one is";
const HEADER: &str = "one of its section headers is unreadable";
const RING_FULL: &str = "the ring buffer stays full while a section is read: use a larger one (--ring-size)";
const STALLED: &str = "a record that the kernel sent does not arrive";
const REFUSED: &str = "the kernel does not run the reading program: ";
const SECTION: &str = "section ";
const SYMBOL: &str = "symbol ";
const UNREADABLE: &str = " is unreadable";
const PARTLY: &str = " could not be read whole";
const NOT_LIVEPATCH: &str = " is not a livepatch relocation section";
const MISNAMED: &str = " has a name that is not a livepatch section's";

impl Unread {
    /// Of its sentence; what is none becomes [`Unread::Other`].
    pub fn of(text: &str) -> Self {
        let number = |start: &str, end: &str| text.strip_prefix(start)?.strip_suffix(end)?.parse().ok();
        match text {
            HIDDEN => return Self::Hidden,
            GONE => return Self::Gone,
            OTHER_MODULE => return Self::OtherModule,
            HEADER => return Self::Header,
            RING_FULL => return Self::RingFull,
            STALLED => return Self::Stalled,
            _ => {}
        }
        if let Some(why) = text.strip_prefix(REFUSED) {
            return Self::Refused(why.to_owned());
        }
        let known = number(SECTION, UNREADABLE).map(Self::Section);
        let known = known.or_else(|| number(SECTION, PARTLY).map(Self::Partly));
        let known = known.or_else(|| number(SECTION, NOT_LIVEPATCH).map(Self::NotLivepatch));
        let known = known.or_else(|| number(SECTION, MISNAMED).map(Self::Misnamed));
        let known = known.or_else(|| number(SYMBOL, UNREADABLE).map(Self::Symbol));
        // `+7` and `007` are numbers too, and not how one is written.
        known.filter(|known| known.to_string() == text).unwrap_or_else(|| Self::Other(text.to_owned()))
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hidden => f.write_str(HIDDEN),
            Self::Gone => f.write_str(GONE),
            Self::OtherModule => f.write_str(OTHER_MODULE),
            Self::Header => f.write_str(HEADER),
            Self::Section(number) => write!(f, "{SECTION}{number}{UNREADABLE}"),
            Self::Partly(number) => write!(f, "{SECTION}{number}{PARTLY}"),
            Self::NotLivepatch(number) => write!(f, "{SECTION}{number}{NOT_LIVEPATCH}"),
            Self::Misnamed(number) => write!(f, "{SECTION}{number}{MISNAMED}"),
            Self::Symbol(number) => write!(f, "{SYMBOL}{number}{UNREADABLE}"),
            Self::RingFull => f.write_str(RING_FULL),
            Self::Stalled => f.write_str(STALLED),
            Self::Refused(why) => write!(f, "{REFUSED}{why}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl Serialize for Unread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Unread {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::of(&Cow::<'de, str>::deserialize(deserializer)?))
    }
}

crate::journal::schema::text!(Unread, "Unread", {
    "description": "Why the sections of a livepatch could not be read, as a sentence without an address.",
    "type": "string",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_comes_back_from_its_sentence() {
        let all = [
            Unread::Hidden,
            Unread::Gone,
            Unread::OtherModule,
            Unread::Header,
            Unread::Section(7),
            Unread::Partly(2),
            Unread::NotLivepatch(u32::MAX),
            Unread::Misnamed(0),
            Unread::Symbol(3),
            Unread::RingFull,
            Unread::Stalled,
            Unread::Refused("Operation not permitted".to_owned()),
            Unread::Other("section +7 is unreadable".to_owned()),
            Unread::Other("nothing to read at 0xffffffffc0400000".to_owned()),
        ];
        for reason in all {
            assert_eq!(Unread::of(&reason.to_string()), reason);
        }
    }
}
