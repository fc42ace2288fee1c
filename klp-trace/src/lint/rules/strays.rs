//! KLP015: livepatch symbols outside livepatch sections.

use std::collections::BTreeMap;

use super::{About, Rule, Said, malformed, say};
use crate::lint::facts::Facts;
use crate::lint::finding::{Place, Report};
use crate::lint::kernel::REBUILD;

/// An ordinary relocation that refers to a livepatch symbol.
pub(super) struct Stray;

impl Rule for Stray {
    fn about(&self) -> About {
        malformed("livepatch-symbol-elsewhere")
    }

    fn check(&self, facts: &Facts, report: &mut Report) {
        let mut found: BTreeMap<(u32, &str, u32, &str), Vec<u32>> = BTreeMap::new();
        for stray in &facts.strays {
            let key = (stray.section, stray.name.as_str(), stray.symbol.0, stray.symbol.1.as_str());
            found.entry(key).or_default().push(stray.index);
        }
        for ((index, name, number, symbol), relocations) in found {
            report.findings.push(say(
                self.about(),
                Said {
                    section: Some(Place { index, name: name.to_owned() }),
                    relocations,
                    symbol: Some(symbol.to_owned()),
                    what: format!(
                        "an ordinary relocation refers to symbol {number} ({symbol}), which is livepatch's (SHN_LIVEPATCH)"
                    ),
                    kernel: "writes it once, when the patch is loaded, with 0 for the symbol's value, which nobody has \
                             looked up yet; nothing is said, and the code reads and calls addresses around 0"
                        .to_owned(),
                    remedy: format!("move the relocation to a .klp.rela.<object>.* section; {REBUILD}"),
                },
            ));
        }
    }
}
