//! What every record of a journal says beside its event: which host, which tool, when.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name and major version of the record format that is written, first in every record.
pub const SCHEMA: &str = "klp-trace.event/2";

/// The formats that are read: all there ever were.
pub const READ: [&str; 2] = ["klp-trace.event/1", SCHEMA];

/// Names the formats that are read, for refusals: `"klp-trace.event/1" and "klp-trace.event/2"`.
pub(super) fn read_by_name() -> String {
    READ.map(|name| format!("{name:?}")).join(" and ")
}

/// The `schema` field: [`SCHEMA`] when written; those of [`READ`], and no other, are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Schema;

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(SCHEMA)
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<'de, str>::deserialize(deserializer)?;
        if READ.contains(&&*name) {
            return Ok(Self);
        }
        let known = read_by_name();
        Err(D::Error::custom(format_args!("schema is {name:?}, this klp-trace reads {known}")))
    }
}

/// The host that was watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Host {
    /// An application-specific hash of /etc/machine-id, hex (never the id itself); empty when there is none.
    pub id: String,
    /// The host's name (uname's nodename).
    pub name: String,
    /// /proc/sys/kernel/random/boot_id.
    pub boot_id: String,
    /// Its kernel.
    pub kernel: Kernel,
}

/// The kernel that was watched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Kernel {
    /// uname's release.
    pub release: String,
    /// uname's machine: the architecture whose formulas apply.
    pub arch: String,
}

/// The tool that wrote a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Tool {
    /// Its version.
    pub version: String,
}

/// Where a session's records come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The host.
    pub host: Arc<Host>,
    /// The tool that made the observations.
    pub tool: Arc<Tool>,
    /// Turns the events' monotonic times into wall-clock times.
    pub clock: Clock,
}

/// The distance of the wall clock from CLOCK_MONOTONIC, taken once at the start of a session, so that the order and
/// the distances of a journal's times are those of the events whatever is done to the wall clock meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    offset_ns: i128,
}

impl Clock {
    /// From the two clocks read together: the wall clock in nanoseconds since 1970, and CLOCK_MONOTONIC.
    pub fn new(wall_ns: i128, mono_ns: u64) -> Self {
        Self { offset_ns: wall_ns.saturating_sub(i128::from(mono_ns)) }
    }

    /// The wall-clock time of a monotonic one; the epoch's when it is beyond what a calendar holds.
    pub fn time(self, mono_ns: u64) -> Time {
        let wall_ns = self.offset_ns.saturating_add(i128::from(mono_ns));
        Time(Timestamp::from_nanosecond(wall_ns).unwrap_or(Timestamp::UNIX_EPOCH))
    }
}

/// A wall-clock time; written in RFC 3339, UTC, always with nine digits after the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

impl Time {
    /// Nanoseconds since 1970.
    pub fn wall_ns(self) -> i128 {
        self.0.as_nanosecond()
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.9}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Timestamp::from_str(&text)
            .map(Self)
            .map_err(|_| D::Error::custom(format_args!("{text:?} is not an RFC 3339 time")))
    }
}

/// Names a record among those of all hosts: the session's number and the record's, as `<16 hex digits>-<seq>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventId {
    /// The session.
    pub session: u64,
    /// The record's `seq`.
    pub seq: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.session, self.seq)
    }
}

impl Serialize for EventId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.split_once('-')
            .filter(|(session, _)| session.len() == 16 && !session.starts_with('+'))
            .and_then(|(session, seq)| Some((u64::from_str_radix(session, 16).ok()?, seq.parse().ok()?)))
            .map(|(session, seq)| Self { session, seq })
            .ok_or_else(|| D::Error::custom(format_args!("{text:?} is not an event's id")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_have_nine_digits_and_follow_the_monotonic_clock() {
        let clock = Clock::new(1_700_000_000_000_000_000, 5_000_000_000);
        assert_eq!(clock.time(5_000_000_000).to_string(), "2023-11-14T22:13:20.000000000Z");
        assert_eq!(clock.time(5_000_000_001).to_string(), "2023-11-14T22:13:20.000000001Z");
        assert_eq!(clock.time(4_999_999_999).to_string(), "2023-11-14T22:13:19.999999999Z");
    }

    #[test]
    fn absurd_clocks_do_not_panic() {
        assert_eq!(Clock::new(i128::MAX, 0).time(u64::MAX).wall_ns(), 0);
        assert_eq!(Clock::new(i128::MIN, u64::MAX).time(0).wall_ns(), 0);
    }

    #[test]
    fn another_schema_is_refused_by_name() {
        let refusal = serde_json::from_str::<Schema>("\"klp-trace.event/3\"").unwrap_err().to_string();
        assert!(refusal.contains("klp-trace.event/3"), "{refusal}");
        assert!(READ.iter().all(|name| refusal.contains(name)), "{refusal}");
    }

    #[test]
    fn every_schema_there_was_is_read_and_the_newest_is_written() {
        for name in READ {
            assert_eq!(serde_json::from_str::<Schema>(&format!("{name:?}")).unwrap(), Schema);
        }
        assert_eq!(serde_json::to_string(&Schema).unwrap(), format!("{SCHEMA:?}"));
    }

    proptest! {
        #[test]
        fn times_and_ids_survive_json(wall in 0i64.., session: u64, seq: u64) {
            let time = Clock::new(i128::from(wall), 0).time(0);
            let json = serde_json::to_string(&time).unwrap();
            prop_assert_eq!(serde_json::from_str::<Time>(&json).unwrap(), time);
            let id = EventId { session, seq };
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<EventId>(&json).unwrap(), id);
        }
    }
}
