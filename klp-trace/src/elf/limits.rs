//! How much is read from a file that a user names, and why so much.

/// Bytes of a module, decompressed. The largest module of a distribution kernel with its DWARF kept is about
/// 400 MB (amdgpu); livepatches stay far below. Larger files are refused before the first byte is read.
pub const FILE_BYTES: u64 = 512 << 20;

/// Bytes of a compressed module. Modules shrink at least threefold; amdgpu with DWARF takes about 60 MB.
pub const COMPRESSED_BYTES: u64 = 128 << 20;

/// Memory for a decompressor's dictionary, in bytes. kmod's users run `xz -9` at most (64 MiB) and zstd
/// without `--ultra --long` (8 MiB); `zstd -22` needs 128 MiB.
pub const DICTIONARY_BYTES: u64 = 128 << 20;

/// Frames of a zstd file. `zstd` writes one; `pzstd` one for each few MiB.
pub const ZSTD_FRAMES: u64 = 4096;

/// Members of a gzip file. `gzip` writes one, `bgzip` one for each 64 KiB.
pub const GZIP_MEMBERS: u64 = 1 << 16;

/// Bytes of a section's name. GNU tools repeat the function's name in it; the longest that C++ or Rust
/// mangling makes are a few hundred bytes. The kernel sets no limit of its own.
pub const SECTION_NAME_BYTES: u64 = 4096;

/// Bytes of a livepatch symbol's name: `.klp.sym.` + 55 + `.` + 511 + `,` + 20 digits is 597 for the longest
/// that the kernel can parse (`klp_resolve_symbols()`, 6.1: `%55[^.].%511[^,],%lu`).
pub const SYMBOL_NAME_BYTES: u64 = 600;

/// Bytes of any other symbol's name that is looked at. The kernel keeps 511 (`KSYM_NAME_LEN`, 6.1 and later); C++ and Rust
/// mangle to more, which no livepatch can ask for.
pub const ANY_SYMBOL_NAME_BYTES: u64 = 64 << 10;

/// Livepatch relocations of one file. Twenty times the largest livepatch ever measured here (100,000 made for
/// a test; real ones have tens). 40 bytes each: 80 MiB.
pub const KLP_RELOCATIONS: u64 = 2 << 20;

/// Distinct livepatch symbols of one file: as many as `kallsyms` holds for a small kernel.
pub const KLP_SYMBOLS: usize = 1 << 16;

/// Symbols of the names that a livepatch asks for, in one object: names repeat in a module a few times at most.
pub const OCCURRENCES: u64 = 1 << 16;

/// Patched functions of one file that are listed. The largest patches of distributions have hundreds.
pub const PATCHED_FUNCTIONS: u64 = 1 << 16;

/// Pointers of one section that are followed to find the patched functions. A livepatch's data has some hundreds.
pub const POINTERS: u64 = 1 << 20;

/// Module files of a folder and all within it. A distribution's kernel has about 6,000.
pub const TREE_FILES: usize = 1 << 20;

/// Folders within folders. `/lib/modules/<release>` has about eight.
pub const TREE_DEPTH: usize = 64;

/// Livepatch relocation sections of one file. The kernel's loader counts sections in 16 bits (`e_shnum`).
pub const SECTIONS: u16 = u16::MAX;

/// Modules of `depends=` that are looked at. The most that a module of a distribution has are about 30.
pub const DEPENDS: usize = 1024;

/// Bytes of `.modinfo`: a `parm` and an `alias` for each device id; amdgpu's takes about 60 KB.
pub const MODINFO_BYTES: u64 = 16 << 20;

/// Bytes of a build-id: SHA-1 has 20, and no linker makes more than 64. The kernel keeps 20.
pub const BUILD_ID_BYTES: usize = 64;
