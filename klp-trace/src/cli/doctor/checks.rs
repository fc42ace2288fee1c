//! From what was found to what it means: each precondition judged.

use super::facts::{BPF_LOOP, Facts, Symbols};
use super::hooks;
use super::report::Check;
use super::unit::{self, Place};
use crate::arch::{self, Arch, machine::CLEARING};
use crate::kernel::capabilities::Capability;
use crate::kernel::settings::Lockdown;
use crate::kernel::tasks::{Hindrance, STACK_RIGHTS};
use crate::model::Hook;

/// Every check, in the order in which a person would go through them.
pub(super) fn all(facts: &Facts) -> Vec<Check> {
    let mut checks = settings(facts);
    checks.extend([btf(facts), bpf_loop(facts)]);
    let mut hooks = hooks::all(facts);
    if facts.place == Place::Service {
        hooks.iter_mut().for_each(unit::name_settings);
    }
    checks.extend(hooks);
    checks.push(clearing(facts));
    checks
}

pub(super) const NO_LIVEPATCHING: &str = "not checked: no livepatching";

/// Whether the kernel was built with livepatching, by any sign of it.
pub(super) fn has_livepatching(facts: &Facts) -> bool {
    facts.livepatch
        || facts.livepatch_built == Some(true)
        || facts.has_function(Hook::KlpModuleComing.name()) == Some(true)
}

/// The checks of privileges and settings, which need no look at the kernel's types.
pub(super) fn settings(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![livepatch(facts), architecture(facts)];
    checks
        .extend(facts.capabilities.iter().map(|(capability, has)| self::capability(facts, *capability, has)));
    checks.extend([lockdown(facts), kptr_restrict(facts), kallsyms(facts), ftrace(facts), paranoid(facts)]);
    checks.extend([kernel_log(facts), tasks(facts), module_files(facts)]);
    if facts.place == Place::Service {
        checks.iter_mut().for_each(unit::name_settings);
    }
    checks
}

fn livepatch(facts: &Facts) -> Check {
    const ID: &str = "livepatch";
    const WHY: &str = "without livepatching there is nothing to watch";
    if facts.livepatch {
        let found = match &facts.patches {
            Ok(0) => "supported; no livepatch is active now".to_owned(),
            Ok(1) => "supported; 1 livepatch is active".to_owned(),
            Ok(n) => format!("supported; {n} livepatches are active"),
            Err(error) => {
                return Check::note(ID, format!("supported; which are active cannot be seen: {error}"), WHY);
            }
        };
        return Check::ok(ID, found, WHY);
    }
    if !facts.settings.sys_mounted {
        return Check::lack(ID, "/sys is not mounted", WHY, "mount -t sysfs sysfs /sys");
    }
    if has_livepatching(facts) {
        let found = "the kernel has livepatching, but no /sys/kernel/livepatch: it failed to start at boot";
        return Check::lack(ID, found, WHY, "look for 'livepatch' in the kernel's log of this boot (dmesg)");
    }
    let found = match facts.livepatch_built {
        Some(_) => "this kernel is built without CONFIG_LIVEPATCH",
        None => "there is no /sys/kernel/livepatch: this kernel seems to be built without CONFIG_LIVEPATCH",
    };
    Check::lack(ID, found, WHY, "boot a kernel with CONFIG_LIVEPATCH=y: grep LIVEPATCH /boot/config-*")
}

fn architecture(facts: &Facts) -> Check {
    const ID: &str = "architecture";
    const WHY: &str = "expected bytes are computed by the architecture's own relocation formulas";
    if Arch::from_uname(&facts.arch).is_some_and(Arch::is_live) {
        return Check::ok(ID, facts.arch.clone(), WHY);
    }
    let remedy =
        "run it on x86_64; a journal made there can be judged here too: klp-trace watch --from JOURNAL";
    Check::lack(ID, format!("{} is not supported", facts.arch), WHY, remedy)
}

fn btf(facts: &Facts) -> Check {
    const ID: &str = "btf";
    const WHY: &str = "says where this kernel keeps the fields that the programs read";
    match &facts.functions {
        Ok(_) => Check::ok(ID, "/sys/kernel/btf/vmlinux", WHY),
        Err(error) => Check::lack(ID, error.clone(), WHY, "boot a kernel with CONFIG_DEBUG_INFO_BTF=y"),
    }
}

fn capability(facts: &Facts, capability: Capability, has: &Result<bool, String>) -> Check {
    let id = capability.name().to_lowercase().replace('_', "-");
    let why = format!("{} is needed for {}", capability.name(), capability.purpose());
    match has {
        Ok(true) => return Check::ok(&id, "held", &why),
        Ok(false) => {}
        Err(error) => return Check::note(&id, format!("cannot be told: {error}"), &why),
    }
    let all: Vec<String> = facts.capabilities.iter().map(|(c, _)| c.name().to_lowercase()).collect();
    let remedy = format!("run as root, or: setcap {}=ep \"$(command -v klp-trace)\"", all.join(","));
    Check::lack(&id, format!("{} is missing", capability.name()), &why, remedy)
}

