//! What is wrong with a file: its name, where, and which rule it breaks.

use std::path::{Path, PathBuf};

/// A file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: at byte {offset:#x}{}: {rule}", super::names::path(.file), if *.decompressed { " of the decompressed file" } else { "" })]
pub struct Error {
    /// The file as the user named it.
    pub file: PathBuf,
    /// Where in the file the rule is broken.
    pub offset: u64,
    /// Whether `offset` counts decompressed bytes.
    pub decompressed: bool,
    /// The rule that is broken.
    pub rule: Rule,
}

impl Error {
    /// An error of the file itself, with its offset in the file as it stands on disk.
    pub(crate) fn at(file: &Path, offset: u64, rule: Rule) -> Self {
        Self { file: file.to_owned(), offset, decompressed: false, rule }
    }
}

/// The rules that a readable livepatch keeps. Sections are named by index and, where known, by name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says what its fields are")]
pub enum Rule {
    #[error("cannot {action}: {message}")]
    Io { action: &'static str, message: String },
    #[error("not a regular file; name a module file (.ko, .ko.xz, .ko.zst, .ko.gz)")]
    NotRegular,
    #[error("{what} is {got} bytes, the limit is {limit}; no kernel module is that large")]
    TooLarge { what: &'static str, got: u64, limit: u64 },
    #[error("the file ended after {got} of {expected} bytes: it was truncated while it was read; try again")]
    Shrunk { got: u64, expected: u64 },
    #[error("{format} data does not decompress: {message}; the file is damaged, copy it again")]
    Decompress { format: &'static str, message: String },
    #[error("{format} data decompresses to more than {limit} bytes; no kernel module is that large")]
    Bomb { format: &'static str, limit: u64 },
    #[error("{format} data needs a dictionary of more than {limit} bytes; recompress it with a smaller one")]
    Dictionary { format: &'static str, limit: u64 },
    #[error("the file has {len} bytes, an ELF header takes 64: truncated, or not a module")]
    TooShort { len: u64 },
    #[error("not an ELF file (no 7f 45 4c 46), nor xz, zstd or gzip data; name a kernel module")]
    NotElf,
    #[error("a 32-bit ELF file; klp-trace reads 64-bit modules")]
    Not64Bit,
    #[error("the byte order in the ELF header is {got}, neither little-endian (1) nor big-endian (2)")]
    DataEncoding { got: u8 },
    #[error(
        "ELF machine {machine} has no livepatching; klp-trace knows x86_64, ppc64le, s390x, aarch64 and loongarch64"
    )]
    NoLivepatching { machine: u16 },
    #[error("a {}-endian module of {machine}; no kernel of it runs so", if *.big_endian { "big" } else { "little" })]
    ByteOrder { machine: &'static str, big_endian: bool },
    #[error(
        "a module for {machine}; relocations are judged on x86_64 only, `klp-trace inspect` reads this one too"
    )]
    NotJudged { machine: &'static str },
    #[error("ELF type {e_type}, not relocatable (1); name the module (.ko), not a linked program or core")]
    NotRelocatable { e_type: u16 },
    #[error("not a livepatch: .modinfo has no livepatch=Y; name the livepatch's module, not its target's")]
    NotLivepatch,
    #[error("{what} reaches to byte {end:#x}, the file has {len:#x}: truncated or damaged")]
    Truncated { what: String, end: u64, len: u64 },
    #[error("{what} is at an offset and of a size whose sum overflows 64 bits")]
    RangeOverflow { what: String },
    #[error("e_shentsize is {got}, a section header takes 64 bytes")]
    SectionHeaderSize { got: u16 },
    #[error("e_shnum is 0: no sections, or extended numbering, which the kernel's loader refuses")]
    NoSections,
    #[error("e_shstrndx is {index}, the file has {count} sections")]
    ShStrNdx { index: u16, count: u16 },
    #[error("section {section} should be a string table (SHT_STRTAB), its type is {sh_type}")]
    NotStringTable { section: u32, sh_type: u32 },
    #[error("{what} has no name at {name:#x} of string table {table}, which has {len:#x} bytes")]
    NameOutOfRange { what: String, name: u32, table: u32, len: u64 },
    #[error("{what} has a name without an end within {limit} bytes")]
    NameTooLong { what: String, limit: u64 },
    #[error("{count} symbol tables, the kernel's loader wants exactly one")]
    SymbolTables { count: u32 },
    #[error("section {section}: sh_link is {link}, out of range or not {expected}")]
    Link { section: u32, link: u32, expected: &'static str },
    #[error("section {section} ({name}): sh_info is {info}, the file has {count} sections")]
    TargetOutOfRange { section: u32, name: String, info: u32, count: u16 },
    #[error(
        "section {section} ({name}): its target, section {info}, is itself a table of relocations or symbols"
    )]
    TargetIsTable { section: u32, name: String, info: u32 },
    #[error("section {section}: sh_entsize is {got}, an entry takes {expected} bytes")]
    EntrySize { section: u32, got: u64, expected: u64 },
    #[error("section {section}: its size {size:#x} is not a multiple of its {entry}-byte entries")]
    RaggedSize { section: u32, size: u64, entry: u64 },
    #[error("section {section} ({name}) is marked SHF_RELA_LIVEPATCH, its type is {sh_type}, not SHT_RELA")]
    NotRela { section: u32, name: String, sh_type: u32 },
    #[error(
        "section {section} ({name}) is marked SHF_RELA_LIVEPATCH but not named .klp.rela.<object>.<section>: the kernel refuses it"
    )]
    SectionName { section: u32, name: String },
    #[error("section {section} ({name}) overlaps section {other} in the file")]
    Overlap { section: u32, name: String, other: u32 },
    #[error("relocation {reloc} of section {section}: symbol {symbol} of {count}")]
    SymbolIndex { section: u32, reloc: u32, symbol: u32, count: u64 },
    #[error(
        "relocation {reloc} of section {section}: symbol {symbol} ({name}) is not marked as a livepatch symbol (SHN_LIVEPATCH): the kernel refuses it"
    )]
    NotLivepatchSymbol { section: u32, reloc: u32, symbol: u32, name: String },
    #[error(
        "symbol {symbol} ({name}) is not named .klp.sym.<object>.<symbol>,<sympos>: the kernel refuses it"
    )]
    SymbolName { symbol: u32, name: String },
    #[error("more than {limit} {what}; no livepatch has so many")]
    TooMany { what: &'static str, limit: u64 },
    #[error("a note of section {section} does not fit in it")]
    Note { section: u32 },
}
