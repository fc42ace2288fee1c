//! Reading on demand: programs that are attached nowhere, run with the question as their arguments. Their records
//! come through the ring buffer like all others, so nothing is reordered.

use std::time::{Duration, Instant};

use aya::{RawTracePointRunOptions, TestRun as _, programs::RawTracePoint};

use super::{
    DemandError, ModuleFacts, Probes, RawEvent, SectionInfo, Symbol, WalkId,
    event::Header,
    hooks::{find, reason},
    ring::PAUSE,
};
use klp_trace_ebpf::CHUNK;

/// Their names in the object.
pub(super) const PROGRAMS: [&str; 6] = [WALK, SYMBOL, MODULE, ALIVE, HEADER, BLOCK];
const WALK: &str = "demand_walk";
const SYMBOL: &str = "demand_symbol";
const MODULE: &str = "demand_module";
const ALIVE: &str = "demand_alive";
const HEADER: &str = "demand_header";
const BLOCK: &str = "demand_block";

/// Steps of a walk besides its chunks (klp-trace-ebpf, demand.rs).
const STEP_BEGIN: u64 = 1 << 32;
const STEP_END: u64 = 2 << 32;

/// What the programs return.
const SENT: i32 = 1;
const NOTHING: i32 = 0;
const ENOSPC: i32 = -28;

/// How long a record that was sent may take to arrive: one before it may be in the hands of a preempted program.
const PATIENCE: Duration = Duration::from_secs(5);

/// A section read on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionRead {
    /// The walk's identity, in the events handed to the sink
    pub walk: WalkId,
    /// Entries of the section
    pub total: u32,
    /// Entries that were read: all, unless the section went away meanwhile
    pub sent: u32,
}

/// Where events go that arrive meanwhile, in their order.
pub type Sink<'a> = dyn FnMut(RawEvent) + 'a;

impl Probes {
    /// What the `struct module` at an address says. Any address may be asked for: a wrong one is an error, no harm.
    pub fn module(&mut self, module: u64, sink: &mut Sink<'_>) -> Result<ModuleFacts, DemandError> {
        let unreadable = DemandError::Unreadable { address: module };
        let question = self.next_question();
        if !self.ask(MODULE, &[module, question.0], sink)? {
            return Err(unreadable);
        }
        match self.wait(sink, &|event| answers(event, question))? {
            RawEvent::Module(facts) => Ok(facts),
            _ => Err(unreadable),
        }
    }

    /// The livepatch relocation sections of a patch. From now on they are read again when their object goes.
    pub fn inventory(&mut self, module: u64, sink: &mut Sink<'_>) -> Result<Vec<SectionInfo>, DemandError> {
        let facts = self.module(module, sink)?;
        let mut sections = Vec::new();
        for relsec in 0..facts.sections {
            let walk = self.next_question();
            if self.ask(WALK, &[module, u64::from(relsec), STEP_BEGIN, walk.0], sink)? {
                let wanted = |event: &RawEvent| matches!(event, RawEvent::WalkBegin(b) if b.walk == walk);
                if let RawEvent::WalkBegin(begin) = self.wait(sink, &wanted)? {
                    sections.push(begin.section);
                }
            }
        }
        Ok(sections)
    }

