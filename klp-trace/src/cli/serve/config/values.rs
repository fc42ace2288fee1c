//! The values of a configuration that TOML has no type for, each with what it must be in its error.

use super::{Config, SCHEMA};
use crate::cli::args;
use crate::journal::schema::{text, without_null};
use crate::probe::MAX_SECTIONS;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The `schema` key: [`SCHEMA`] and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::cli::serve) struct Schema;

impl TryFrom<String> for Schema {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == SCHEMA { Ok(Self) } else { Err(format!("this klp-trace reads {SCHEMA}, not \"{text}\"")) }
    }
}

/// An address and a port; none: nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::cli::serve) struct Listen(pub Option<SocketAddr>);

impl Default for Listen {
    fn default() -> Self {
        Self(Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 11216)))
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let wrong = || {
            format!(
                "\"{text}\" is no address with a port: write it as 127.0.0.1:11216 or [::1]:11216, or \"none\""
            )
        };
        text.parse().map(|address| Self(Some(address))).map_err(|_| wrong())
    }
}

/// A length of time, by default so many seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::cli::serve) struct Time<const SECONDS: u64>(pub Duration);

impl<const SECONDS: u64> Default for Time<SECONDS> {
    fn default() -> Self {
        Self(Duration::from_secs(SECONDS))
    }
}

impl<const SECONDS: u64> TryFrom<String> for Time<SECONDS> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        args::duration(&text).map(Self).map_err(|why| format!("\"{text}\": {why}"))
    }
}

/// A size of files, by default so many bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::cli::serve) struct Size<const BYTES: u64>(pub u64);

impl<const BYTES: u64> Default for Size<BYTES> {
    fn default() -> Self {
        Self(BYTES)
    }
}

impl<const BYTES: u64> TryFrom<String> for Size<BYTES> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        args::size(&text).map(Self).map_err(|why| format!("\"{text}\": {why}"))
    }
}

/// The size of the ring buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::cli::serve) struct Ring(pub u32);

impl Default for Ring {
    fn default() -> Self {
        Self(4 << 20)
    }
}

impl TryFrom<String> for Ring {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        args::ring_size(&text).map(Self).map_err(|why| format!("\"{text}\": {why}"))
    }
}

/// How many sections the eBPF programs keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub(in crate::cli::serve) struct Sections(pub u32);

impl Default for Sections {
    fn default() -> Self {
        Self(MAX_SECTIONS)
    }
}

impl TryFrom<i64> for Sections {
    type Error = String;

    fn try_from(number: i64) -> Result<Self, String> {
        let sections = u32::try_from(number).ok().filter(|sections| (1..=1 << 20).contains(sections));
        sections.map(Self).ok_or_else(|| format!("{number} is not from 1 to 1048576"))
    }
}

/// The schema (draft 2020-12) of a configuration, as the JSON form of its TOML.
pub(super) fn schema() -> serde_json::Value {
    let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Config>();
    schema.insert("$id".to_owned(), "urn:klp-trace:serve:1".into());
    schema.insert("title".to_owned(), format!("A configuration of klp-trace serve, {SCHEMA}").into());
    let mut schema = schema.to_value();
    without_null(&mut schema);
    schema
}

text!(Schema, "Schema", { "type": "string", "const": SCHEMA });
text!(Listen, "Listen", { "description": "Address and port, or none.", "type": "string" });
text!(Ring, "Ring", { "type": "string", "pattern": "^[0-9]+[kKmMgG]?$" });

/// A length of time: a whole number above zero and ms, s, m or h; without a unit, seconds.
const TIME: &str = "^0*[1-9][0-9]*(ms|s|m|h)?$";

impl<const SECONDS: u64> schemars::JsonSchema for Time<SECONDS> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": TIME })
    }
}

impl<const BYTES: u64> schemars::JsonSchema for Size<BYTES> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+[kKmMgG]?$" })
    }
}

impl schemars::JsonSchema for Sections {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Sections".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": 1 << 20 })
    }
}
