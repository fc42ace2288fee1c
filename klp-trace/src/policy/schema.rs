//! The JSON Schema of the policy file, generated from the types that read it: for editors of TOML, and for tools.

use super::file::{Day, SCHEMA, Schema};
use super::order::Step;
use super::{Count, Limit, Order, Policy};
use crate::journal::schema::{text, without_null};
use crate::model::Verdict;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde_json::Value;
use std::borrow::Cow;

/// The schema (draft 2020-12) of a policy, as the JSON form of its TOML: a date is a string there.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Policy>();
    schema.insert("$id".to_owned(), "urn:klp-trace:policy:1".into());
    schema.insert("title".to_owned(), format!("A policy of klp-trace assert, {SCHEMA}").into());
    let mut schema = schema.to_value();
    without_null(&mut schema);
    schema
}

text!(Schema, "Schema", { "type": "string", "const": SCHEMA });
text!(Day, "Day", {
    "description": "A date, in TOML without quotes.",
    "type": "string",
    "format": "date",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
});
text!(Limit, "Limit", {
    "description": "A length of time: a whole number above zero and us, ms, s or m.",
    "type": "string",
    "pattern": "^0*[1-9][0-9]*(us|ms|s|m)$",
});

impl JsonSchema for Count {
    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
        let words: Vec<&str> = Verdict::ALL.iter().map(|verdict| verdict.word()).collect();
        let words = words.join("|");
        json_schema!({
            "description": "How many relocations there must be: applied == 12, pending in 0..4.",
            "type": "string",
            "pattern": format!(r"^\s*(total|{words})\s+((==|!=|<|<=|>|>=)\s+[0-9]+|in\s+[0-9]+\.\.[0-9]+)\s*$"),
        })
    }
}

impl JsonSchema for Order {
    fn schema_name() -> Cow<'static, str> {
        "Order".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> schemars::Schema {
        let story = |of_object: bool| {
            let words: Vec<&str> = Step::ALL
                .iter()
                .filter(|step| step.is_of_object() == of_object)
                .map(|step| step.word())
                .collect();
            let step = format!(r"\s*({}|\.\.\.)\s*", words.join("|"));
            format!("{step}(,{step})*")
        };
        json_schema!({
            "description": "The story of an object or a patch: object nfsd: coming, apply, ...",
            "type": "string",
            "pattern": format!(r"^\s*(object\s+[^:\s]+\s*:{}|patch\s+[^:\s]+\s*:{})$", story(true), story(false)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::schema::tests::assert_committed;

    #[test]
    fn the_committed_schema_is_that_of_the_types() {
        assert_committed("klp-trace.policy-1.json", &schema());
    }

    /// Of each rule a policy that the reader takes and one that it refuses: the schema says the same.
    #[test]
    fn the_schema_takes_what_the_reader_takes() {
        let schema = jsonschema::validator_for(&schema()).unwrap();
        let (taken, refused) = super::super::tests::samples();
        for (policies, good) in [(taken, true), (refused, false)] {
            for text in policies {
                let value: toml::Value = toml::from_str(text).unwrap();
                assert_eq!(schema.is_valid(&json(value)), good, "{text}");
                assert_eq!(Policy::parse(text).is_ok(), good, "{text}");
            }
        }
    }

    /// TOML's dates have no other form in JSON than a string.
    fn json(value: toml::Value) -> Value {
        match value {
            toml::Value::Datetime(date) => date.to_string().into(),
            toml::Value::Array(all) => all.into_iter().map(json).collect(),
            toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, json(value))).collect(),
            toml::Value::String(text) => text.into(),
            toml::Value::Integer(number) => number.into(),
            toml::Value::Float(number) => number.into(),
            toml::Value::Boolean(yes) => yes.into(),
        }
    }
}
