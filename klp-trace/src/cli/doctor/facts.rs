//! What the host is like, gathered without judging.

use std::path::Path;

use super::attach::Attachment;
use super::unit::{self, Place};
use crate::kernel::btf::KernelBtf;
use crate::kernel::capabilities::{Capabilities, Capability, NEEDED};
use crate::kernel::host::Host;
use crate::kernel::kallsyms::{self, KallsymsError, Query, VMLINUX};
use crate::kernel::kmsg::Kmsg;
use crate::kernel::settings::Settings;
use crate::kernel::sysfs::Sysfs;
use crate::kernel::tasks::{self, Hindrance};
use crate::model::Hook;

/// The functions that are watched, and whether `watch` can do without.
pub(super) const HOOKS: [(Hook, Need); 10] = [
    (Hook::KlpModuleComing, Need::Mandatory),
    (Hook::KlpModuleGoing, Need::Mandatory),
    (Hook::ApplyRelocateAdd, Need::Mandatory),
    (Hook::ClearRelocateAdd, Need::Optional("this kernel does not clear relocations; nothing to watch")),
    (
        Hook::KlpCleanupModulePatchesLimited,
        Need::Optional("targets are read again a moment later, in klp_module_going"),
    ),
    (Hook::KlpInitTransition, Need::Optional("the start of transitions is not shown")),
    (Hook::KlpCompleteTransition, Need::Optional("the end of transitions is not shown")),
    (Hook::KlpForceTransition, Need::Optional("forced transitions are not shown")),
    (Hook::KlpWriteObjectRelocs, Need::Optional("not in kernels before 6.3; nothing is missed")),
    (Hook::KlpFreePatchWorkFn, Need::Optional("the end of disabled and replaced patches is not shown")),
];

/// Whether `watch` can do without a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// No.
    Mandatory,
    /// Yes; what is then not seen.
    Optional(&'static str),
}

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Privileges and settings: a moment.
    Settings,
    /// Also the kernel's types.
    Types,
}

/// Everything that the checks judge.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) release: String,
    pub(super) arch: String,
    pub(super) settings: Settings,
    /// /sys/kernel/livepatch is there.
    pub(super) livepatch: bool,
    /// The kernel has the function klp_enable_patch; `None` when its symbols cannot be listed.
    pub(super) livepatch_built: Option<bool>,
    /// The active livepatches; why they cannot be listed.
    pub(super) patches: Result<usize, String>,
    /// The capabilities that are needed, and whether the process has each; why that cannot be told.
    pub(super) capabilities: Vec<(Capability, Result<bool, String>)>,
    /// The process has `CAP_SYS_ADMIN`, which klp-trace needs on no current kernel as it comes from kernel.org.
    pub(super) sys_admin: bool,
    /// Whether the states of all tasks can be read, which tell who holds up a transition; why not.
    pub(super) tasks: Result<(), Hindrance>,
    /// Whether their kernel stacks can.
    pub(super) stacks: bool,
    pub(super) symbols: Symbols,
    /// Whether /dev/kmsg can be read; why not.
    pub(super) kernel_log: Result<(), String>,
    /// Which of the functions the kernel's BTF has; an error's text when there is no BTF.
    pub(super) functions: Result<Vec<&'static str>, String>,
    pub(super) attachment: Attachment,
    /// Whether the modules' files can be read; why not.
    pub(super) module_files: Result<(), String>,
    /// Where the process belongs.
    pub(super) place: Place,
}

/// Whether /proc/kallsyms shows addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Symbols {
    Shown,
    Hidden,
    Unreadable(String),
}

impl Facts {
    /// Looks at the running kernel; files are taken from under `root`.
    pub(super) fn gather(root: &Path, depth: Depth) -> Self {
        let host = Host::read(root);
        let sysfs = Sysfs::new(root);
        let effective = Capabilities::current().map_err(|error| error.to_string());
        let livepatch = sysfs.has_livepatch();
        let module_files = module_files(root, &host.release);
        Self {
            release: host.release,
            arch: host.arch,
            settings: Settings::read(root),
            livepatch,
            livepatch_built: if livepatch { Some(true) } else { livepatch_built(root) },
            patches: sysfs.patches().map(|patches| patches.len()).map_err(|error| error.to_string()),
            capabilities: NEEDED.map(|c| (c, effective.clone().map(|e| e.has(c)))).into(),
            sys_admin: effective.is_ok_and(|e| e.has(Capability::SysAdmin)),
            tasks: tasks::may_look(root),
            stacks: tasks::may_read_stacks(root),
            symbols: symbols(&root.join(KALLSYMS)),
            kernel_log: Kmsg::open(&root.join("dev/kmsg")).map(drop),
            functions: match depth {
                Depth::Settings => Err("not looked at".to_owned()),
                Depth::Types => functions(root),
            },
            attachment: Attachment::NotTried("--no-attach"),
            module_files,
            place: unit::place(root),
        }
    }

    /// Whether a distribution's kernel may refuse kprobes here: Debian's and Ubuntu's know values of perf_event_paranoid
    /// above kernel.org's 2, at which perf_event_open wants `CAP_SYS_ADMIN`. What cannot be read may be above.
    pub(super) fn kprobes_may_be_refused(&self) -> bool {
        !self.sys_admin && !matches!(self.settings.perf_event_paranoid, Ok(Some(..=2)))
    }

    /// Whether the kernel's BTF has the function; `None` without BTF.
    pub(super) fn has_function(&self, name: &str) -> Option<bool> {
        self.functions.as_ref().ok().map(|functions| functions.contains(&name))
    }
}

/// Where modprobe finds the modules' files (modules.dep(5)).
fn module_files(root: &Path, release: &str) -> Result<(), String> {
    let folder = root.join("lib/modules").join(release);
    let listed = std::fs::read_dir(&folder).map(drop);
    listed.map_err(|error| format!("cannot read /lib/modules/{release}: {error}"))
}

/// The helper that the programs walk sections with; a function of that name is in BTF from 5.17 on.
pub(super) const BPF_LOOP: &str = "bpf_loop";

const ENABLE: &str = "klp_enable_patch";

const KALLSYMS: &str = "proc/kallsyms";

fn symbols(path: &Path) -> Symbols {
    match kallsyms::check(path) {
        Ok(()) => Symbols::Shown,
        Err(KallsymsError::Hidden { .. }) => Symbols::Hidden,
        Err(error) => Symbols::Unreadable(error.to_string()),
    }
}

/// Whether the kernel has the function, by its symbol table.
fn livepatch_built(root: &Path) -> Option<bool> {
    let mut query = Query::new();
    query.want(VMLINUX, ENABLE);
    let found = query.read_file(&root.join(KALLSYMS)).ok()?;
    Some(!found.addresses(VMLINUX, ENABLE).is_empty())
}

fn functions(root: &Path) -> Result<Vec<&'static str>, String> {
    let path = root.join("sys/kernel/btf/vmlinux");
    if !path.exists() {
        return Err(format!("{} is not there", path.display()));
    }
    let btf = KernelBtf::running().map_err(|error| error.to_string())?;
    let wanted: Vec<_> = HOOKS.iter().map(|(hook, _)| hook.name()).chain([BPF_LOOP]).collect();
    Ok(btf.functions(&wanted).into_keys().collect())
}
