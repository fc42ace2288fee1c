use super::*;
use crate::journal::Journal;
use crate::journal::testing::{golden, one_of_each, origin};
use crate::model::{FindingId, Hook};
use jsonschema::Validator;
use std::sync::LazyLock;

/// The schema as it would be if no field could be added: what is written must be described.
pub(crate) fn closed(schema: &mut Value) {
    if let Value::Object(map) = schema {
        if map.contains_key("properties") && map.contains_key("type") {
            map.insert("additionalProperties".to_owned(), false.into());
        }
        map.values_mut().for_each(closed);
    } else if let Value::Array(items) = schema {
        items.iter_mut().for_each(closed);
    }
}

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    let mut schema = events();
    closed(&mut schema);
    jsonschema::validator_for(&schema).unwrap()
});

/// Fails a test that writes a record which the schema does not describe. [`Journal`] calls it for every line.
pub(crate) fn assert_valid(line: &[u8]) {
    let record: Value = serde_json::from_slice(line).unwrap();
    let errors: Vec<_> =
        VALIDATOR.iter_errors(&record).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?} in {}", String::from_utf8_lossy(line));
}

/// Fails where a document is not as its schema says, or holds what the schema does not describe.
pub(crate) fn assert_described(mut schema: Value, document: &Value) {
    closed(&mut schema);
    let schema = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> =
        schema.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?} in {document:#}");
}

/// A schema that is committed under docs/schema.
pub(crate) fn assert_committed(file: &str, schema: &Value) {
    assert!(jsonschema::meta::is_valid(schema));
    let mut text = serde_json::to_string_pretty(schema).unwrap();
    text.push('\n');
    golden(&format!("../../docs/schema/{file}"), &text);
}

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    assert_committed("klp-trace.event-2.json", &events());
    assert_committed("klp-trace.audit-2.json", &audit());
}

#[test]
fn an_audit_has_no_kind_that_only_a_hook_sees() {
    let schema = jsonschema::validator_for(&audit()).unwrap();
    let mut journal = Journal::new(origin());
    for event in one_of_each() {
        let record: Value = serde_json::from_slice(journal.line(&event).unwrap()).unwrap();
        let kind = record["event"]["kind"].as_str().unwrap();
        let seen_by_hooks = ["hook", "transition", "kernel_message"].contains(&kind);
        assert_eq!(schema.is_valid(&record), !seen_by_hooks, "{kind}");
    }
}

#[test]
fn what_is_wrong_is_refused() {
    let mut journal = Journal::new(origin());
    let samples: Vec<Value> = one_of_each()
        .iter()
        .map(|event| serde_json::from_slice(journal.line(event).unwrap()).unwrap())
        .collect();
    let strict = |record: &Value| VALIDATOR.is_valid(record);
    let open = jsonschema::validator_for(&events()).unwrap();
    let mut refused = 0;
    for sample in &samples {
        assert!(open.is_valid(sample) && strict(sample));
        let mut more = sample.clone();
        more["later"] = 1.into();
        assert!(open.is_valid(&more) && !strict(&more), "fields of later versions are allowed");
        let kind = Kind::from_name(sample["event"]["kind"].as_str().unwrap()).unwrap();
        for field in kind.needs().iter().chain(&["schema", "seq", "time", "host", "tool", "prev", "hash"]) {
            let mut less = sample.clone();
            assert!(less.as_object_mut().unwrap().remove(*field).is_some(), "{field} of {sample}");
            assert!(!open.is_valid(&less), "a {} without {field}", kind.name());
            less[*field] = Value::Null;
            assert!(!open.is_valid(&less), "a {} with {field} null", kind.name());
            refused += 1;
        }
    }
    assert!(refused > 90, "{refused}");
    for (pointer, wrong) in [
        ("/schema", json!("klp-trace.event/1")),
        ("/seq", json!(-1)),
        ("/time", json!("2025-11-22 12:00:01Z")),
        ("/event/id", json!("1-1")),
        ("/prev", json!("00")),
        ("/target/address", json!(18_446_744_073_709_551_615_u64)),
        ("/target/actual", json!("2C")),
        ("/verdict", json!("fine")),
    ] {
        let mut state = samples[5].clone();
        *state.pointer_mut(pointer).unwrap() = wrong;
        assert!(!open.is_valid(&state), "{pointer}");
    }
}

#[test]
fn closed_lists_are_whole() {
    let text = events().to_string();
    for kind in Kind::ALL {
        assert!(text.contains(&format!("{:?}", kind.name())), "{}", kind.name());
    }
    for hook in Hook::ALL {
        assert!(text.contains(&format!("{:?}", hook.name())), "{hook}");
    }
    for id in FindingId::ALL {
        assert!(text.contains(&format!("\"{id}\"")), "{id}");
    }
}
