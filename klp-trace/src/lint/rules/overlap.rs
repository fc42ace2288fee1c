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
        let kernel = if facts.machine.writes_over_zero_alone() {
            format!(
                "{} (\"existing value is nonzero\"): when it comes to the second, it finds what the first has written",
                refused(section, "-ENOEXEC")
            )
        } else {
            "silently writes one over the other: the code then has a mixture of both".to_owned()
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::elf::module::Module;
    use crate::elf::testing::{self, KLP_TEXT, SYMTAB, TEXT};
    use crate::lint::Listed;

    /// The relocations of each section that write what another has written; of livepatch sections that write `.text` at
    /// these offsets, four bytes each.
    fn overlaps(sections: &[&[u64]]) -> Vec<(u32, Vec<u32>)> {
        let mut made = testing::sections();
        made.truncate(KLP_TEXT as usize - 1);
        for (number, offsets) in sections.iter().enumerate() {
            let entries = offsets.iter().map(|offset| testing::rela(*offset, 2, 11, 0)).collect::<Vec<_>>();
            made.push(testing::Made {
                link: SYMTAB,
                info: TEXT,
                entsize: 24,
                ..testing::section(&format!(".klp.rela.m{number}.text"), 4, 0x0010_0042, entries.concat())
            });
        }
        let file = testing::build(made);
        let module = Module::parse(&file, Path::new("lp.ko"), false).unwrap();
        let mut report = Report::default();
        Overlap.check(&Facts::of(&module, Listed::default()).unwrap(), &mut report);
        let place = |f: &crate::lint::Finding| f.section.as_ref().map_or(0, |s| s.index - KLP_TEXT);
        report.findings.iter().map(|f| (place(f), f.relocations.clone())).collect()
    }

    #[test]
    fn what_is_apart_is_told_at_a_glance_and_the_rest_is_looked_at() {
        assert_eq!(overlaps(&[&[0, 4, 8]]), []);
        assert_eq!(overlaps(&[&[8, 4, 0]]), [], "out of order is no overlap");
        assert_eq!(overlaps(&[&[0, 4, 7]]), [(0, vec![2])]);
        assert_eq!(overlaps(&[&[8, 4, 6]]), [(0, vec![2]), (0, vec![0])]);
        assert_eq!(overlaps(&[&[0, 8], &[4, 12]]), []);
        assert_eq!(overlaps(&[&[0, 8], &[4, 10]]), [(1, vec![1])], "each in order, but not both");
    }
}
