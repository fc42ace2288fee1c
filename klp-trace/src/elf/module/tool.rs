//! Which tool built a livepatch, by what each leaves in the file.

use object::elf;

use super::Module;
use crate::elf::klp;

/// A builder of livepatches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// kpatch-build: `.kpatch.*` sections.
    KpatchBuild,
    /// klp-build and objtool of the kernel's tree (6.19 and later).
    KlpBuild,
    /// klp-convert, or a tool that leaves as little: livepatch relocations and nothing else of its own.
    KlpConvert,
    /// SUSE's table of symbols, which the patch looks up itself: no livepatch relocations.
    KallsymsTable,
    /// Source that needs no symbol which is not exported.
    HandWritten,
}

impl Tool {
    /// Its name in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KpatchBuild => "kpatch-build",
            Self::KlpBuild => "klp-build",
            Self::KlpConvert => "klp-convert",
            Self::KallsymsTable => "kallsyms-table",
            Self::HandWritten => "hand-written",
        }
    }
}

/// The builder of a livepatch, and what in the file says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltBy<'a> {
    /// The builder.
    pub tool: Tool,
    /// The first section or symbol that gives it away; `None`: what is absent does.
    pub sign: Option<&'a [u8]>,
}

pub(super) fn of<'a>(module: &Module<'a>) -> BuiltBy<'a> {
    let section =
        |wanted: fn(&[u8]) -> bool| module.sections().iter().map(|s| s.name).find(|name| wanted(name));
    if let Some(sign) = section(|name| name.starts_with(b".kpatch.")) {
        return BuiltBy { tool: Tool::KpatchBuild, sign: Some(sign) };
    }
    if let Some(sign) = section(of_klp_build) {
        return BuiltBy { tool: Tool::KlpBuild, sign: Some(sign) };
    }
    if let Some(section) = module.klp_sections().first() {
        return BuiltBy { tool: Tool::KlpConvert, sign: Some(section.name) };
    }
    let names = module.symbols().filter(|s| s.shndx != elf::SHN_UNDEF.0 && s.shndx != klp::SHN_LIVEPATCH);
    match names.filter_map(|s| s.name).find(|name| of_kallsyms_table(name)) {
        Some(sign) => BuiltBy { tool: Tool::KallsymsTable, sign: Some(sign) },
        None => BuiltBy { tool: Tool::HandWritten, sign: None },
    }
}

/// Sections of scripts/livepatch/ and tools/objtool/klp-diff.c, 6.19 to 7.3.
fn of_klp_build(name: &[u8]) -> bool {
    [
        &b".init.klp_"[..],
        b"__klp_objects",
        b"__klp_funcs",
        b"__klp_relocs",
        b".klp.tombstone",
        b".rodata.klp.",
    ]
    .iter()
    .any(|start| name.starts_with(start))
}

/// SUSE's kernel-livepatch: `klp_resolve_kallsyms_relocs()`, and pointers named `klpe_<symbol>` before it was split off.
fn of_kallsyms_table(name: &[u8]) -> bool {
    name.starts_with(b"klpe_") || memchr::memmem::find(name, b"klp_resolve_kallsyms_relocs").is_some()
}
