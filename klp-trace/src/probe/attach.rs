//! Loading and attaching.

use aya::{
    Ebpf, EbpfLoader, VerifierLogLevel, include_bytes_aligned, maps::RingBuf, programs::RawTracePoint,
};
use aya_log::EbpfLogger;
use klp_trace_ebpf::Hook;

use super::{
    Attach, HookStatus, Options, ProbeError, Probes, demand, functions,
    hooks::{self, COMINGS, SPECS, Spec, find},
    layout::Layout,
    loss::Ledger,
    refusal::Refusal,
    ring::Ring,
};
use crate::arch::Arch;
use crate::kernel::btf::KernelBtf;

/// Made by `cargo xtask ebpf build`, checked by `cargo xtask ebpf check`.
static OBJECT: &[u8] = include_bytes_aligned!("../../bundled/klp-trace.bpf.o");

/// The eBPF programs as they are loaded: an ELF object.
pub fn embedded() -> &'static [u8] {
    OBJECT
}

/// aya-log: a level that no message has.
const LOG_OFF: u8 = 0;
/// aya-log: every message.
const LOG_ALL: u8 = 5;

impl Probes {
    /// Loads the programs and attaches every hook that the kernel has. Nothing is pinned: all of it ends with the value,
    /// or with the process.
    pub fn attach(options: &Options) -> Result<Self, ProbeError> {
        let page = rustix::param::page_size();
        if !options.ring_bytes.is_power_of_two()
            || (options.ring_bytes as usize) < page
            || options.ring_bytes > 1 << 31
        {
            return Err(ProbeError::RingSize { bytes: options.ring_bytes, page });
        }
        let how = usable(Arch::native(), options.attach)?;
        // Each of the three that follow fills some megabytes: the memory of one serves the next.
        let mut first = Some(loader());
        let types = KernelBtf::running()?;
        let layout = Layout::of(&types, options.variables)?;
        let functions = types.functions(&SPECS.map(|spec| spec.hook.name()));
        drop(types);
        let ids = match how {
            Attach::Kprobe => None,
            Attach::Auto | Attach::Fentry => Some(functions::btf(&functions)),
        };

        // The programs are told beforehand whether cleanup is hooked. Where it has a name and cannot be hooked all the
        // same, they are loaded once more.
        let mut cleanup = functions.contains_key(Hook::Cleanup.name());
        let mut refusal = None;
        loop {
            let mut bpf = load(first.take().unwrap_or_else(loader), options, &layout, cleanup)?;
            let mut statuses: Vec<HookStatus> = Vec::new();
            for spec in SPECS {
                let absent = spec.is_function() && !functions.contains_key(spec.hook.name());
                let status = if spec.hook == Hook::Cleanup && !cleanup {
                    spec.missing(refusal.clone().unwrap_or_else(absence), Refusal::Other)
                } else if absent && spec.may_be_absent() {
                    spec.missing(absence(), Refusal::Other)
                } else {
                    spec.attach(&mut bpf, ids.as_ref(), how)
                };
                statuses.push(status);
                if statuses
                    .last()
                    .is_some_and(|s| s.hook == Hook::Cleanup && cleanup && s.mechanism.is_none())
                {
                    break;
                }
            }
            if let Some(first) = statuses.first()
                && cleanup
                && first.mechanism.is_none()
            {
                refusal.clone_from(&first.reason);
                cleanup = false;
                continue;
            }
            return Self::finish(bpf, statuses, options, clears(functions.contains_key(Hook::Clear.name())));
        }
    }

    /// Loads the programs that read on demand, and watches modules come and go, no more: what an audit needs, at a fraction
    /// of the cost of [`Probes::attach`]. By kprobe alone, which needs no ids of functions. What cannot be hooked is told
    /// with the reason.
    pub fn reading_on_demand(options: &Options) -> Result<Self, ProbeError> {
        let loader = loader();
        let types = KernelBtf::running()?;
        let layout = Layout::of(&types, options.variables)?;
        let clears = clears(types.has_function(Hook::Clear.name()));
        let mut bpf = load(loader, options, &layout, false)?;
        let without_kprobe = usable(Arch::native(), Attach::Kprobe).err().map(|error| error.to_string());
        let attach = |spec: &Spec| match &without_kprobe {
            Some(why) if spec.is_function() => spec.missing(why.clone(), Refusal::Other),
            _ => spec.attach(&mut bpf, None, Attach::Kprobe),
        };
        let statuses = COMINGS.iter().map(attach).collect();
        Self::reading(bpf, statuses, options, clears)
    }

    fn finish(
        bpf: Ebpf,
        statuses: Vec<HookStatus>,
        options: &Options,
        clears: bool,
    ) -> Result<Self, ProbeError> {
        let gap = statuses
            .iter()
            .find(|s| s.mandatory && s.mechanism.is_none() && (s.hook != Hook::Clear || clears));
        if let Some(gap) = gap {
            return Err(refused(gap));
        }
        Self::reading(bpf, statuses, options, clears)
    }

