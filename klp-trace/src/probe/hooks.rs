//! Which programs hook what, and how each is attached.

use aya::{
    Btf, Ebpf,
    programs::{FEntry, FExit, KProbe, ProgramError, RawTracePoint},
};
use klp_trace_ebpf::Hook;

use super::{Attach, HookStatus, Mechanism, refusal::Refusal};

/// A hooked place and its programs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spec {
    pub hook: Hook,
    /// Without it relocations go unseen
    pub mandatory: bool,
    kind: Kind,
    /// What its programs' names begin with
    program: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tracepoint,
    /// Entry and exit
    Call,
    Entry,
}

const fn spec(hook: Hook, mandatory: bool, kind: Kind, program: &'static str) -> Spec {
    Spec { hook, mandatory, kind, program }
}

/// Every hook, in the order of attachment: cleanup first, since the others' programs are told whether it is there; the
/// tracepoints last, so that a load whose coming was too early to be seen is not taken for one that was hidden.
pub(super) const SPECS: [Spec; 12] = [
    spec(Hook::Cleanup, false, Kind::Call, "cleanup"),
    spec(Hook::Coming, true, Kind::Call, "coming"),
    spec(Hook::Going, true, Kind::Call, "going"),
    spec(Hook::Apply, true, Kind::Call, "apply"),
    spec(Hook::Clear, true, Kind::Call, "clear"),
    spec(Hook::InitTransition, false, Kind::Entry, "init_transition"),
    spec(Hook::CompleteTransition, false, Kind::Entry, "complete_transition"),
    spec(Hook::ForceTransition, false, Kind::Entry, "force_transition"),
    spec(Hook::WriteObjectRelocs, false, Kind::Entry, "write_object_relocs"),
    spec(Hook::FreePatch, false, Kind::Entry, "free_patch"),
    spec(Hook::ModuleLoad, true, Kind::Tracepoint, "module_load"),
    spec(Hook::ModuleFree, true, Kind::Tracepoint, "module_free"),
];

/// What shows that an object came, or came and went, between two looks that both found it absent: its coming, and should
/// the kernel's functions be hidden (ftrace), its memory freed. An object that was loaded at both looks, and is the same
/// load, cannot have been written meanwhile.
pub(super) const COMINGS: [Spec; 2] = [
    spec(Hook::Coming, true, Kind::Entry, "coming"),
    spec(Hook::ModuleFree, true, Kind::Tracepoint, "module_free"),
];

impl Spec {
    /// Whether a kernel without the function is as good as one with it: clear came with 6.3.
    pub fn may_be_absent(self) -> bool {
        !self.mandatory || self.hook == Hook::Clear
    }

    /// Whether BTF can tell if it is there.
    pub fn is_function(self) -> bool {
        self.kind != Kind::Tracepoint
    }

    /// Attaches it, the exit before the entry: an exit without its entry is harmless. Fentry needs the functions' ids.
    pub fn attach(self, bpf: &mut Ebpf, btf: Option<&Btf>, how: Attach) -> HookStatus {
        let (mut reasons, mut refusal) = (Vec::new(), Refusal::Other);
        for mechanism in self.mechanisms(how) {
            let attached = match (mechanism, btf) {
                (Mechanism::Tracepoint, _) => self.attach_tracepoint(bpf),
                (Mechanism::Fentry, Some(btf)) => self.attach_fentry(bpf, btf),
                (Mechanism::Fentry, None) => continue,
                (Mechanism::Kprobe, _) => self.attach_kprobe(bpf),
            };
            match attached {
                Ok(programs) => return self.attached(bpf, mechanism, programs),
                Err(e) => {
                    refusal = refusal.max(Refusal::of(&e));
                    reasons.push(format!("{}: {}", mechanism.name(), reason(&e)));
                }
            }
        }
        self.missing(reasons.join("; "), refusal)
    }

    /// The status of a hook that is not attached.
    pub fn missing(self, reason: String, refusal: Refusal) -> HookStatus {
        HookStatus {
            hook: self.hook,
            name: self.hook.name(),
            mandatory: self.mandatory,
            mechanism: None,
            reason: Some(reason),
            refusal,
            verified_insns: None,
            programs: Vec::new(),
        }
    }

    fn attached(self, bpf: &Ebpf, mechanism: Mechanism, programs: Vec<String>) -> HookStatus {
        let verified = |name: &String| bpf.program(name)?.info().ok()?.verified_instruction_count();
        HookStatus {
            hook: self.hook,
            name: self.hook.name(),
            mandatory: self.mandatory,
            mechanism: Some(mechanism),
            reason: None,
            refusal: Refusal::Other,
            verified_insns: programs.iter().filter_map(verified).max(),
            programs,
        }
    }

