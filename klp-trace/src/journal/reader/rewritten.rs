//! What became of a record whose bytes do not have the hash that it carries.

use super::Fault;
use crate::journal::chain;
use crate::journal::envelope::{READ, SCHEMA};
use crate::journal::record::Record;
use crate::model::escape;

/// Why a record's bytes do not have the hash that it carries.
pub(super) fn not_sealed(record: &Record, line: &[u8]) -> Fault {
    let Some(hash) = record.hash else { return Fault::Unsealed };
    let mut written = record.clone();
    written.hash = None;
    let again = escape::json(serde_json::to_string(&written).unwrap_or_default());
    // As each version would have written it.
    let same = |again: &str, schema: &str| {
        let mut again = again.replacen(SCHEMA, schema, 1).into_bytes();
        chain::seal(&mut again) == hash && again != line
    };
    let versions = [with_zeros(&again), again];
    if READ.iter().any(|schema| versions.iter().any(|again| same(again, schema))) {
        return Fault::Reformatted;
    }
    if chain::has_seal(line) { Fault::Altered } else { Fault::Rewritten }
}

/// A `patch_metadata` as earlier versions wrote it: with the bytes of the file where all are zero. No string of JSON has a
/// quotation mark that is not escaped, so that these can only be what they look like.
fn with_zeros(record: &str) -> String {
    let (first, next) = ("\"entries\":[{\"index\":", "\"},{\"index\":");
    let Some((head, entries)) = record.split_once(first) else { return record.to_owned() };
    let Some((entries, rest)) = entries.split_once("\"}]}") else { return record.to_owned() };
    let whole = |entry: &str| {
        let zeros = if entry.contains("\"original\":\"") { "" } else { "\",\"original\":\"0000000000000000" };
        format!("{entry}{zeros}")
    };
    let entries: Vec<String> = entries.split(next).map(whole).collect();
    format!("{head}{first}{}\"}}]}}{rest}", entries.join(next))
}