    fn reading(
        mut bpf: Ebpf,
        statuses: Vec<HookStatus>,
        options: &Options,
        clears: bool,
    ) -> Result<Self, ProbeError> {
        for name in demand::PROGRAMS {
            let program: &mut RawTracePoint = find(&mut bpf, name).map_err(|e| object(&e))?;
            program.load().map_err(|e| {
                permission("load the reading programs", Refusal::of(&e) != Refusal::Other, hooks::reason(&e))
            })?;
        }
        let map = bpf.take_map("EVENTS").ok_or_else(|| ProbeError::Object("no map EVENTS".to_owned()))?;
        let ring = RingBuf::try_from(map).map_err(|e| ProbeError::Object(e.to_string()))?;
        let logger = if options.bpf_log {
            Some(EbpfLogger::init(&mut bpf).map_err(|e| ProbeError::Object(e.to_string()))?)
        } else {
            None
        };
        let ring = Ring::new(ring);
        Ok(Self { bpf, ring, statuses, clears, ledger: Ledger::default(), lost: 0, questions: 0, logger })
    }
}

/// Whether this kernel clears relocations; `has_function`: it has what would.
fn clears(has_function: bool) -> bool {
    Arch::native().is_some_and(|arch| arch.clears(has_function))
}

/// How functions can be hooked on an architecture, of what was asked for: where a kprobe's registers are not those that the
/// programs read, it would attach, and report rubbish.
fn usable(arch: Option<Arch>, asked: Attach) -> Result<Attach, ProbeError> {
    match asked {
        _ if arch.is_some_and(Arch::has_kprobes) => Ok(asked),
        Attach::Auto | Attach::Fentry => Ok(Attach::Fentry),
        Attach::Kprobe => {
            Err(ProbeError::KprobeRegisters { machine: arch.map_or(std::env::consts::ARCH, Arch::name) })
        }
    }
}

fn absence() -> String {
    "this kernel has no such function, or has it inlined".to_owned()
}

/// One that relocates nothing against the kernel's BTF, since nothing in the object asks for it. That it is parsed all the
/// same, for nothing, is aya's way (0.14).
fn loader() -> EbpfLoader<'static> {
    let mut loader = EbpfLoader::new();
    loader.btf(None);
    loader
}

fn load(
    loader: EbpfLoader<'static>,
    options: &Options,
    layout: &Layout,
    cleanup: bool,
) -> Result<Ebpf, ProbeError> {
    let hooked = u32::from(cleanup);
    let level = if options.bpf_log { LOG_ALL } else { LOG_OFF };
    let mut loader: EbpfLoader<'_> = loader;
    for (name, offset) in &layout.offsets {
        loader.override_global(name, offset, true);
    }
    for (name, word) in &layout.words {
        loader.override_global(name, word, true);
    }
    loader
        .override_global("CLEANUP_HOOKED", &hooked, true)
        .override_global("AYA_LOG_LEVEL", &level, true)
        .map_max_entries("EVENTS", options.ring_bytes)
        .map_max_entries("SECTIONS", options.max_sections)
        .verifier_log_level(VerifierLogLevel::STATS)
        .load(OBJECT)
        .map_err(|e| permission("create BPF maps", Refusal::denied(&e), chain(&e)))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(e) = source {
        let more = e.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = e.source();
    }
    text
}

fn object(error: &aya::programs::ProgramError) -> ProbeError {
    ProbeError::Object(hooks::reason(error))
}

/// EPERM and EACCES are the host's doing, everything else the object's.
fn permission(what: &str, denied: bool, reason: String) -> ProbeError {
    if denied {
        ProbeError::NotPermitted { what: what.to_owned(), reason }
    } else {
        ProbeError::Object(reason)
    }
}

fn refused(status: &HookStatus) -> ProbeError {
    let reason = status.reason.clone().unwrap_or_default();
    match status.refusal {
        Refusal::PerfEvent => ProbeError::PerfParanoid { hook: status.name, reason },
        Refusal::Denied => ProbeError::NotPermitted { what: format!("hook {}", status.name), reason },
        Refusal::Other => ProbeError::Hook { hook: status.name, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kprobes_are_refused_where_their_registers_are_not_x86s() {
        for asked in [Attach::Auto, Attach::Fentry, Attach::Kprobe] {
            assert!(usable(Some(Arch::X86_64), asked).is_ok_and(|how| how == asked));
        }
        for arch in
            [Some(Arch::Ppc64le), Some(Arch::S390x), Some(Arch::Aarch64), Some(Arch::Loongarch64), None]
        {
            for asked in [Attach::Auto, Attach::Fentry] {
                assert!(usable(arch, asked).is_ok_and(|how| how == Attach::Fentry), "never by way of kprobe");
            }
            let refusal = usable(arch, Attach::Kprobe).unwrap_err().to_string();
            assert!(refusal.contains("use --attach fentry"), "{refusal}");
        }
        let refusal = usable(Some(Arch::S390x), Attach::Kprobe).unwrap_err().to_string();
        assert!(refusal.contains("kprobes on s390x"), "{refusal}");
    }
}
