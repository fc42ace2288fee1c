//! /proc/kcore as the reader of an audit: sections are read as the eBPF programs read them, and told in the same words.

use crate::{
    arch::Arch,
    journal::{EventsLost, Unread},
    kernel::{
        btf::KernelBtf,
        kallsyms::Query,
        kcore::{self, Kcore},
        livepatch_memory::{Livepatch, Offsets, Symbols},
        module_symbols,
    },
    probe::event::{
        Chunk, Entry, Header, Hook, KernelName, RawEvent, Rela, SectionInfo, Stamp, Symbol, Task, WalkBegin,
        WalkEnd, WalkId,
    },
    source::live::{Reader, now},
};
use std::{collections::VecDeque, path::Path};

/// Bytes of a relocated section that are read at once; in larger ones each target is read for itself.
const TARGET: u64 = 64 << 20;

/// Reads livepatches through /proc/kcore.
#[derive(Debug)]
pub struct KcoreReader {
    kcore: Kcore,
    offsets: Offsets,
    arch: Arch,
    walks: u64,
    /// The symbol table of the livepatch whose section was read last, as it was then; by its `struct module`.
    symbols: Option<(u64, Symbols)>,
    /// Where modules have their own symbols; none: only /proc/kallsyms shows them.
    module_symbols: Option<module_symbols::Offsets>,
}

impl KcoreReader {
    /// Opens the running kernel's memory; `types` are that kernel's.
    pub fn open(arch: Arch, types: &KernelBtf) -> anyhow::Result<Self> {
        let kcore = Kcore::open(Path::new(kcore::PATH))?;
        let offsets = Offsets::of(types).map_err(anyhow::Error::msg)?;
        let module_symbols = module_symbols::Offsets::of(types);
        Ok(Self { module_symbols, ..Self::new(kcore, offsets, arch) })
    }

    /// A reader of a core file.
    pub fn new(kcore: Kcore, offsets: Offsets, arch: Arch) -> Self {
        Self { kcore, offsets, arch, walks: 0, symbols: None, module_symbols: None }
    }

    fn patch(&self, module: u64) -> Result<Livepatch<'_>, Unread> {
        Livepatch::at(&self.kcore, &self.offsets, module).ok_or(Unread::Gone)
    }

    /// What is read of one entry.
    fn entry(
        &self,
        [offset, info, addend]: [u64; 3],
        target: &Target,
        values: &dyn Fn(u32) -> Option<u64>,
    ) -> Entry {
        let [low, high] =
            [info & 0xffff_ffff, info >> 32].map(|half| u32::try_from(half).unwrap_or(u32::MAX));
        let rela = Rela { offset, r_type: low, symbol: high, addend: addend.cast_signed() };
        let size = self.arch.size(low).filter(|size| *size == 8).unwrap_or(4);
        let mut bytes = [0; 8];
        let read = bytes.get_mut(..size).is_some_and(|bytes| target.read(&self.kcore, offset, bytes));
        Entry { rela: Some(rela), st_value: values(high), bytes: read.then(|| u64::from_le_bytes(bytes)) }
    }
}

/// The section that is relocated.
struct Target {
    base: u64,
    /// Its bytes, where they could be read at once.
    bytes: Option<Vec<u8>>,
}

impl Target {
    fn read(&self, kcore: &Kcore, offset: u64, into: &mut [u8]) -> bool {
        let start = usize::try_from(offset).ok();
        let known = start.and_then(|start| self.bytes.as_ref()?.get(start..)?.get(..into.len()));
        match known {
            Some(bytes) => {
                into.copy_from_slice(bytes);
                true
            }
            None => kcore.read(self.base.wrapping_add(offset), into),
        }
    }
}

fn info(patch: &Livepatch<'_>, index: u32) -> Option<SectionInfo> {
    let header = patch.header(index)?;
    let target = patch.header(header.info)?;
    let name = patch.section_name(&header);
    let cut = name.as_ref().is_some_and(|(_, cut)| *cut);
    Some(SectionInfo {
        relsec: index,
        name: name.map(|(name, _)| KernelName(name)).filter(|name| !name.is_empty()),
        name_cut: cut,
        total: u32::try_from(header.size / 24).ok()?,
        target_section: header.info,
        target_name: patch.section_name(&target).map(|(name, _)| KernelName(name)),
        target_base: target.address,
        target_size: target.size,
        target_flags: target.flags,
        capped: false,
    })
}

fn stamp() -> Stamp {
    Stamp { mono_ns: now(), cpu: 0 }
}

/// This process: it is in its context that the memory is read.
fn task() -> Task {
    let id = |pid: rustix::process::Pid| pid.as_raw_nonzero().get().unsigned_abs();
    let pid = id(rustix::process::getpid());
    Task {
        pid,
        tgid: pid,
        ppid: rustix::process::getppid().map(id),
        uid: rustix::process::getuid().as_raw(),
        auid: None,
        comm: KernelName(b"klp-trace".to_vec()),
    }
}