    /// Reads a section of a patch now. Its begin, chunks and end go to the sink, in order with everything else: an apply
    /// or clear that the kernel does meanwhile shows between them.
    pub fn read_section(
        &mut self,
        module: u64,
        relsec: u32,
        sink: &mut Sink<'_>,
    ) -> Result<SectionRead, DemandError> {
        let walk = self.next_question();
        let args = |step: u64| [module, u64::from(relsec), step, walk.0, 0];
        if !self.ask(WALK, &args(STEP_BEGIN), sink)? {
            return Err(DemandError::NotLivepatch { address: module, relsec });
        }
        let total = self.forward(sink, &mut |event| match event {
            RawEvent::WalkBegin(begin) if begin.walk == walk => Some(begin.section.total),
            _ => None,
        })?;
        let mut sent = 0;
        for step in 0..u64::from(total).div_ceil(CHUNK as u64) {
            match self.ask(WALK, &args(step), sink) {
                Ok(true) => {}
                // The patch went away: the walk ends short.
                Ok(false) | Err(DemandError::Unreadable { .. }) => break,
                Err(e) => return Err(e),
            }
            sent += self.forward(sink, &mut |event| match event {
                RawEvent::Chunk(chunk) if chunk.walk == walk => u32::try_from(chunk.entries.len()).ok(),
                _ => None,
            })?;
        }
        let end = [module, u64::from(relsec), STEP_END, walk.0, u64::from(sent)];
        if self.ask(WALK, &end, sink)? {
            self.forward(sink, &mut |event| match event {
                RawEvent::WalkEnd(end) if end.walk == walk => Some(()),
                _ => None,
            })?;
        }
        Ok(SectionRead { walk, total, sent })
    }

    /// A symbol of a patch: its name, and the value that the kernel resolved last.
    pub fn symbol(&mut self, module: u64, index: u32, sink: &mut Sink<'_>) -> Result<Symbol, DemandError> {
        let question = self.next_question();
        if !self.ask(SYMBOL, &[module, u64::from(index), question.0], sink)? {
            return Err(DemandError::Unreadable { address: module });
        }
        match self.wait(sink, &|event| answers(event, question))? {
            RawEvent::Symbol(symbol) => Ok(symbol),
            _ => Err(DemandError::Unreadable { address: module }),
        }
    }

    /// Every section of a patch, by the headers that the kernel keeps of it.
    pub fn headers(&mut self, module: u64, sink: &mut Sink<'_>) -> Result<Vec<Header>, DemandError> {
        let facts = self.module(module, sink)?;
        let mut headers = Vec::new();
        for index in 0..facts.sections {
            let question = self.next_question();
            if !self.ask(HEADER, &[module, u64::from(index), question.0], sink)? {
                return Err(DemandError::Unreadable { address: module });
            }
            if let RawEvent::Header(header) = self.wait(sink, &|event| answers(event, question))? {
                headers.push(*header);
            }
        }
        Ok(headers)
    }

    /// Kernel memory. Any address may be asked for: a wrong one is an error, no harm.
    pub fn memory(
        &mut self,
        address: u64,
        length: usize,
        sink: &mut Sink<'_>,
    ) -> Result<Vec<u8>, DemandError> {
        let unreadable = || DemandError::Unreadable { address };
        let size = klp_trace_ebpf::BLOCK as u64;
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let at = address.checked_add(bytes.len() as u64).ok_or_else(unreadable)?;
            let start = at - at % size;
            let question = self.next_question();
            if !self.ask(BLOCK, &[start, question.0], sink)? {
                return Err(unreadable());
            }
            if let RawEvent::Block(block) = self.wait(sink, &|event| answers(event, question))? {
                let from = usize::try_from(at - start).unwrap_or(usize::MAX);
                let rest = block.bytes.get(from..).unwrap_or_default();
                bytes.extend(rest.iter().take(length - bytes.len()));
            }
        }
        Ok(bytes)
    }

    /// Whether a thread is still there: its `task_struct`, its number in the first PID namespace, its `start_time`.
    pub(super) fn is_alive(&mut self, task: u64, tid: u32, start: u64) -> Result<bool, DemandError> {
        // It sends no record, so that nothing can be in the way.
        self.ask(ALIVE, &[task, u64::from(tid), start], &mut |_| {})
    }

    /// An identity that no walk of the programs has: theirs end in a byte below 0xff. A record that comes after its question was
    /// given up is not taken for the answer to the next one.
    fn next_question(&mut self) -> WalkId {
        self.questions += 1;
        WalkId(self.questions << 8 | 0xff)
    }

    /// Runs a program; whether it sent a record. Makes room in the ring buffer as needed.
    fn ask(&mut self, program: &str, args: &[u64], sink: &mut Sink<'_>) -> Result<bool, DemandError> {
        let mut options = RawTracePointRunOptions::new();
        for (to, from) in options.args.iter_mut().zip(args) {
            *to = *from;
        }
        let started = Instant::now();
        loop {
            let program: &mut RawTracePoint =
                find(&mut self.bpf, program).map_err(|e| DemandError::Run(reason(&e)))?;
            let options = RawTracePointRunOptions { args: options.args, cpu: None };
            let result = program.test_run(options).map_err(|e| DemandError::Run(reason(&e)))?;
            match result.return_value.cast_signed() {
                SENT => return Ok(true),
                NOTHING => return Ok(false),
                ENOSPC if started.elapsed() < PATIENCE => {
                    // Nothing there and no room: the next record is still being written.
                    if self.ring.drain(sink) == 0 {
                        std::thread::sleep(PAUSE);
                    }
                }
                ENOSPC => return Err(DemandError::RingFull),
                _ => return Err(DemandError::Unreadable { address: args.first().copied().unwrap_or(0) }),
            }
        }
    }

    /// Hands events over until one is the answer, which is kept back.
    fn wait(
        &mut self,
        sink: &mut Sink<'_>,
        wanted: &dyn Fn(&RawEvent) -> bool,
    ) -> Result<RawEvent, DemandError> {
        let until = Instant::now() + PATIENCE;
        answer(&mut || self.ring.wait(until), sink, wanted)
    }

    /// Hands events over until one is the answer, which is handed over as well.
    fn forward<T>(
        &mut self,
        sink: &mut Sink<'_>,
        answer: &mut dyn FnMut(&RawEvent) -> Option<T>,
    ) -> Result<T, DemandError> {
        let until = Instant::now() + PATIENCE;
        while let Some(event) = self.ring.wait(until) {
            let found = answer(&event);
            sink(event);
            if let Some(found) = found {
                return Ok(found);
            }
        }
        Err(DemandError::Stalled)
    }
}

