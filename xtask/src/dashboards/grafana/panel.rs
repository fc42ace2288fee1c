//! One panel: a question, the queries that answer it, and how the answer is drawn.

use serde_json::{Value, json};

/// The data source that the reader chooses.
pub fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

/// How it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One value in large letters.
    Stat,
    /// Rows and columns.
    Table,
    /// States over time.
    Timeline,
    /// Lines over time.
    Series,
    /// A bar for each value.
    Bars,
    /// Text.
    Text,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Stat => "stat",
            Self::Table => "table",
            Self::Timeline => "state-timeline",
            Self::Series => "timeseries",
            Self::Bars => "bargauge",
            Self::Text => "text",
        }
    }
}

/// A panel.
pub struct Panel {
    kind: Kind,
    title: &'static str,
    description: &'static str,
    unit: &'static str,
    /// Columns and rows of the grid.
    pub size: (u32, u32),
    targets: Vec<(String, String)>,
    mappings: Vec<Value>,
    /// From which value on which colour; the first is for what lies below.
    steps: Vec<(Option<f64>, &'static str)>,
    overrides: Vec<Value>,
    transformations: Vec<Value>,
    text: String,
    stacked: bool,
}

/// What is said where no series answers: nothing known is not the same as nothing wrong.
const NOTHING: &str = "nothing is known";

impl Panel {
    /// A panel without queries.
    pub fn new(
        kind: Kind,
        title: &'static str,
        description: &'static str,
        unit: &'static str,
        size: (u32, u32),
    ) -> Self {
        Self {
            kind,
            title,
            description,
            unit,
            size,
            targets: Vec::new(),
            mappings: Vec::new(),
            steps: vec![(None, "text")],
            overrides: Vec::new(),
            transformations: Vec::new(),
            text: String::new(),
            stacked: false,
        }
    }

    /// A query, and what its series are called.
    pub fn query(mut self, expr: impl Into<String>, legend: &str) -> Self {
        self.targets.push((expr.into(), legend.to_owned()));
        self
    }

    /// Words and colours for values.
    pub fn mapped(mut self, mapping: Value) -> Self {
        self.mappings.push(mapping);
        self
    }

    /// Colours: `below` under the first value, and from each value on another.
    pub fn colours(mut self, below: &'static str, from: &[(f64, &'static str)]) -> Self {
        self.steps = std::iter::once((None, below))
            .chain(from.iter().map(|(value, colour)| (Some(*value), *colour)))
            .collect();
        self
    }

    /// Settings of one series or column, by its name.
    pub fn field(mut self, name: &str, properties: &[(&str, Value)]) -> Self {
        let properties: Vec<Value> =
            properties.iter().map(|(id, value)| json!({"id": id, "value": value})).collect();
        self.overrides.push(json!({"matcher": {"id": "byName", "options": name}, "properties": properties}));
        self
    }

    /// What is done with the answers before they are shown.
    pub fn transformed(mut self, id: &str, options: &Value) -> Self {
        self.transformations.push(json!({"id": id, "options": options}));
        self
    }

    /// Markdown.
    pub fn text(mut self, text: String) -> Self {
        self.text = text;
        self
    }

    /// Series on top of one another.
    pub fn stacked(mut self) -> Self {
        self.stacked = true;
        self
    }

    /// As Grafana reads it.
    pub fn json(&self, id: u32, place: &Value) -> Value {
        let now = matches!(self.kind, Kind::Stat | Kind::Table | Kind::Bars);
        let target = |(number, (expr, legend)): (usize, &(String, String))| {
            let letter = char::from(b'A' + u8::try_from(number).unwrap_or_default());
            json!({
                "refId": letter.to_string(), "datasource": datasource(), "editorMode": "code", "expr": expr,
                "legendFormat": legend, "instant": now, "range": !now,
                "format": if self.kind == Kind::Table { "table" } else { "time_series" }
            })
        };
        let mut panel = json!({
            "type": self.kind.word(), "id": id, "title": self.title, "description": self.description, "gridPos": place,
            "options": self.options(), "transformations": self.transformations
        });
        if self.kind != Kind::Text {
            panel["datasource"] = datasource();
            panel["targets"] = self.targets.iter().enumerate().map(target).collect();
            panel["fieldConfig"] = json!({"defaults": self.defaults(), "overrides": self.overrides});
        }
        panel
    }

    fn defaults(&self) -> Value {
        let steps: Vec<Value> =
            self.steps.iter().map(|(value, colour)| json!({"color": colour, "value": value})).collect();
        let mut defaults = json!({
            "unit": self.unit, "mappings": self.mappings, "noValue": NOTHING,
            "thresholds": {"mode": "absolute", "steps": steps},
            "color": {"mode": if self.kind == Kind::Series { "palette-classic" } else { "thresholds" }}
        });
        match self.kind {
            Kind::Series => {
                let stacking = if self.stacked { "normal" } else { "none" };
                defaults["custom"] = json!({
                    "drawStyle": "line", "fillOpacity": if self.stacked { 40 } else { 10 }, "lineWidth": 1,
                    "showPoints": "never", "spanNulls": false, "stacking": {"mode": stacking, "group": "A"},
                    "axisSoftMin": 0
                });
                defaults["min"] = json!(0);
            }
            Kind::Timeline => {
                defaults["custom"] = json!({"fillOpacity": 80, "lineWidth": 0, "spanNulls": false});
            }
            Kind::Bars => defaults["min"] = json!(0),
            Kind::Table => defaults["noValue"] = json!("-"),
            Kind::Stat | Kind::Text => {}
        }
        defaults
    }

    fn options(&self) -> Value {
        let last = json!({"calcs": ["lastNotNull"], "fields": "", "values": false});
        match self.kind {
            Kind::Stat => json!({
                "reduceOptions": last, "colorMode": "background", "graphMode": "none", "justifyMode": "auto",
                "orientation": "auto", "textMode": "auto", "wideLayout": true
            }),
            Kind::Bars => json!({
                "reduceOptions": last, "displayMode": "basic", "orientation": "horizontal", "showUnfilled": true,
                "valueMode": "color", "minVizHeight": 16, "minVizWidth": 8, "namePlacement": "auto", "sizing": "auto"
            }),
            Kind::Table => json!({
                "cellHeight": "sm", "showHeader": true,
                "footer": {"show": false, "reducer": ["sum"], "countRows": false, "fields": ""}
            }),
            Kind::Timeline => json!({
                "alignValue": "left", "mergeValues": true, "rowHeight": 0.9, "showValue": "auto",
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true},
                "tooltip": {"mode": "single", "sort": "none"}
            }),
            Kind::Series => json!({
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []},
                "tooltip": {"mode": "multi", "sort": "desc"}
            }),
            Kind::Text => json!({"mode": "markdown", "content": self.text}),
        }
    }
}
