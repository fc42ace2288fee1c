//! The JSON Schema of the journal's records, generated from their types.

use super::chain::Hash;
use super::envelope::{EventId, SCHEMA, Schema, Time};
use super::record::{Kind, Record};
use crate::model::{Address, Bytes};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// The schema (draft 2020-12) of one line of a journal. It allows fields that it does not know: later versions may add
/// some, and readers pass them over.
pub fn events() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Record>();
    schema.insert("$id".to_owned(), "urn:klp-trace:event:2".into());
    schema.insert("title".to_owned(), format!("A record of a klp-trace journal, {SCHEMA}").into());
    schema.insert("allOf".to_owned(), Kind::ALL.into_iter().map(of_kind).collect());
    let mut schema = schema.to_value();
    without_null(&mut schema);
    // The type lets it wait until the line is sealed; no line is written without it.
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.push("hash".into());
    }
    schema
}

/// The schema (draft 2020-12) of another document that klp-trace writes, by its type.
pub(crate) fn of<T: schemars::JsonSchema>(id: &str, title: String) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("$id".to_owned(), id.into());
    schema.insert("title".to_owned(), title.into());
    let mut schema = schema.to_value();
    without_null(&mut schema);
    schema
}

/// The schema of one line of `audit --json`: a record of a journal, of the kinds that an audit writes.
pub fn audit() -> Value {
    let mut schema = events();
    let kinds: Vec<&str> = Kind::ALL.into_iter().filter(|kind| is_of_audit(*kind)).map(Kind::name).collect();
    schema["$id"] = "urn:klp-trace:audit:2".into();
    schema["title"] = format!("A record of what klp-trace audit --json writes, {SCHEMA}").into();
    if let Some(Value::Array(all)) = schema.get_mut("allOf") {
        all.push(json!({ "properties": { "event": { "properties": { "kind": { "enum": kinds } } } } }));
    }
    schema
}

/// An audit has no hooks, and one file, and does not read the kernel's log: what only these would tell of, it does not see.
fn is_of_audit(kind: Kind) -> bool {
    !matches!(kind, Kind::Hook | Kind::Transition | Kind::KernelMessage | Kind::Continued)
}

/// The types allow `null` for what is not there; the journal never writes it.
pub(crate) fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|one| one != "null");
                if let [one] = types.as_mut_slice() {
                    let one = one.take();
                    map.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").is_none_or(|one| one != "null"));
                if let [Value::Object(one)] = choices.as_mut_slice() {
                    let one = std::mem::take(one);
                    map.remove("anyOf");
                    map.extend(one);
                }
            }
            map.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// What a record of one kind must have.
fn of_kind(kind: Kind) -> Value {
    json!({
        "if": { "properties": { "event": { "properties": { "kind": { "const": kind.name() } } } } },
        "then": { "required": kind.needs() },
    })
}

/// A type that is written as a string.
macro_rules! text {
    ($type:ty, $name:literal, $schema:tt) => {
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}
pub(crate) use text;

text!(Schema, "Schema", { "type": "string", "const": SCHEMA });
text!(Hash, "Hash", {
    "description": "A SHA-256, as 64 lower-case hex digits.",
    "type": "string",
    "pattern": "^[0-9a-f]{64}$",
});
text!(Time, "Time", {
    "description": "RFC 3339, UTC, nine digits after the second.",
    "type": "string",
    "pattern": "^-?[0-9]{4,6}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{9}Z$",
});
text!(EventId, "EventId", {
    "description": "The session's number, 16 hex digits, and the record's.",
    "type": "string",
    "pattern": "^[0-9a-f]{16}-[0-9]+$",
});
text!(Address, "Address", {
    "description": "An address, symbol value or offset; a string, since JSON numbers lose bits beyond 2^53.",
    "type": "string",
    "pattern": "^0x[0-9a-f]{1,16}$",
});
text!(Bytes, "Bytes", {
    "description": "Up to eight bytes of memory in memory order, as lower-case hex.",
    "type": "string",
    "pattern": "^([0-9a-f]{2}){0,8}$",
});

#[cfg(test)]
pub(crate) mod tests;
