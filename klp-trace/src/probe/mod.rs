//! Loads and attaches the eBPF programs, and decodes what they send.
//!
//! The only room with `unsafe`: each has its SAFETY comment.
#![allow(unsafe_code, reason = "the ring buffer holds C structs")]

mod attach;
pub mod decode;
mod demand;
mod error;
pub mod event;
mod functions;
mod hooks;
mod layout;
mod loss;
mod refusal;
mod ring;

use std::os::fd::{AsFd as _, BorrowedFd};

use aya::{
    Ebpf,
    maps::{Array, HashMap, PerCpuArray},
};
use aya_log::EbpfLogger;
use klp_trace_ebpf::{
    Counters, Phase,
    hook::{DEMAND_BLOCK, DEMAND_HEADER, DEMAND_MODULE, slot},
};

pub use attach::embedded;
pub use demand::{SectionRead, Sink};
pub use error::{DemandError, ProbeError};
pub use event::{Hook, ModuleFacts, RawEvent, SectionInfo, Symbol, WalkId};
pub use layout::Variables;
pub use loss::{Loss, Lost};

/// Sections that the programs keep where no other number is asked for: hundreds of patches of a dozen objects each.
pub const MAX_SECTIONS: u32 = 8192;

/// How functions are hooked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attach {
    /// fentry and fexit, or kprobe and kretprobe where those cannot be had
    #[default]
    Auto,
    /// fentry and fexit alone
    Fentry,
    /// kprobe and kretprobe alone
    Kprobe,
}

/// What to attach, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// How functions are hooked
    pub attach: Attach,
    /// Size of the ring buffer in bytes: a power of two, at least a page
    pub ring_bytes: u32,
    /// How many livepatch relocation sections the programs keep, to read them again when their object goes; at least 1
    pub max_sections: u32,
    /// Whether the programs log what they do (to the `log` facade, on [`Probes::flush_log`])
    pub bpf_log: bool,
    /// Addresses of kernel variables
    pub variables: Variables,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            attach: Attach::Auto,
            ring_bytes: 16 << 20,
            max_sections: MAX_SECTIONS,
            bpf_log: false,
            variables: Variables::default(),
        }
    }
}

/// How a hook is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// fentry and fexit
    Fentry,
    /// kprobe and kretprobe
    Kprobe,
    /// A static tracepoint
    Tracepoint,
}

impl Mechanism {
    /// Its name on the command line and in the journal.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Tracepoint => "tracepoint",
        }
    }
}

/// Whether and how a hook is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookStatus {
    /// The hook
    pub hook: Hook,
    /// The kernel's function or tracepoint
    pub name: &'static str,
    /// Whether relocations go unseen without it (clear: where the kernel has it)
    pub mandatory: bool,
    /// How it is attached; `None`: it is not
    pub mechanism: Option<Mechanism>,
    /// Why it is not attached
    pub reason: Option<String>,
    /// What kind of refusal that is
    refusal: refusal::Refusal,
    /// The most instructions that the verifier went through for one of its programs; `None`: the kernel does not say
    pub verified_insns: Option<u32>,
    /// Its programs' names in the object
    programs: Vec<String>,
}

/// The attached programs. Dropped, or with the process dead, nothing of them is left in the kernel.
pub struct Probes {
    bpf: Ebpf,
    ring: ring::Ring,
    statuses: Vec<HookStatus>,
    clears: bool,
    ledger: loss::Ledger,
    /// When something was lost last, by the map LOST at the last question
    lost: u64,
    /// Questions asked, each of which has an identity
    questions: u64,
    logger: Option<EbpfLogger<&'static dyn log::Log>>,
}

impl Probes {
    /// Every hook, attached or not.
    pub fn hooks(&self) -> &[HookStatus] {
        &self.statuses
    }

    /// Whether this kernel clears relocations when their object goes: 6.3 and later, on x86.
    pub fn clears(&self) -> bool {
        self.clears
    }

