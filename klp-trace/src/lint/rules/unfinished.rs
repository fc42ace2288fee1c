//! KLP015: steps of the build that were not run.

use super::{About, Rule, Said, malformed, say};
use crate::lint::facts::{Facts, Step, Unfinished};
use crate::lint::finding::Report;
use crate::model::Severity;

/// What a step would have used up is still there.
pub(super) struct ConversionNotRun;

impl Rule for ConversionNotRun {
    fn about(&self) -> About {
        malformed("conversion-not-run")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        for unfinished in &facts.unfinished {
            let severity = match unfinished.step {
                Step::Conversion | Step::KlpConvert => self.about().severity,
                // The table alone does no harm, and kpatch-build's symbols look like any other before the step.
                Step::CreateKlpModule => Severity::Warning,
            };
            let said = said(unfinished);
            report.findings.push(say(About { severity, ..self.about() }, said));
        }
    }
}

fn said(unfinished: &Unfinished) -> Said {
    let Unfinished { step, left, count } = unfinished;
    let more = count.saturating_sub(left.len());
    let list = if more == 0 { left.join(", ") } else { format!("{} and {more} more", left.join(", ")) };
    let refused = "looks for an exported symbol of each undefined one's name and finds none: insmod fails with -ENOENT \
                   (\"Unknown symbol .klp.sym…\")";
    let (what, kernel, remedy) = match step {
        Step::Conversion => (
            format!(
                "symbols are named for livepatch and undefined, so the step that marks them was not run: {list}"
            ),
            refused,
            "run the last step of the build on the module: objtool klp post-link (klp-build), create-klp-module \
             (kpatch-build) or klp-convert; strip nothing and link nothing after it",
        ),
        Step::KlpConvert => (
            format!("what klp-convert takes in is still there, so it was not run: {list}"),
            refused,
            "run klp-convert on the module after modpost and the final link, with the symbols.klp of this kernel's build",
        ),
        Step::CreateKlpModule => (
            format!("sections that create-klp-module takes in and removes are still there: {list}"),
            "does not know these sections. If the step was not run, the patch's symbols are still ordinary ones: insmod \
             fails with -ENOENT (\"Unknown symbol\") unless all of them are exported",
            "let kpatch-build run to its end (create-klp-module); if the livepatch relocations are there, the file works",
        ),
    };
    Said { what, kernel: kernel.to_owned(), remedy: remedy.to_owned(), ..Said::default() }
}
