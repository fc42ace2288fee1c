//! The packages made again, in another folder: the same bytes?

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};

use super::{Tree, pack};
use crate::testbed;

/// Makes everything again in a clone, in a folder whose name is longer, and compares. The clone is removed if all is the same.
pub fn compare(tree: &Tree) -> anyhow::Result<()> {
    ensure!(!tree.changed(), "commit first: a clone has only what is committed");
    let folder = tree.place().join("made-again-in-another-folder");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let clone = folder.join("klp-trace");
    let mut command = Command::new("git");
    command.args(["clone", "--quiet", "--no-hardlinks"]).arg(&tree.root).arg(&clone);
    testbed::run_output(&mut command, "clone the repository")?;
    super::tree::git(&clone, &["checkout", "--quiet", "--detach", &tree.commit])?;
    let again = Tree::at(clone)?;
    again.made(None)?;
    same(&tree.out(), &again.out())?;
    fs::remove_dir_all(&folder).context("cannot remove the clone")?;
    println!("made twice: every byte is the same");
    Ok(())
}

/// Whether two folders hold the same files.
fn same(one: &Path, other: &Path) -> anyhow::Result<()> {
    let (first, second) = (pack::sums(one)?, pack::sums(other)?);
    ensure!(!first.is_empty(), "{} is empty", one.display());
    if first != second {
        let differ: Vec<&str> = first
            .iter()
            .chain(&second)
            .filter(|line| !(first.contains(line) && second.contains(line)))
            .map(String::as_str)
            .collect();
        bail!(
            "not the same bytes:\n{}\nlook at them with diffoscope {} {}",
            differ.join("\n"),
            one.display(),
            other.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_that_differs_is_found() {
        let place = std::env::temp_dir().join(format!("klp-trace-twice-{}", std::process::id()));
        let (one, other) = (place.join("one"), place.join("other"));
        for folder in [&one, &other] {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join("a"), "1").unwrap();
        }
        assert!(same(&one, &other).is_ok());
        fs::write(other.join("a"), "2").unwrap();
        let error = same(&one, &other).unwrap_err().to_string();
        assert!(error.contains("  a\n") && error.contains("diffoscope"), "{error}");
        fs::remove_file(other.join("a")).unwrap();
        assert!(same(&one, &other).is_err());
        fs::remove_dir_all(&place).unwrap();
    }
}
