//! `cargo xtask fixtures`: the fixture modules, built for a kernel.

use crate::testbed::{self, Series};

/// Arguments of `cargo xtask fixtures`.
#[derive(clap::Args)]
pub struct Args {
    /// Kernel series: 6.1, 6.12 or 7; all of them when none is given
    #[arg(long, value_name = "SERIES")]
    kernel: Option<Series>,
}

/// Builds what is not built yet and prints where it is.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let wanted = args.kernel.map_or_else(|| Series::all().to_vec(), |series| vec![series]);
    for series in wanted {
        let kernel = testbed::kernel(series, false)?;
        let folder = testbed::fixtures(&kernel)?;
        println!("{}: {}", kernel.release, folder.display());
    }
    Ok(())
}