fn lockdown(facts: &Facts) -> Check {
    const ID: &str = "lockdown";
    const WHY: &str =
        "in confidentiality mode the kernel lets nobody read its memory, which is what klp-trace does";
    match &facts.settings.lockdown {
        Lockdown::Off => Check::ok(ID, "none", WHY),
        Lockdown::Integrity => Check::ok(ID, "integrity, which allows reading", WHY),
        Lockdown::Unknown => Check::ok(ID, "this kernel has no lockdown", WHY),
        Lockdown::NotShown(why) => Check::note(ID, format!("cannot be seen: {why}"), WHY)
            .with_remedy("mount -t securityfs securityfs /sys/kernel/security"),
        Lockdown::Confidentiality => Check::lack(
            ID,
            "confidentiality",
            WHY,
            "boot with lockdown=integrity (or without lockdown=confidentiality); it cannot be lowered at run time",
        ),
    }
}

fn kptr_restrict(facts: &Facts) -> Check {
    const ID: &str = "kptr-restrict";
    const WHY: &str =
        "at 2 the kernel hides symbol addresses from everyone, root too, and no value can be checked";
    match &facts.settings.kptr_restrict {
        Ok(Some(value)) if *value >= 2 => Check::lack(
            ID,
            format!("kernel.kptr_restrict is {value}"),
            WHY,
            "sysctl -w kernel.kptr_restrict=1",
        ),
        Ok(Some(value)) => Check::ok(ID, format!("kernel.kptr_restrict is {value}"), WHY),
        Ok(None) => {
            Check::note(ID, "there is no kernel.kptr_restrict; see kallsyms for what it decides", WHY)
        }
        Err(error) => Check::note(ID, format!("cannot be seen: {error}"), WHY).with_remedy(MOUNT_PROC),
    }
}

fn kallsyms(facts: &Facts) -> Check {
    const ID: &str = "kallsyms";
    const WHY: &str = "where a symbol really is, is the third witness beside memory and the patch's file";
    match &facts.symbols {
        Symbols::Shown => Check::ok(ID, "/proc/kallsyms shows addresses", WHY),
        Symbols::Hidden => {
            let remedy = match facts.settings.kptr_restrict {
                Ok(Some(2..)) => "sysctl -w kernel.kptr_restrict=1",
                _ => "give klp-trace CAP_SYSLOG; see cap-syslog",
            };
            Check::lack(ID, "/proc/kallsyms hides its addresses", WHY, remedy)
        }
        Symbols::Unreadable(error) => {
            Check::lack(ID, error.clone(), WHY, "mount /proc; boot a kernel with CONFIG_KALLSYMS_ALL=y")
        }
    }
}

fn ftrace(facts: &Facts) -> Check {
    const ID: &str = "ftrace-enabled";
    const WHY: &str = "at 0 neither fentry nor kprobe fires, and nothing says so";
    match &facts.settings.ftrace_enabled {
        Ok(Some(0)) => {
            Check::lack(ID, "kernel.ftrace_enabled is 0", WHY, "sysctl -w kernel.ftrace_enabled=1")
        }
        Ok(Some(value)) => Check::ok(ID, format!("kernel.ftrace_enabled is {value}"), WHY),
        Err(error) => Check::note(ID, format!("cannot be seen: {error}"), WHY).with_remedy(MOUNT_PROC),
        Ok(None) => Check::lack(
            ID,
            "there is no kernel.ftrace_enabled",
            WHY,
            "boot a kernel with CONFIG_FUNCTION_TRACER=y and CONFIG_DYNAMIC_FTRACE=y",
        ),
    }
}

fn paranoid(facts: &Facts) -> Check {
    const ID: &str = "perf-event-paranoid";
    const WHY: &str =
        "above 2 some distributions' kernels want CAP_SYS_ADMIN for kprobes; fentry does not need it";
    let found = match &facts.settings.perf_event_paranoid {
        Ok(Some(value)) => format!("kernel.perf_event_paranoid is {value}"),
        Ok(None) => "there is no kernel.perf_event_paranoid: no perf events, no kprobes".to_owned(),
        Err(error) => format!("cannot be seen: {error}"),
    };
    if matches!(facts.settings.perf_event_paranoid, Ok(Some(_))) && !facts.kprobes_may_be_refused() {
        Check::ok(ID, found, WHY)
    } else {
        Check::note(ID, found, WHY).with_remedy(format!("only for --attach kprobe: {LESS_PARANOID}"))
    }
}