impl Reader for KcoreReader {
    fn drain(&mut self, _queue: &mut VecDeque<RawEvent>) {}

    fn loss(&mut self) -> Vec<EventsLost> {
        Vec::new()
    }

    fn sections(&mut self, module: u64, _queue: &mut VecDeque<RawEvent>) -> Result<Vec<SectionInfo>, Unread> {
        let patch = self.patch(module)?;
        patch
            .livepatch_sections()
            .into_iter()
            .map(|index| info(&patch, index).ok_or(Unread::Header))
            .collect()
    }

    fn read_section(
        &mut self,
        module: u64,
        relsec: u32,
        queue: &mut VecDeque<RawEvent>,
    ) -> Result<(), Unread> {
        self.walks += 1;
        let walk = WalkId(self.walks);
        let patch = self.patch(module)?;
        let gone = || Unread::Section(relsec);
        let section = info(&patch, relsec).ok_or_else(gone)?;
        let header = patch.header(relsec).ok_or_else(gone)?;
        let entries = patch.entries(&header).ok_or_else(gone)?;
        let symbols = patch.symbols();
        let values = |index: u32| symbols.as_ref()?.get(index).map(|[_, value]| value);
        let target = Target {
            base: section.target_base,
            bytes: self.kcore.many(section.target_base, section.target_size, TARGET),
        };
        let entries: Vec<Entry> =
            entries.into_iter().map(|entry| self.entry(entry, &target, &values)).collect();
        // What is not mapped reads as zeros: is it still the same patch?
        let again = self.patch(module)?;
        if again.name != patch.name
            || again.header(relsec).map(|header| header.address) != Some(header.address)
        {
            return Err(gone());
        }
        let (hook, total) = (Hook::Demand, section.total);
        let name = KernelName(patch.name);
        self.symbols = symbols.map(|symbols| (module, symbols));
        queue.push_back(RawEvent::WalkBegin(Box::new(WalkBegin {
            walk,
            hook,
            stamp: stamp(),
            task: task(),
            module,
            name,
            cause: None,
            ret: None,
            section,
        })));
        queue.push_back(RawEvent::Chunk(Chunk {
            walk,
            hook,
            stamp: stamp(),
            module,
            relsec,
            first: 0,
            entries,
        }));
        queue.push_back(RawEvent::WalkEnd(WalkEnd {
            walk,
            hook,
            stamp: stamp(),
            module,
            relsec,
            total,
            sent: total,
        }));
        Ok(())
    }

    fn module_symbols(&self, module: u64, object: &[u8], query: &mut Query) -> bool {
        let Some(offsets) = &self.module_symbols else { return false };
        module_symbols::fill(&self.kcore, offsets, module, object, query).is_some()
    }

    fn headers(&mut self, module: u64, _queue: &mut VecDeque<RawEvent>) -> Vec<Header> {
        let Ok(patch) = self.patch(module) else { return Vec::new() };
        let header = |index: u32| {
            let header = patch.header(index)?;
            let name = patch.section_name(&header).map(|(name, _)| KernelName(name)).unwrap_or_default();
            // There is no question here that another could be taken for.
            let (address, size, flags) = (header.address, header.size, header.flags);
            Some(Header { question: WalkId(0), index, name, address, size, flags })
        };
        (0..).map_while(header).collect()
    }

    fn memory(&mut self, address: u64, length: usize, _queue: &mut VecDeque<RawEvent>) -> Option<Vec<u8>> {
        self.kcore.many(address, u64::try_from(length).ok()?, TARGET)
    }

    fn symbol(&mut self, module: u64, index: u32, _queue: &mut VecDeque<RawEvent>) -> Result<Symbol, Unread> {
        let unreadable = || Unread::Symbol(index);
        if self.symbols.as_ref().is_none_or(|(of, _)| *of != module) {
            self.symbols = self.patch(module)?.symbols().map(|symbols| (module, symbols));
        }
        let (_, symbols) = self.symbols.as_ref().ok_or_else(unreadable)?;
        let [first, value] = symbols.get(index).ok_or_else(unreadable)?;
        let st_name = u32::try_from(first & 0xffff_ffff).unwrap_or(0);
        let name = symbols.name(&self.kcore, st_name);
        let cut = name.as_ref().is_some_and(|(_, cut)| *cut);
        let [_, _, _, _, info, _, low, high] = first.to_le_bytes();
        Ok(Symbol {
            // There is no question here that another could be taken for.
            question: WalkId(0),
            stamp: stamp(),
            module,
            index,
            unreadable: name.is_none(),
            name: name.map(|(name, _)| KernelName(name)).unwrap_or_default(),
            name_cut: cut,
            value,
            info,
            shndx: u16::from_le_bytes([low, high]),
        })
    }
}