    fn mechanisms(self, how: Attach) -> Vec<Mechanism> {
        match (self.kind, how) {
            (Kind::Tracepoint, _) => vec![Mechanism::Tracepoint],
            (_, Attach::Fentry) => vec![Mechanism::Fentry],
            (_, Attach::Kprobe) => vec![Mechanism::Kprobe],
            (_, Attach::Auto) => vec![Mechanism::Fentry, Mechanism::Kprobe],
        }
    }

    fn attach_tracepoint(self, bpf: &mut Ebpf) -> Result<Vec<String>, ProgramError> {
        let program: &mut RawTracePoint = find(bpf, self.program)?;
        program.load()?;
        program.attach(self.hook.name())?;
        Ok(vec![self.program.to_owned()])
    }

    fn attach_fentry(self, bpf: &mut Ebpf, btf: &Btf) -> Result<Vec<String>, ProgramError> {
        let function = self.hook.name();
        let exit = (self.kind == Kind::Call).then(|| format!("{}_fexit", self.program));
        if let Some(exit) = &exit {
            let program: &mut FExit = find(bpf, exit)?;
            program.load(function, btf)?;
            program.attach()?;
        }
        let entry = format!("{}_fentry", self.program);
        let attached = attach_fentry(bpf, &entry, function, btf);
        whole(bpf, exit, entry, attached)
    }

    fn attach_kprobe(self, bpf: &mut Ebpf) -> Result<Vec<String>, ProgramError> {
        let function = self.hook.name();
        let exit = (self.kind == Kind::Call).then(|| format!("{}_kretprobe", self.program));
        if let Some(exit) = &exit {
            attach_kprobe(bpf, exit, function)?;
        }
        let entry = format!("{}_kprobe", self.program);
        let attached = attach_kprobe(bpf, &entry, function);
        whole(bpf, exit, entry, attached)
    }
}

/// The programs of a hook, once its entry is attached too: half a hook is none.
fn whole(
    bpf: &mut Ebpf,
    exit: Option<String>,
    entry: String,
    attached: Result<(), ProgramError>,
) -> Result<Vec<String>, ProgramError> {
    match attached {
        Ok(()) => Ok(exit.into_iter().chain([entry]).collect()),
        Err(error) => {
            if let Some(exit) = &exit {
                unload(bpf, exit);
            }
            Err(error)
        }
    }
}

fn attach_fentry(bpf: &mut Ebpf, name: &str, function: &str, btf: &Btf) -> Result<(), ProgramError> {
    let program: &mut FEntry = find(bpf, name)?;
    program.load(function, btf)?;
    program.attach()?;
    Ok(())
}

fn attach_kprobe(bpf: &mut Ebpf, name: &str, function: &str) -> Result<(), ProgramError> {
    let program: &mut KProbe = find(bpf, name)?;
    program.load()?;
    program.attach(function, 0)?;
    Ok(())
}

/// A program of the object; it is there unless the object and this file disagree.
pub(super) fn find<'a, P>(bpf: &'a mut Ebpf, name: &str) -> Result<&'a mut P, ProgramError>
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program, Error = ProgramError>,
{
    bpf.program_mut(name).ok_or(ProgramError::NotLoaded)?.try_into()
}

fn unload(bpf: &mut Ebpf, name: &str) {
    use aya::programs::Program;
    let _ = match bpf.program_mut(name) {
        Some(Program::FExit(p)) => p.unload(),
        Some(Program::KProbe(p)) => p.unload(),
        _ => Ok(()),
    };
}

/// The error in one line: the kernel's words, without the verifier's log.
pub(super) fn reason(error: &ProgramError) -> String {
    match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            match verdict(&log) {
                // Its error number says nothing more: EACCES here is the verifier's word for nearly everything.
                Some(line) => format!("the verifier refuses the program: {line}"),
                None => format!("the kernel refuses the program: {io_error}"),
            }
        }
        other => {
            let mut text = other.to_string();
            let mut source = std::error::Error::source(other);
            while let Some(e) = source {
                let more = e.to_string();
                if !text.contains(&more) {
                    text = format!("{text}: {more}");
                }
                source = e.source();
            }
            text
        }
    }
}

/// What the verifier refuses is in its last lines, before its statistics; none: it was not asked.
pub(super) fn verdict(log: &str) -> Option<&str> {
    log.lines().rev().map(str::trim).find(|line| !line.is_empty() && !is_statistics(line))
}

fn is_statistics(line: &str) -> bool {
    ["processed ", "verification time", "stack depth"].iter().any(|s| line.starts_with(s))
}
