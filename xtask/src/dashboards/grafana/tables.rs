//! What tables of both dashboards share.

use serde_json::{Map, Value, json};

use super::panel::Panel;
use super::words;

/// Makes one row of the answers about the same thing, shows these columns in this order under these names, and no other.
pub fn columns(panel: Panel, columns: &[(&str, &str)]) -> Panel {
    let hidden = ["Time", "__name__", "job", "instance", "alertstate", "Value #Z"];
    let shown: Vec<&str> = columns.iter().map(|(field, _)| *field).collect();
    let excluded: Map<String, Value> = hidden
        .iter()
        .filter(|field| !shown.contains(field))
        .map(|field| ((*field).to_owned(), json!(true)))
        .collect();
    let order: Map<String, Value> =
        shown.iter().enumerate().map(|(index, field)| ((*field).to_owned(), json!(index))).collect();
    let names: Map<String, Value> =
        columns.iter().map(|(field, name)| ((*field).to_owned(), json!(name))).collect();
    panel.transformed("merge", &json!({})).transformed(
        "organize",
        &json!({"excludeByName": excluded, "indexByName": order, "renameByName": names}),
    )
}

/// A cell in its value's colour.
pub fn coloured_cell() -> Value {
    json!({"type": "color-background", "mode": "basic"})
}

/// Links of a cell.
pub fn link(title: &str, url: &str) -> Value {
    json!([{"title": title, "url": url, "targetBlank": true}])
}

/// From a finding's id to its page.
pub fn finding_page() -> Value {
    link("What it means, and what to do", &words::page("docs/findings/${__value.raw}.md"))
}

/// From a row of the fleet to its host.
pub fn host_dashboard() -> Value {
    let url = "/d/klp-trace-host?var-datasource=${datasource}&var-job=${__data.fields.Job}&var-instance=${__value.raw}&from=now-6h&to=now";
    json!([{"title": "This host", "url": url, "targetBlank": false}])
}