fn kernel_log(facts: &Facts) -> Check {
    const ID: &str = "kernel-log";
    const WHY: &str =
        "what the kernel itself says of a refused load is shown under the findings; nothing rests on it";
    match &facts.kernel_log {
        Ok(()) => Check::ok(ID, "/dev/kmsg can be read", WHY),
        Err(error) => Check::note(ID, error.clone(), WHY)
            .with_remedy("give klp-trace CAP_SYSLOG, and a /dev/kmsg if this is a container without one"),
    }
}

/// The files are the witness for what a patch asks for.
fn module_files(facts: &Facts) -> Check {
    const ID: &str = "module-files";
    const WHY: &str = "a patch's own file says what its relocations should be; without it the kernel's own copy does, a weaker witness";
    match &facts.module_files {
        Ok(()) => Check::ok(ID, format!("/lib/modules/{} can be read", facts.release), WHY),
        Err(error) => Check::note(ID, error.clone(), WHY).with_remedy(
            "name the files with --ko FILE-OR-FOLDER; in a container, mount the host's /lib/modules",
        ),
    }
}

/// Who holds up a transition is found in /proc.
fn tasks(facts: &Facts) -> Check {
    const ID: &str = "tasks";
    const WHY: &str = "which tasks hold up a transition (KLP010) is told by the states of all of them";
    let found = match facts.tasks {
        Ok(()) if facts.stacks => {
            return Check::ok(ID, "the states and stacks of all tasks can be read", WHY);
        }
        Ok(()) => {
            let rights: Vec<&str> = STACK_RIGHTS.iter().map(|right| right.name()).collect();
            return Check::note(ID, "the states of all tasks can be read, their kernel stacks cannot", WHY)
                .with_remedy(format!(
                    "to see in which function a task sleeps, add {}",
                    rights.join(" and ")
                ));
        }
        Err(Hindrance::Denied) => "the states of other users' tasks cannot be read",
        Err(Hindrance::Hidden) => {
            "/proc hides tasks: it is mounted with hidepid, or belongs to another PID namespace"
        }
        Err(Hindrance::Namespace) => "this is a PID namespace of its own: /proc shows its own tasks alone",
        Err(Hindrance::NoProc) => "/proc cannot be listed",
    };
    let remedy = match facts.tasks.map_or_else(Hindrance::rights, |()| &[]) {
        [] if facts.tasks == Err(Hindrance::Namespace) => {
            "run klp-trace in the host's PID namespace: nsenter --target 1 --pid, or hostPID in Kubernetes"
                .to_owned()
        }
        [] => MOUNT_PROC.to_owned(),
        rights => {
            let names: Vec<&str> = rights.iter().map(|right| right.name()).collect();
            format!("run as root, or add {} to klp-trace's capabilities", names.join(" and "))
        }
    };
    Check::note(ID, found, WHY).with_remedy(remedy)
}

const MOUNT_PROC: &str = "mount -t proc proc /proc";

/// What lets kprobes in where [`Facts::kprobes_may_be_refused`].
pub(super) const LESS_PARANOID: &str = "sysctl -w kernel.perf_event_paranoid=2, or add CAP_SYS_ADMIN";

fn bpf_loop(facts: &Facts) -> Check {
    const ID: &str = "bpf-loop";
    const WHY: &str = "the programs walk a patch's relocations with the helper bpf_loop, new in Linux 5.17";
    match facts.has_function(BPF_LOOP) {
        Some(true) => Check::ok(ID, "the kernel has it", WHY),
        Some(false) => Check::lack(ID, "this kernel has no bpf_loop", WHY, "boot Linux 5.17 or newer"),
        None => Check::note(ID, "not checked: no kernel BTF", WHY),
    }
}

fn clearing(facts: &Facts) -> Check {
    const ID: &str = "clearing";
    if !has_livepatching(facts) {
        return Check::note(ID, NO_LIVEPATCHING, "it takes livepatching");
    }
    let refused = arch::writes_over_zero_alone(&facts.arch);
    match facts.has_function(Hook::ClearRelocateAdd.name()).map(|has| arch::clears(&facts.arch, has)) {
        Some(true) => {
            Check::ok(ID, "this kernel clears relocations", "targets are cleared when their object goes")
        }
        Some(false) if refused => Check::note(
            ID,
            format!("this kernel never clears relocations ({CLEARING})"),
            "after its object has gone every target is stale, and the next load of the object is refused",
        )
        .with_remedy("do not unload patched modules, or boot Linux 6.3 or newer"),
        None if refused => {
            Check::note(ID, "not checked: no kernel BTF", "decides whether targets become stale")
        }
        Some(false) | None => Check::note(
            ID,
            format!("kernels of {} never clear relocations ({CLEARING})", facts.arch),
            "after its object has gone every target is stale, until the next load of the object writes over it",
        ),
    }
}
