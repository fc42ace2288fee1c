//! The page of each finding: docs/findings, kept in the program, so that a host without network has them too.

use super::FindingId;

macro_rules! pages {
    ($($id:ident = $file:literal,)*) => {
        /// A finding's page: what it means, how it is known, how it looks, what to do. Markdown, for people to read.
        pub const fn page(id: FindingId) -> &'static str {
            match id { $(FindingId::$id => include_str!(concat!("../../bundled/findings/", $file)),)* }
        }
    };
}

pages! {
    Klp001 = "KLP001.md",
    Klp002 = "KLP002.md",
    Klp003 = "KLP003.md",
    Klp004 = "KLP004.md",
    Klp005 = "KLP005.md",
    Klp006 = "KLP006.md",
    Klp007 = "KLP007.md",
    Klp008 = "KLP008.md",
    Klp009 = "KLP009.md",
    Klp010 = "KLP010.md",
    Klp011 = "KLP011.md",
    Klp012 = "KLP012.md",
    Klp013 = "KLP013.md",
    Klp014 = "KLP014.md",
    Klp015 = "KLP015.md",
    Klp016 = "KLP016.md",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_its_findings_and_says_what_a_page_says() {
        let list = include_str!("../../../docs/findings/README.md");
        for id in FindingId::ALL {
            let text = page(*id);
            assert!(text.starts_with(&format!("# {id} {}\n", id.name())), "{id}");
            for part in [
                "\nSeverity: ",
                "\n## How klp-trace knows\n",
                "\n## To see it\n",
                "\n## What to do\n",
                "\n## What ends it\n",
                "\n## Kernels\n",
            ] {
                assert!(text.contains(part), "{id} has no {part:?}");
            }
            assert!(list.contains(&format!("[{id}]({id}.md) {} |", id.name())), "the list lacks {id}");
        }
    }
}
