//! Which functions this kernel has and can be traced by: those with a type in its BTF.

use libbpf_rs::btf::{Btf, types::Func};
use thiserror::Error;

/// Where the kernel shows its own BTF, to everybody.
pub const VMLINUX_BTF: &str = "sys/kernel/btf/vmlinux";

/// The kernel's BTF cannot be read.
#[derive(Debug, Error)]
#[error("cannot read the kernel's BTF: {0}")]
pub struct FunctionsError(#[from] libbpf_rs::Error);

/// The functions of the running kernel.
#[derive(Debug)]
pub struct Functions(Btf<'static>);

impl Functions {
    /// Reads the running kernel's BTF.
    pub fn of_running_kernel() -> Result<Self, FunctionsError> {
        // libbpf would tell standard error in its own words what is told here in ours.
        libbpf_rs::set_print(None);
        Ok(Self(Btf::from_vmlinux()?))
    }

    /// Whether the kernel has such a function, and fentry can find it.
    pub fn has(&self, name: &str) -> bool {
        self.0.type_by_name::<Func<'_>>(name).is_some()
    }
}
