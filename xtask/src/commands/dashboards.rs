//! `cargo xtask dashboards`: writes rules and dashboards, or checks those that are committed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::dashboards::{self, Made};

mod tools;

/// Arguments of `cargo xtask dashboards`.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing: compare with what is committed, and have promtool and amtool check it
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.check { check() } else { write() }
}

fn write() -> anyhow::Result<()> {
    let folder = dashboards::folder();
    let made = dashboards::files()?;
    for file in leftover(&folder, &made)? {
        fs::remove_file(folder.join(&file)).with_context(|| format!("cannot remove {}", file.display()))?;
        println!("removed dashboards/{}", file.display());
    }
    for Made { path, text } in made {
        let file = folder.join(&path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        println!("wrote dashboards/{}", path.display());
    }
    Ok(())
}

/// What is committed is what the tables make, and Prometheus' and Alertmanager's own programs accept it.
pub fn check() -> anyhow::Result<()> {
    let folder = dashboards::folder();
    let wrong = differences(&folder, &dashboards::files()?)?;
    ensure!(
        wrong.is_empty(),
        "{}\n`cargo xtask dashboards` writes them anew; commit them with what you changed.",
        wrong.join("\n")
    );
    tools::check(&folder)
}

/// What is not as it is made.
fn differences(folder: &Path, made: &[Made]) -> anyhow::Result<Vec<String>> {
    let mut wrong = Vec::new();
    for Made { path, text } in made {
        let shown = path.display();
        match fs::read_to_string(folder.join(path)) {
            Err(error) => wrong.push(format!("dashboards/{shown} cannot be read: {error}")),
            Ok(there) if there == *text => {}
            Ok(there) => {
                let same = there.lines().zip(text.lines()).take_while(|(there, made)| there == made).count();
                wrong.push(format!(
                    "dashboards/{shown} is not what its table makes, from line {} on",
                    same + 1
                ));
            }
        }
    }
    for path in leftover(folder, made)? {
        wrong.push(format!("dashboards/{} is made from no table", path.display()));
    }
    Ok(wrong)
}

/// Files in the generated folders that nothing makes.
fn leftover(folder: &Path, made: &[Made]) -> anyhow::Result<Vec<PathBuf>> {
    let made: BTreeSet<&Path> = made.iter().map(|made| made.path.as_path()).collect();
    let mut found = Vec::new();
    for part in ["prometheus", "prometheus/tests", "grafana"] {
        let Ok(entries) = fs::read_dir(folder.join(part)) else { continue };
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list dashboards/{part}"))?;
            let path = Path::new(part).join(entry.file_name());
            if entry.path().is_file() && !made.contains(path.as_path()) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{differences, leftover};
    use crate::dashboards;

    #[test]
    fn what_is_committed_is_what_the_tables_make() {
        let made = dashboards::files().unwrap();
        assert_eq!(differences(&dashboards::folder(), &made).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_is_other_or_made_by_nobody_is_named() {
        let mut made = dashboards::files().unwrap();
        made[0].text.push('x');
        let last = made.pop().unwrap();
        let wrong = differences(&dashboards::folder(), &made).unwrap();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
        assert!(
            wrong[0].contains("is not what its table makes") && wrong[1].contains("is made from no table")
        );
        assert_eq!(leftover(&dashboards::folder(), &made).unwrap(), [last.path]);
    }
}
