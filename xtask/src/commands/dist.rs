//! `cargo xtask dist`: the packages, and what checks them.

use std::path::PathBuf;

use crate::dist::{self, Tree};

/// Arguments of `cargo xtask dist`.
#[derive(clap::Args)]
pub struct Args {
    /// Check the packages too: lintian, rpmlint, the unit, the manual pages, installed and purged in Debian 12 and 13
    #[arg(long)]
    check: bool,
    /// Make everything a second time in another folder, and compare byte for byte; nothing may be uncommitted
    #[arg(long)]
    twice: bool,
    /// Pack this program in place of building one, to try the rest of the packages
    #[arg(long, value_name = "FILE", conflicts_with = "twice")]
    program: Option<PathBuf>,
    /// Make nothing
    #[arg(long, value_name = "WHAT", conflicts_with_all = ["check", "twice", "program"])]
    only: Option<Only>,
}

/// What is done without making packages.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Only {
    /// Check the packages that are there
    Check,
    /// Check the examples: Kubernetes' manifests, the Ansible role
    Examples,
}

/// Makes the packages in `target/dist/out`; then checks them, or makes them again.
pub fn run(args: &Args) -> anyhow::Result<()> {
    match args.only {
        Some(Only::Examples) => return dist::check::examples(),
        Some(Only::Check) => return dist::check::all(&Tree::made_of()?),
        None => {}
    }
    let tree = Tree::this()?;
    tree.made(args.program.as_deref())?;
    if args.check {
        dist::check::all(&tree)?;
    }
    if args.twice {
        dist::twice::compare(&tree)?;
    }
    Ok(())
}