/// Whether a record is the answer to this question, and not to one that was given up.
fn answers(event: &RawEvent, question: WalkId) -> bool {
    match event {
        RawEvent::Symbol(symbol) => symbol.question == question,
        RawEvent::Module(facts) => facts.question == question,
        RawEvent::Header(header) => header.question == question,
        RawEvent::Block(block) => block.question == question,
        _ => false,
    }
}

/// The first of the events that is wanted; those before it go to the sink.
fn answer(
    next: &mut dyn FnMut() -> Option<RawEvent>,
    sink: &mut Sink<'_>,
    wanted: &dyn Fn(&RawEvent) -> bool,
) -> Result<RawEvent, DemandError> {
    while let Some(event) = next() {
        if wanted(&event) {
            return Ok(event);
        }
        sink(event);
    }
    Err(DemandError::Stalled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::event::{KernelName, Stamp};

    fn symbol(question: u64, index: u32) -> RawEvent {
        RawEvent::Symbol(Symbol {
            question: WalkId(question),
            stamp: Stamp { mono_ns: 0, cpu: 0 },
            module: 1,
            index,
            name: KernelName(b"name".to_vec()),
            name_cut: false,
            value: 0,
            info: 0,
            shndx: 0,
            unreadable: false,
        })
    }

    #[test]
    fn a_late_answer_is_not_taken_for_that_of_the_next_question() {
        // Symbol 7 was asked for and given up; its record comes before that of symbol 8, the next question.
        let mut events = vec![symbol(0x1ff, 7), symbol(0x2ff, 8)].into_iter();
        let mut passed = Vec::new();
        let found = answer(&mut || events.next(), &mut |event| passed.push(event), &|event| {
            answers(event, WalkId(0x2ff))
        });
        assert_eq!(found, Ok(symbol(0x2ff, 8)));
        assert_eq!(passed, [symbol(0x1ff, 7)]);
    }

    #[test]
    fn no_answer_is_an_error() {
        let mut events = vec![symbol(0x1ff, 7)].into_iter();
        let found = answer(&mut || events.next(), &mut |_| {}, &|event| answers(event, WalkId(0x2ff)));
        assert_eq!(found, Err(DemandError::Stalled));
    }
}
