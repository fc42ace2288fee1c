//! The message catalog (systemd.io/CATALOG): what `journalctl -x` shows under a record. Made from the findings' pages.

use super::ids;
use crate::model::{FindingId, page};

/// Where people ask, and where the pages are.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// The file for /usr/lib/systemd/catalog.
pub fn text() -> String {
    let mut text =
        "# What `journalctl -x` shows under klp-trace's records. Made from docs/findings.\n".to_owned();
    for id in FindingId::ALL {
        let page = page(*id);
        let words = format!(
            "{}\n\nWhat to do:\n\n{}\n\nWhat ends it:\n\n{}\n\nklp-trace audit shows how it stands; klp-trace explain {id} has the \
             whole page.",
            beginning(page),
            section(page, "What to do"),
            section(page, "What ends it"),
        );
        let subject = format!("{id} {}", id.name());
        add(&mut text, ids::of(*id), &subject, &format!("docs/findings/{id}.md"), &words);
    }
    add(
        &mut text,
        ids::OVER,
        "A finding of livepatch relocations is over",
        "docs/findings/README.md",
        "@KLP_FINDING@ no longer holds; what ended it: @KLP_END@. The list in docs/findings/README.md says what\neach of these words means.",
    );
    add(
        &mut text,
        ids::HEAD,
        "A file of klp-trace's journal is closed",
        "docs/journal.md",
        "@KLP_JOURNAL_FILE@ will not change any more. KLP_HEAD is the last hash of its chain:\nkept away from this host, it shows later whether \
         the file is still what was written\n(klp-trace verify-journal --expect-hash).",
    );
    text
}

fn add(text: &mut String, id: u128, subject: &str, documentation: &str, words: &str) {
    let entry = format!(
        "\n-- {id:032x}\nSubject: {subject}\nDefined-By: klp-trace\nSupport: {REPOSITORY}/issues\n\
         Documentation: {REPOSITORY}/blob/main/{documentation}\n\n{words}\n"
    );
    *text += &entry;
}

/// What the finding is: all before a page's first section, its severity left out, which a record has of its own.
fn beginning(page: &str) -> String {
    let before = page.split("\n## ").next().unwrap_or_default();
    let paragraphs =
        before.split("\n\n").filter(|part| !part.starts_with('#') && !part.starts_with("Severity:"));
    plain(&paragraphs.collect::<Vec<_>>().join("\n\n"))
}

fn section(page: &str, title: &str) -> String {
    let text = page.split("\n## ").find_map(|part| part.strip_prefix(title)).unwrap_or_default();
    plain(text.trim())
}

/// A page's text as lines of a catalog. There a line that begins with `-- ` would start another entry, and one with `#` would be
/// left out; fences are for Markdown alone.
fn plain(text: &str) -> String {
    let lines = text.trim_end().lines().filter(|line| !line.starts_with("```"));
    let lines =
        lines.map(|line| if line.starts_with(['#', '-']) { format!(" {line}") } else { line.to_owned() });
    lines.collect::<Vec<_>>().join("\n")
}
