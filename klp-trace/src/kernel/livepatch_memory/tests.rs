use super::*;
use crate::kernel::kcore;

pub(crate) const OFFSETS: Offsets = Offsets {
    name: 24,
    klp: 100,
    klp_info: 104,
    strtab: 112,
    num_symtab: 120,
    shnum: 60,
    sechdrs: 64,
    secstrings: 72,
    symndx: 80,
};

pub(crate) const MODULE: u64 = 0xffff_ffff_c080_2000;
const INFO: u64 = 0xffff_8880_0000_1000;
const HEADERS: u64 = 0xffff_8880_0000_2000;
const NAMES: u64 = 0xffff_8880_0000_3000;
const SYMBOLS: u64 = 0xffff_ffff_c080_4000;
const STRINGS: u64 = 0xffff_ffff_c080_5000;
const RELAS: u64 = 0xffff_ffff_c080_6000;
pub(crate) const TARGET: u64 = 0xffff_ffff_c080_7000;

/// A livepatch `lp` in a core file: section 1 .data, 2 .klp.rela.tmod..data with two R_X86_64_64 entries against symbol
/// 1, 3 the symbol table. `bytes` is what stands in .data, `value` what the kernel resolved.
pub(crate) fn livepatch(bytes: [u64; 2], value: u64) -> Vec<u8> {
    let mut module = vec![0; 128];
    module[24..26].copy_from_slice(b"lp");
    module[100] = 1;
    module[104..112].copy_from_slice(&INFO.to_le_bytes());
    module[112..120].copy_from_slice(&STRINGS.to_le_bytes());
    module[120..124].copy_from_slice(&2_u32.to_le_bytes());
    let mut info = vec![0; 88];
    info[60] = 4; // e_shnum
    info[64..72].copy_from_slice(&HEADERS.to_le_bytes());
    info[72..80].copy_from_slice(&NAMES.to_le_bytes());
    info[80] = 3; // symndx
    let header = |name: u32, flags: u64, address: u64, size: u64, target: u32| {
        let mut bytes = vec![0; 64];
        bytes[0..4].copy_from_slice(&name.to_le_bytes());
        bytes[8..16].copy_from_slice(&flags.to_le_bytes());
        bytes[16..24].copy_from_slice(&address.to_le_bytes());
        bytes[32..40].copy_from_slice(&size.to_le_bytes());
        bytes[44..48].copy_from_slice(&target.to_le_bytes());
        bytes
    };
    let headers = [
        header(0, 0, 0, 0, 0),
        header(1, 3, TARGET, 16, 0),
        header(7, SHF_RELA_LIVEPATCH, RELAS, 48, 1),
        header(0, 0, SYMBOLS, 48, 0),
    ];
    let names = b"\0.data\0.klp.rela.tmod..data\0";
    let mut symbols = vec![0; 48];
    symbols[24] = 1; // st_name
    symbols[28] = 0x10; // st_info
    symbols[30..32].copy_from_slice(&0xff20_u16.to_le_bytes());
    symbols[32..40].copy_from_slice(&value.to_le_bytes());
    let strings = b"\0.klp.sym.tmod.secret,0\0";
    let relas: Vec<u8> =
        [0, (1 << 32) | 1, 4, 8, (1 << 32) | 1, 8_u64].iter().flat_map(|word| word.to_le_bytes()).collect();
    let target: Vec<u8> = bytes.iter().flat_map(|word| word.to_le_bytes()).collect();
    kcore::tests::core(&[
        (MODULE, &module),
        (INFO, &info),
        (HEADERS, &headers.concat()),
        (NAMES, names),
        (SYMBOLS, &symbols),
        (STRINGS, strings),
        (RELAS, &relas),
        (TARGET, &target),
    ])
}

pub(crate) fn open(file: &[u8]) -> Kcore {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kcore");
    std::fs::write(&path, file).unwrap();
    Kcore::open(&path).unwrap()
}

#[test]
fn a_livepatch_is_walked_from_its_struct_module() {
    let kcore = open(&livepatch([5, 6], 0x77));
    let patch = Livepatch::at(&kcore, &OFFSETS, MODULE).unwrap();
    assert_eq!(patch.name, b"lp");
    assert_eq!(patch.livepatch_sections(), [2]);
    let section = patch.header(2).unwrap();
    assert_eq!(patch.section_name(&section), Some((b".klp.rela.tmod..data".to_vec(), false)));
    assert_eq!((section.info, patch.header(section.info).unwrap().address), (1, TARGET));
    assert_eq!(patch.entries(&section).unwrap(), [[0, (1 << 32) | 1, 4], [8, (1 << 32) | 1, 8]]);
    let symbols = patch.symbols().unwrap();
    assert_eq!(symbols.get(1), Some([1 | 0x10 << 32 | 0xff20 << 48, 0x77]));
    assert_eq!(symbols.get(2), None);
    assert_eq!(symbols.name(&kcore, 1), Some((b".klp.sym.tmod.secret,0".to_vec(), false)));
    assert!(patch.header(4).is_none());
}

#[test]
fn what_is_no_livepatch_is_none() {
    let mut file = livepatch([0, 0], 0);
    let module_at = 64 + 56 * 8;
    file[module_at + 100] = 0; // module.klp
    assert!(Livepatch::at(&open(&file), &OFFSETS, MODULE).is_none());
    let kcore = open(&livepatch([0, 0], 0));
    assert!(Livepatch::at(&kcore, &OFFSETS, 0).is_none());
    assert!(Livepatch::at(&kcore, &OFFSETS, MODULE + 8).is_none());
}
