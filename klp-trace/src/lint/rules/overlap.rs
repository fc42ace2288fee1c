//! KLP015: two relocations that write the same bytes.

use super::{About, Rule, Said, malformed, say};
use crate::arch::Machine;
use crate::lint::facts::{Facts, Signs};
use crate::lint::finding::{Place, Report};
use crate::lint::kernel::{REBUILD, refused};

/// Bytes that two relocations write.
pub(super) struct Overlap;

/// Whether it can be told without sorting that no two write the same: each target is written by one section, in order.
fn apart(facts: &Facts) -> bool {
    let mut targets: Vec<u32> =
        facts.livepatch_sections().filter(|s| !s.entries.is_empty()).map(|s| s.info).collect();
    targets.sort_unstable();
    facts.written.is_empty()
        && targets.windows(2).all(|w| matches!(w, [a, b] if a != b))
        && facts.livepatch_sections().all(|s| !s.signs.has(Signs::OUT_OF_ORDER))
}

/// Bytes that one relocation writes.
struct Span {
    target: u32,
    offset: u64,
    end: u64,
    section: u32,
    index: u32,
    livepatch: bool,
}

impl Rule for Overlap {
    fn about(&self) -> About {
        malformed("overlapping-targets")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        // LoongArch computes one value with several relocations of one place: that is how its types are meant.
        if facts.machine == Machine::Loongarch64 || apart(facts) {
            return;
        }
        let mut spans = spans(facts);
        spans.sort_unstable_by_key(|s| (s.target, s.offset, s.end, s.section, s.index));
        // The one so far that reaches furthest: an overlap with any before is one with it.
        let mut furthest: Option<&Span> = None;
        let mut found: Vec<(&Span, &Span)> = Vec::new();
        for span in &spans {
            match furthest {
                Some(far) if far.target == span.target && far.end > span.offset => found.push((far, span)),
                _ => {}
            }
            if furthest.is_none_or(|far| far.target != span.target || span.end > far.end) {
                furthest = Some(span);
            }
        }
        for (one, other) in found.into_iter().filter(|(a, b)| a.livepatch || b.livepatch) {
            // The finding is about the livepatch's; of two, about the one that is written second.
            let (first, second) = if !other.livepatch || (one.livepatch && one.section > other.section) {
                (other, one)
            } else {
                (one, other)
            };
            if let Some(finding) = self.finding(facts, first, second) {
                report.findings.push(finding);
            }
        }
    }
}

impl Overlap {
    fn finding(&self, facts: &Facts, first: &Span, second: &Span) -> Option<crate::lint::Finding> {
        let section = facts.sections.iter().find(|s| s.index == second.section)?;
        let target = section.target.as_ref()?;
        let whose = match facts.sections.iter().find(|s| s.index == first.section) {
            Some(other) if other.index == section.index => {
                format!("relocation {} of the same section", first.index)
            }
            Some(other) => format!("relocation {} of {}", first.index, other.name),
            None => format!("relocation {} of ordinary section {}", first.index, first.section),
        };
        let kernel = if facts.machine == Machine::X86_64 {
            format!(
                "{} (\"existing value is nonzero\"): when it comes to the second, it finds what the first has written",
                refused(section, "-ENOEXEC")
            )
        } else {
            "writes one over the other, without a word: the code then has a mixture of both".to_owned()
        };
        Some(say(
            self.about(),
            Said {
                section: Some(Place { index: section.index, name: section.name.clone() }),
                relocations: vec![second.index],
                what: format!(
                    "bytes {:#x} to {:#x} of {} are written by {whose} too",
                    second.offset, second.end, target.name
                ),
                kernel,
                remedy: format!(
                    "one place has one relocation: take away the one that does not belong there (an ordinary one that \
                     was moved becomes NONE, or goes); {REBUILD}"
                ),
                ..Said::default()
            },
        ))
    }
}

fn spans(facts: &Facts) -> Vec<Span> {
    let ordinary = facts.written.iter().map(|s| Span {
        target: s.target,
        offset: s.offset,
        end: s.offset.saturating_add(s.size),
        section: s.section,
        index: s.index,
        livepatch: false,
    });
    let livepatch = facts.livepatch_sections().flat_map(|section| {
        section.entries.iter().map(move |entry| Span {
            target: section.info,
            offset: entry.offset,
            end: entry.offset.saturating_add(facts.size(&entry)),
            section: section.index,
            index: entry.index,
            livepatch: true,
        })
    });
    ordinary.chain(livepatch).filter(|span| span.end > span.offset).collect()
}
