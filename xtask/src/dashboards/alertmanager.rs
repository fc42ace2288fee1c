//! `alertmanager.example.yml`: who is told, and what is told once.

use super::yaml::{Yaml, map, text, texts};

/// The whole file, without its head.
pub fn example() -> Yaml {
    let inhibit = |source: &[&str], target: &[&str]| {
        map([
            ("source_matchers", texts(source)),
            ("target_matchers", texts(target)),
            ("equal", texts(&["job", "instance"])),
        ])
    };
    let to = |severity: &str, receiver: &str, repeat: &str| {
        map([
            ("matchers", texts(&[&format!("severity=\"{severity}\"")])),
            ("receiver", text(receiver)),
            ("repeat_interval", text(repeat)),
        ])
    };
    let receiver = |name: &str| map([("name", text(name))]);
    // What is wrong is never held back by what cannot be told: critical alerts are no target.
    let lesser = r#"severity=~"warning|info""#;
    map([
        (
            "route",
            map([
                ("receiver", text("tickets")),
                ("group_by", texts(&["alertname", "job"])),
                ("group_wait", text("30s")),
                ("group_interval", text("5m")),
                ("repeat_interval", text("4h")),
                ("routes", Yaml::List(vec![to("critical", "pager", "1h"), to("info", "log", "24h")])),
            ]),
        ),
        (
            "inhibit_rules",
            Yaml::List(vec![
                inhibit(
                    &[r#"alertname="KlpTraceDown""#],
                    &[r#"alertname=~"KlpTrace.+""#, r#"alertname!="KlpTraceDown""#, lesser],
                ),
                inhibit(&[r#"alertname="KlpTraceBlind""#], &[r#"alertname="KlpTraceLookOverdue""#]),
                inhibit(&[r#"alertname="KlpTraceFileDiffers""#], &[r#"alertname="KlpTraceUnknown""#]),
                inhibit(&[r#"alertname="KlpTraceEventsLostOften""#], &[r#"alertname="KlpTraceEventsLost""#]),
            ]),
        ),
        ("receivers", Yaml::List(vec![receiver("pager"), receiver("tickets"), receiver("log")])),
    ])
}
