//! What one finding covers: relocations of one patch against one object, in however many sections.

use crate::journal::{Covered, Finding, RelocRef, SectionRef};
use std::sync::Arc;

/// Sections named in a sentence.
const NAMED: usize = 3;

/// Relocations, counted section by section.
#[derive(Debug, Clone, Default)]
pub(super) struct Gathered {
    sections: Vec<Covered>,
    /// The one that the finding names.
    pub first: Option<(SectionRef, Arc<RelocRef>)>,
}

impl Gathered {
    /// Counts those of a section; `first` is named if none is yet. A section that was counted before is counted anew.
    pub(super) fn add(&mut self, section: &SectionRef, relocations: u32, first: Option<&Arc<RelocRef>>) {
        if relocations == 0 {
            return;
        }
        match self.sections.iter_mut().find(|known| known.index == section.index) {
            Some(known) => known.relocations = relocations,
            None => {
                self.sections.push(Covered {
                    index: section.index,
                    name: Arc::clone(&section.name),
                    relocations,
                });
            }
        }
        if let (None, Some(first)) = (&self.first, first) {
            self.first = Some((section.clone(), Arc::clone(first)));
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.sections.iter().fold(0, |sum: u32, section| sum.saturating_add(section.relocations))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// Whether there are several sections.
    pub(super) fn is_spread(&self) -> bool {
        self.sections.len() > 1
    }

    /// `.klp.rela.tmod..text and .klp.rela.tmod..data`.
    pub(super) fn places(&self) -> String {
        let mut names: Vec<String> =
            self.sections.iter().take(NAMED).map(|section| section.name.to_string()).collect();
        if self.sections.len() > NAMED {
            names.push(format!("{} more", self.sections.len() - NAMED));
        }
        match names.pop() {
            Some(last) if !names.is_empty() => format!("{} and {last}", names.join(", ")),
            last => last.unwrap_or_default(),
        }
    }

    /// Puts into a finding which relocations it covers.
    pub(super) fn fill(self, mut finding: Finding) -> Finding {
        finding.relocations = self.count();
        let (section, first) = self.first.unzip();
        finding.section = section.or_else(|| {
            let only = self.sections.first()?;
            Some(SectionRef { index: only.index, name: Arc::clone(&only.name) })
        });
        finding.first = first;
        if self.sections.len() > 1 {
            finding.sections = self.sections;
        }
        finding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_counted_once_and_named_in_a_sentence() {
        let mut gathered = Gathered::default();
        let section = |index: u32| SectionRef { index, name: format!("s{index}").into() };
        gathered.add(&section(1), 0, None);
        assert!(gathered.is_empty());
        for (index, places) in
            [(1, "s1"), (2, "s1 and s2"), (3, "s1, s2 and s3"), (4, "s1, s2, s3 and 1 more")]
        {
            gathered.add(&section(index), 2, None);
            assert_eq!((gathered.count(), &*gathered.places()), (index * 2, places));
        }
        gathered.add(&section(4), 5, None);
        assert_eq!(gathered.count(), 11);
    }
}
