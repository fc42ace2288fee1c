//! What late patching costs, for people.

use std::fmt::Write as _;

use crate::late_cost::{NotMeasured, Report};
use crate::output::style::{Style, Tone};

/// A report as lines. Names in it are escaped already.
pub fn render(report: &Report, style: Style) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(out, "late patching of {} ({})\n", report.patch, report.machine);
    let _ = writeln!(
        out,
        "  {:<16} {:>9} {:>11} {:>6} {:>6} {:>8}  symbols",
        "object", "functions", "relocations", "code", "data", "loaded"
    );
    for gate in &report.gates {
        let loaded = gate.loaded.map_or("unknown", |loaded| if loaded { "yes" } else { "no" });
        let symbols = &gate.symbols;
        let kinds = [
            (symbols.own_static, "static"),
            (symbols.own_global, "global"),
            (symbols.own_exported, "exported"),
            (symbols.third_module, "of a third module"),
            (symbols.unknown, "not known"),
        ];
        let kinds: Vec<String> =
            kinds.iter().filter(|(n, _)| *n > 0).map(|(n, kind)| format!("{n} {kind}")).collect();
        let _ = writeln!(
            out,
            "  {:<16} {:>9} {:>11} {:>6} {:>6} {loaded:>8}  {}",
            gate.object,
            gate.functions,
            gate.relocations,
            gate.in_code,
            gate.in_data,
            if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") }
        );
    }
    for criterion in &report.criteria {
        let _ = writeln!(out, "\n{}", criterion.name);
        lines(&mut out, "", &criterion.measured);
        missing(&mut out, &criterion.not_measured, style);
    }
    for alternative in &report.alternatives {
        let _ = writeln!(out, "\ninstead: {}", alternative.name);
        lines(&mut out, "contains: ", &alternative.contains);
        lines(&mut out, "blocks: ", &alternative.blocks);
        missing(&mut out, &alternative.not_measured, style);
    }
    out
}

fn lines(out: &mut String, lead: &str, texts: &[String]) {
    for text in texts {
        let _ = writeln!(out, "  {lead}{text}");
    }
}

fn missing(out: &mut String, missing: &[NotMeasured], style: Style) {
    for one in missing {
        let mark = style.paint(Tone::Unsure, "? cannot be measured here:");
        let _ = writeln!(out, "  {mark} {}: {}", one.what, one.why);
    }
}
