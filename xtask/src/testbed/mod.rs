//! The test bed: real Debian kernels booted in QEMU, with modules built for them.
//!
//! Everything it downloads or builds lives under [`cache_dir`]; nothing here touches the machine's own apt
//! configuration, loads a module or attaches a probe on the machine itself.
#![forbid(unsafe_code)]

mod apt;
mod boot;
mod console;
mod cpio;
pub mod debian;
mod disk;
mod fixtures;
pub mod host;
mod initramfs;
mod kernels;
mod lock;
mod mirror;
mod modules;
mod progress;
mod qemu;
mod releases;
mod root;
pub mod run;
mod series;
mod space;
mod tools;
mod verdict;

pub use boot::{Boot, GuestFile, Outcome, boot};
pub use fixtures::{fixtures, modules_of};
pub use kernels::kernel;
pub use lock::take as lock;
pub use progress::Steps;
pub use qemu::CPU;
pub use run::output as run_output;
pub use series::Series;
pub use space::check as check_space;
pub use tools::{Extent, tool, unpacked};
pub use verdict::Verdict;

use std::path::PathBuf;

/// A Debian kernel of one series, unpacked on this machine.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// The series it was resolved for.
    pub series: Series,
    /// `uname -r`, for example `6.1.0-50-cloud-amd64`.
    pub release: String,
    /// The bootable image (bzImage).
    pub image: PathBuf,
    /// `…/lib/modules/<release>` as the package ships it, with `modules.dep` made by depmod.
    pub modules: PathBuf,
    /// The headers' build folder, as a path inside the build root: `/usr/src/linux-headers-<release>`.
    pub headers: PathBuf,
}

/// Where downloads, the build root and built fixtures are kept: `<target>/testbed`, as an absolute path.
pub fn cache_dir() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    std::path::absolute(&target).unwrap_or(target).join("testbed")
}

/// The root of the checkout that this xtask was built from.
pub fn workspace() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}
