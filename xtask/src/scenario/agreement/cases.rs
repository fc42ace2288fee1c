//! The cases, of what is in the fixtures' files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, ensure};
use object::elf;
use object::read::elf::{ElfFile64, FileHeader as _, SectionHeader as _, Sym as _};
use object::{LittleEndian, Object as _, ObjectSection as _};

use super::{Case, Order, Table};
use crate::klp::{KlpName, SHF_RELA_LIVEPATCH, SHN_LIVEPATCH};

/// A module's file.
struct Module {
    bytes: Vec<u8>,
    info: Vec<(String, String)>,
}

/// Every livepatch in a folder; `guest` is where the guest finds that folder.
pub fn cases(folder: &Path, guest: &str, table: &Table) -> anyhow::Result<Vec<Case>> {
    let mut modules = BTreeMap::new();
    for entry in folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "ko") {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let module = Module::read(&path).with_context(|| path.display().to_string())?;
            modules.insert(stem, module);
        }
    }
    let is_patch = |module: &&Module| module.info("livepatch").is_some();
    let targets: BTreeMap<String, &String> =
        modules.iter().filter(|(_, m)| !is_patch(m)).map(|(stem, _)| (normal(stem), stem)).collect();
    let file = |stem: &str| format!("{guest}/{stem}.ko");
    let mut cases = Vec::new();
    for (stem, module) in modules.iter().filter(|(_, m)| is_patch(m)) {
        let (gates, thirds) = module.gates().with_context(|| stem.clone())?;
        let gated: BTreeSet<String> = gates.iter().map(|gate| normal(gate)).collect();
        let own: BTreeSet<String> = module.depends().chain(thirds.iter().map(|name| normal(name))).collect();
        let first: Vec<&String> = own
            .iter()
            .filter(|name| !gated.contains(*name))
            .filter_map(|name| targets.get(name).copied())
            .collect();
        let mentioned = targets.values().filter(|stem| module.mentions(stem));
        let objects: Vec<&String> = mentioned.copied().filter(|stem| !first.contains(stem)).collect();
        let needed: BTreeSet<&String> = objects
            .iter()
            .filter_map(|stem| modules.get(*stem))
            .flat_map(|object| object.depends().collect::<Vec<_>>())
            .filter_map(|name| targets.get(&name).copied())
            .collect();
        let name = module.info("name").unwrap_or(stem).to_owned();
        let first = first.into_iter().filter(|stem| !needed.contains(stem));
        let spared = table.spared.get(&name).map(|spared| match spared.order {
            Some(order) => vec![order],
            None => vec![Order::ObjectFirst, Order::PatchFirst],
        });
        cases.push(Case {
            file: file(stem),
            first: first.map(|stem| file(stem)).collect(),
            needed: needed.iter().map(|stem| file(stem)).collect(),
            objects: objects.iter().filter(|stem| !needed.contains(*stem)).map(|stem| file(stem)).collect(),
            gates: gates.into_iter().collect(),
            spared: spared.unwrap_or_default(),
            wake: table.wake.get(&name).cloned(),
            proof: table.proof.get(&name).map(|proof| proof.read.clone()),
            name,
        });
    }
    ensure!(!cases.is_empty(), "no livepatch in {}", folder.display());
    let named = table
        .spared
        .keys()
        .chain(table.proof.keys())
        .chain(table.wake.keys())
        .chain(table.unknown.iter().map(|row| &row.case));
    for name in named {
        ensure!(cases.iter().any(|case| case.name == *name), "the table names {name}, which is no fixture");
    }
    Ok(cases)
}

/// A module's name as the kernel spells it.
fn normal(name: &str) -> String {
    name.replace('-', "_")
}

impl Module {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = std::fs::read(path).context("cannot read it")?;
        let file = ElfFile64::<LittleEndian>::parse(&*bytes)?;
        let section = file.section_by_name(".modinfo").context("no .modinfo")?;
        let text = String::from_utf8_lossy(section.data()?).into_owned();
        let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
        let info = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Ok(Self { bytes, info })
    }

    fn info(&self, key: &str) -> Option<&str> {
        self.info.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    fn depends(&self) -> impl Iterator<Item = String> {
        self.info("depends").unwrap_or_default().split(',').filter(|name| !name.is_empty()).map(normal)
    }

    /// Whether a module's name stands in the file by itself, as a string or as a part of a section's or symbol's name.
    fn mentions(&self, name: &str) -> bool {
        let alone = |byte: Option<&u8>| byte.is_none_or(|byte| [0, b'.', b',', b'='].contains(byte));
        let spellings = [name.to_owned(), normal(name)];
        spellings.iter().any(|name| {
            let length = name.len();
            let mut windows = self.bytes.windows(length).enumerate();
            windows.any(|(at, window)| {
                window == name.as_bytes()
                    && alone(at.checked_sub(1).and_then(|at| self.bytes.get(at)))
                    && alone(self.bytes.get(at + length))
            })
        })
    }

    /// The objects that gate relocation sections, and those of livepatch symbols that gate none.
    fn gates(&self) -> anyhow::Result<(BTreeSet<String>, BTreeSet<String>)> {
        let endian = LittleEndian;
        let data = &*self.bytes;
        let file = ElfFile64::<LittleEndian>::parse(data)?;
        let table = file.elf_header().sections(endian, data)?;
        let mut gates = BTreeSet::new();
        for section in table.iter().filter(|s| s.sh_flags(endian).0 & SHF_RELA_LIVEPATCH.0 != 0) {
            let name = String::from_utf8_lossy(table.section_name(endian, section)?).into_owned();
            let object = name.strip_prefix(".klp.rela.").and_then(|rest| rest.split('.').next());
            gates.extend(object.map(str::to_owned));
        }
        let symbols = table.symbols(endian, data, elf::SHT_SYMTAB)?;
        let mut of_symbols = BTreeSet::new();
        for symbol in symbols.iter().filter(|s| s.st_shndx(endian) == SHN_LIVEPATCH) {
            let name = String::from_utf8_lossy(symbol.name(endian, symbols.strings())?).into_owned();
            if let Ok(Some(parts)) = KlpName::parse(&name) {
                of_symbols.insert(parts.object.to_owned());
            }
        }
        let thirds = of_symbols.into_iter().filter(|object| object != "vmlinux" && !gates.contains(object));
        Ok((gates.clone(), thirds.collect()))
    }
}