    /// Readable when there are events. Wake-ups can be missed under load: poll it with a time-out all the same.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.ring.fd()
    }

    /// Hands over the events that are there, at most some thousands a call; gives how many. Never blocks.
    pub fn drain(&mut self, sink: &mut Sink<'_>) -> usize {
        self.ring.drain(sink)
    }

    /// What the programs counted since they were loaded: entry, exit. Tracepoints and demands count as entries.
    pub fn counters(&self, hook: Hook) -> (Counters, Counters) {
        let Some(map) = self.bpf.map("COUNTERS") else { return Default::default() };
        let Ok(map) = PerCpuArray::<_, loss::Row>::try_from(map) else { return Default::default() };
        let read = |slot| map.get(&slot, 0).map_or(Counters::default(), |rows| loss::sum(rows.iter()));
        let (enter, exit) = (read(slot(hook, Phase::Enter)), read(slot(hook, Phase::Exit)));
        if hook != Hook::Demand {
            return (enter, exit);
        }
        // Five programs of one hook (klp-trace-ebpf, hook.rs).
        let others = [exit, read(DEMAND_MODULE), read(DEMAND_HEADER), read(DEMAND_BLOCK)];
        (others.iter().fold(enter, loss::add), Counters::default())
    }

    /// Time that a hook's programs took; `None`: the kernel does not count it (kernel.bpf_stats_enabled is 0).
    pub fn run_time(&self, hook: Hook) -> Option<std::time::Duration> {
        let programs = self.statuses.iter().filter(|s| s.hook == hook).flat_map(|s| &s.programs);
        let infos = programs.filter_map(|name| self.bpf.program(name)?.info().ok());
        let (ran, time) = infos.fold((0, std::time::Duration::ZERO), |(ran, time), info| {
            (ran + info.run_count(), time + info.run_time())
        });
        (ran > 0).then_some(time)
    }

    /// Whether a program has counted a loss since the last call of this: one look, for each wake-up. What programs cannot
    /// count themselves, calls that were skipped and threads that ended, [`Probes::loss`] finds.
    pub fn may_have_lost(&mut self) -> bool {
        let Some(map) = self.bpf.map("LOST") else { return true };
        let Ok(map) = Array::<_, u64>::try_from(map) else { return true };
        // What cannot be read may be anything.
        let Ok(lost) = map.get(&0, 0) else { return true };
        std::mem::replace(&mut self.lost, lost) != lost
    }

    /// What was missed since the last call, hook by hook; empty: nothing. Some thirty system calls: for every second.
    pub fn loss(&mut self) -> Vec<Loss> {
        self.find_abandoned();
        let mut losses = Vec::new();
        for hook in Hook::ALL {
            let (enter, exit) = self.counters(hook);
            let recursion = self.recursion(hook);
            losses.extend(self.ledger.settle(hook, loss::total(hook, &enter, &exit, recursion)));
        }
        losses
    }

    /// Hands the programs' own messages to the `log` facade.
    pub fn flush_log(&mut self) {
        if let Some(logger) = &mut self.logger {
            logger.flush();
        }
    }

    fn recursion(&self, hook: Hook) -> u64 {
        let programs = self.statuses.iter().filter(|s| s.hook == hook).flat_map(|s| &s.programs);
        let fds = programs.filter_map(|name| self.bpf.program(name)?.fd().ok());
        fds.map(|fd| loss::recursion_misses(fd.as_fd())).sum()
    }

    /// Calls whose thread has ended can never be left: their exit was missed. The kernel is asked for the thread itself, since
    /// its number means another one, or none, in another PID namespace.
    fn find_abandoned(&mut self) {
        let Some(map) = self.bpf.map("CALLS") else { return };
        let Ok(calls) = HashMap::<_, [u32; 2], [u64; 5]>::try_from(map) else { return };
        let under_way: Vec<_> = calls.iter().filter_map(Result::ok).collect();
        for (key, value) in under_way {
            let ([tid, hook], [task, start, ..]) = (key, value);
            // Where the kernel gives no answer the call counts as under way.
            if self.is_alive(task, tid, start).unwrap_or(true) {
                continue;
            }
            let Some(map) = self.bpf.map_mut("CALLS") else { return };
            let Ok(mut calls) = HashMap::<_, [u32; 2], [u64; 5]>::try_from(map) else { return };
            // Gone from the map meanwhile: its exit was seen after all.
            if calls.remove(&key).is_ok()
                && let Some(hook) = Hook::from_wire(hook)
            {
                self.ledger.abandon(hook);
            }
        }
    }
}
