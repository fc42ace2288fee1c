//! What late patching costs, for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::late_cost::{Fact, NotMeasured, Report};
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
    let brief = report.gates.iter().all(|gate| gate.relocations == 0);
    if brief {
        let _ = writeln!(
            out,
            "\nno livepatch relocations: none is written late or cleared, and no symbol is looked up late (--json has every \
             criterion)"
        );
    }
    let mut body = Body { out, brief, said: BTreeSet::new(), style };
    for criterion in &report.criteria {
        let groups = [("", criterion.measured.as_slice())];
        body.part(criterion.name, &groups, &criterion.not_measured);
    }
    for alternative in &report.alternatives {
        let groups = [("contains: ", &*alternative.contains), ("blocks: ", &*alternative.blocks)];
        body.part(&format!("instead: {}", alternative.name), &groups, &alternative.not_measured);
    }
    body.out
}

/// What stands below the table.
struct Body<'r> {
    out: String,
    /// Leave out that there is none of something.
    brief: bool,
    /// Reasons that were given already.
    said: BTreeSet<&'r str>,
    style: Style,
}

impl<'r> Body<'r> {
    fn part(&mut self, title: &str, groups: &[(&str, &[Fact])], missing: &'r [NotMeasured]) {
        let shown = |fact: &&Fact| !(self.brief && fact.none);
        let facts: Vec<String> = groups
            .iter()
            .flat_map(|(lead, facts)| {
                facts.iter().filter(shown).map(move |fact| format!("  {lead}{}", fact.text))
            })
            .collect();
        if facts.is_empty() && missing.is_empty() {
            return;
        }
        let _ = writeln!(self.out, "\n{title}");
        for fact in facts {
            let _ = writeln!(self.out, "{fact}");
        }
        let mark = self.style.paint(Tone::Unsure, "? cannot be measured here:");
        for one in missing {
            let why = if self.said.insert(&one.why) { one.why.as_str() } else { "see above" };
            let _ = writeln!(self.out, "  {mark} {}: {why}", one.what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::late_cost::{Alternative, Criterion, Gate, Symbols};

    fn report(relocations: usize) -> Report {
        let not = |what: &str| NotMeasured { what: what.to_owned(), why: "no /proc/modules".to_owned() };
        let fact = |text: &str, none| Fact { text: text.to_owned(), none };
        Report {
            schema: crate::late_cost::SCHEMA,
            patch: "lp".to_owned(),
            machine: "x86_64",
            gates: vec![Gate {
                object: "modf".to_owned(),
                functions: 1,
                relocations,
                in_code: relocations,
                in_data: 0,
                special_sections: Vec::new(),
                symbols: Symbols::default(),
                loaded: None,
                file_bytes: None,
            }],
            criteria: vec![
                Criterion {
                    name: "risks",
                    measured: vec![fact("findings: 0", true), fact("objects: modf", false)],
                    not_measured: vec![not("which are loaded")],
                },
                Criterion {
                    name: "hardening",
                    measured: vec![fact("symbols: 0", true)],
                    not_measured: vec![],
                },
            ],
            alternatives: vec![Alternative {
                name: "others",
                contains: vec![fact("1 module", false)],
                blocks: vec![fact("mixed: none", true)],
                not_measured: vec![not("which cannot be replaced")],
            }],
        }
    }

    #[test]
    fn without_relocations_what_is_none_is_said_once_and_a_reason_always_is() {
        let brief = render(&report(0), Style::PLAIN);
        assert!(brief.contains("no livepatch relocations: none is written late"), "{brief}");
        assert!(!brief.contains("findings: 0") && !brief.contains("mixed: none"), "{brief}");
        assert!(brief.contains("  objects: modf\n") && brief.contains("  contains: 1 module\n"), "{brief}");
        assert!(!brief.contains("hardening"), "no heading over nothing: {brief}");
        let whole = render(&report(2), Style::PLAIN);
        assert!(whole.contains("findings: 0") && whole.contains("mixed: none"), "{whole}");
        for text in [brief, whole] {
            assert_eq!(text.matches("no /proc/modules").count(), 1, "{text}");
            assert!(text.contains("which cannot be replaced: see above"), "{text}");
        }
    }
}
