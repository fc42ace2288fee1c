//! `cargo xtask setup`: everything the tests and the demonstration need, with progress.

use crate::scenario::prepare::install;
use crate::testbed::{self, Kernel, Series, Steps};

/// Arguments of `cargo xtask setup`.
#[derive(clap::Args)]
pub struct Args {
    /// Kernel series: 6.1, 6.12 or 7; may be given more than once; all of them when none is given
    #[arg(long, value_name = "SERIES")]
    kernel: Vec<Series>,
    /// Resolve the newest kernel of each series anew
    #[arg(long)]
    refresh: bool,
}

/// Installs, downloads and builds what is not there yet; a second run finds everything done.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let wanted = if args.kernel.is_empty() { Series::all().to_vec() } else { args.kernel.clone() };
    testbed::check_space()?;
    let mut steps = Steps::new(1 + 2 * wanted.len());
    steps.step("tools and libraries of this machine", install)?;
    let mut kernels: Vec<Kernel> = Vec::new();
    for series in &wanted {
        kernels.push(steps.step(&format!("the newest Debian kernel {series}"), || {
            testbed::kernel(*series, args.refresh)
        })?);
    }
    for kernel in &kernels {
        let folder =
            steps.step(&format!("fixture modules for {}", kernel.release), || testbed::fixtures(kernel))?;
        println!("{}: {}", kernel.release, folder.display());
    }
    Ok(())
}
