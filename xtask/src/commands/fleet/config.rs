//! What is committed, with shorter times: a minute becomes seconds.

use std::fmt::Write as _;

use anyhow::ensure;

/// Each `"5m"` and `[1d]` of a file, with so many seconds for a minute.
pub fn scaled(text: &str, minute: u32) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '[']) {
        let (before, after) = rest.split_at(at + 1);
        out.push_str(before);
        rest = after;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, unit) = rest.split_at(digits);
        let minutes = match unit.as_bytes() {
            [b'm', b'"' | b']', ..] => 1,
            [b'h', b'"' | b']', ..] => 60,
            [b'd', b'"' | b']', ..] => 24 * 60,
            _ => continue,
        };
        if let Ok(number) = number.parse::<u32>() {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}s", number * minutes * minute);
            rest = unit.get(1..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

/// Alertmanager's example, which tells everything to `/notify` at this port and nothing twice.
pub fn alertmanager(example: &str, port: u16, wait: u32) -> anyhow::Result<String> {
    let mut text = example.to_owned();
    for name in ["pager", "tickets", "log"] {
        let entry = format!("  - name: {name}\n");
        ensure!(text.contains(&entry), "the example has no receiver {name}");
        let told = format!(
            "{entry}    webhook_configs:\n      - url: http://127.0.0.1:{port}/notify\n        send_resolved: true\n"
        );
        text = text.replace(&entry, &told);
    }
    ensure!(text.contains("group_wait: \"30s\""), "the example has no group_wait of 30 s");
    Ok(text.replace("group_wait: \"30s\"", &format!("group_wait: \"{wait}s\"")))
}

/// Prometheus: the hosts as targets of a file, the rules, Alertmanager.
pub fn prometheus(minute: u32, alertmanager: u16) -> String {
    format!(
        "global:\n  scrape_interval: {minute}s\n  scrape_timeout: {minute}s\n  evaluation_interval: {minute}s\n\
         rule_files: [rules.yml]\n\
         alerting:\n  alertmanagers:\n    - static_configs:\n        - targets: [\"127.0.0.1:{alertmanager}\"]\n\
         scrape_configs:\n  - job_name: klp-trace\n    file_sd_configs:\n      - files: [hosts.json]\n        refresh_interval: {minute}s\n  \
         - job_name: node\n    file_sd_configs:\n      - files: [nodes.json]\n"
    )
}

#[cfg(test)]
mod tests {
    use super::scaled;

    #[test]
    fn minutes_hours_and_days_become_seconds_and_nothing_else_does() {
        let text = "for: \"10m\"\nx: 'a[15m] b[1d] c[5]'\n\"6h\" \"30s\" \"5 m\" {d=\"12m_\"} \"m\"";
        let expected = "for: \"20s\"\nx: 'a[30s] b[2880s] c[5]'\n\"720s\" \"30s\" \"5 m\" {d=\"12m_\"} \"m\"";
        assert_eq!(scaled(text, 2), expected);
        assert_eq!(scaled("no times", 2), "no times");
    }
}
