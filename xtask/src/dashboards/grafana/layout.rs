//! Rows of panels, laid out from left to right on Grafana's 24 columns.

use serde_json::{Value, json};

use super::panel::Panel;

/// A row with a title.
pub struct Row {
    /// The question that its panels answer.
    pub title: &'static str,
    /// Whether it is opened by a click only.
    pub collapsed: bool,
    /// Its panels.
    pub panels: Vec<Panel>,
}

/// Grafana's columns.
const COLUMNS: u32 = 24;

/// The panels with their numbers and places.
pub fn panels(rows: Vec<Row>) -> Vec<Value> {
    let (mut all, mut id, mut top) = (Vec::new(), 0, 0);
    for row in rows {
        id += 1;
        let head = id;
        let at = top;
        top += 1;
        let (mut inside, mut left, mut tallest) = (Vec::new(), 0, 0);
        for panel in row.panels {
            let (width, height) = panel.size;
            if left + width > COLUMNS {
                (left, top, tallest) = (0, top + tallest, 0);
            }
            id += 1;
            inside.push(panel.json(id, &json!({"x": left, "y": top, "w": width, "h": height})));
            left += width;
            tallest = tallest.max(height);
        }
        top += tallest;
        let nested = if row.collapsed { std::mem::take(&mut inside) } else { Vec::new() };
        all.push(json!({
            "type": "row", "id": head, "title": row.title, "collapsed": row.collapsed,
            "gridPos": {"x": 0, "y": at, "w": COLUMNS, "h": 1}, "panels": nested
        }));
        all.append(&mut inside);
    }
    all
}
