//! What a good livepatch file gives.

use std::path::Path;

use super::*;
use crate::elf::testing;

fn parse(data: &[u8]) -> Result<PatchFile, Error> {
    PatchFile::parse(data, Path::new("dir/lp-test.ko"))
}

#[test]
fn a_livepatch_is_read_whole() {
    let patch = parse(&testing::livepatch()).unwrap();
    assert_eq!(patch.name, "lp_test");
    assert_eq!(patch.build_id, Some(vec![0xab; 20]));
    assert_eq!(patch.vermagic.as_deref(), Some("6.1 SMP"));
    assert_eq!(patch.srcversion, None);
    assert_eq!(patch.relocation_count(), 3);
    let gates: Vec<_> = patch
        .sections
        .iter()
        .map(|s| (s.index, s.object.as_str(), s.target_index, s.target_name.as_str(), s.target_writable))
        .collect();
    assert_eq!(
        gates,
        [
            (testing::KLP_TEXT, "tmod", testing::TEXT, ".text", false),
            (testing::KLP_DATA, "vmlinux", testing::DATA, ".data", true)
        ]
    );
    let first = &patch.sections[0].relocs[0];
    assert_eq!((first.index, first.offset, first.rtype, first.addend, first.symbol), (0, 8, 4, -4, 2));
    assert_eq!(first.original, [8, 9, 10, 11, 12, 13, 14, 15]);
    assert!(first.in_target);
    let symbols: Vec<_> =
        patch.symbols.values().map(|s| (s.index, s.object.as_str(), s.name.as_str(), s.sympos)).collect();
    assert_eq!(symbols, [(2, "tmod", "secret", 0), (3, "tmod", "twice", 2), (4, "vmlinux", "printk", 1)]);
}

#[test]
fn without_a_name_in_modinfo_the_file_names_the_module() {
    let mut sections = testing::sections();
    sections[testing::MODINFO as usize - 1].data = b"livepatch=Y".to_vec();
    assert_eq!(parse(&testing::build(sections)).unwrap().name, "lp_test");
}

#[test]
fn targets_beyond_the_section_are_noted() {
    let mut sections = testing::sections();
    let data: Vec<u8> = [(60, 4), (61, 4), (56, 1), (57, 1), (u64::MAX, 4), (64, 0)]
        .iter()
        .flat_map(|(offset, rtype)| testing::rela(*offset, 2, *rtype, 0))
        .collect();
    sections[testing::KLP_TEXT as usize - 1].data = data;
    let patch = parse(&testing::build(sections)).unwrap();
    let relocs = &patch.sections[0].relocs;
    let inside: Vec<_> = relocs.iter().map(|r| r.in_target).collect();
    assert_eq!(inside, [true, false, true, false, false, true]);
    assert_eq!(relocs[1].original, [61, 62, 63, 0, 0, 0, 0, 0]);
    assert_eq!(relocs[4].original, [0; 8]);
}

#[test]
fn targets_without_file_contents_are_zero() {
    let mut sections = testing::sections();
    sections[testing::KLP_DATA as usize - 1].info = testing::BSS;
    let patch = parse(&testing::build(sections)).unwrap();
    let section = &patch.sections[1];
    assert_eq!((section.target_name.as_str(), section.target_size), (".bss", 16));
    assert_eq!(section.relocs[0].original, [0; 8]);
    assert!(section.relocs[0].in_target);
}

#[test]
fn only_the_flag_makes_a_livepatch_section() {
    let mut sections = testing::sections();
    sections[testing::KLP_DATA as usize - 1].flags &= !klp::SHF_RELA_LIVEPATCH;
    let patch = parse(&testing::build(sections)).unwrap();
    assert_eq!(patch.sections.len(), 1);
    assert_eq!(patch.unmarked, [".klp.rela.vmlinux..data"]);
}

#[test]
fn many_relocations_share_few_symbols() {
    let mut sections = testing::sections();
    let many = (0..20_000u32).flat_map(|i| testing::rela(u64::from(i % 8), 2 + i % 2, 2, i64::from(i)));
    sections[testing::KLP_TEXT as usize - 1].data = many.collect();
    let patch = parse(&testing::build(sections)).unwrap();
    assert_eq!((patch.relocation_count(), patch.symbols.len()), (20_001, 3));
    let last = patch.sections[0].relocs.last().unwrap();
    assert_eq!((last.index, last.addend, last.symbol), (19_999, 19_999, 3));
}

#[test]
fn hostile_names_come_out_escaped() {
    let mut sections = testing::sections();
    sections[testing::KLP_TEXT as usize - 1].name = ".klp.rela.t\x1b[2J..te\u{202e}xt".to_owned();
    let patch = parse(&testing::build(sections)).unwrap();
    assert_eq!(patch.sections[0].object, "t\\x1b[2J");
    assert_eq!(patch.sections[0].name, ".klp.rela.t\\x1b[2J..te\\u{202e}xt");
}

/// The facts are those that `readelf -SrsnW` prints of the file.
#[test]
fn a_patch_that_kpatch_build_made() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/kpatch-veth-6.12.107+deb13-cloud-amd64.ko.xz"
    );
    let patch = PatchFile::read(Path::new(file)).unwrap();
    assert_eq!(patch.name, "kpatch_veth");
    let build_id = patch.build_id.as_deref().map(notes::hex);
    assert_eq!(build_id.as_deref(), Some("61aab049ad46a45f8aab3bfca6aa52b9b9af27eb"));
    let vermagic = "6.12.107+deb13-cloud-amd64 SMP preempt mod_unload modversions ";
    assert_eq!(patch.vermagic.as_deref(), Some(vermagic));
    let [section] = patch.sections.as_slice() else { panic!("{} sections", patch.sections.len()) };
    assert_eq!((section.index, section.name.as_str()), (77, ".klp.rela.veth..text.veth_setup"));
    assert_eq!((section.object.as_str(), section.target_name.as_str()), ("veth", ".text.veth_setup"));
    assert_eq!((section.target_index, section.target_size, section.target_writable), (8, 0xe7, false));
    let relocs: Vec<_> = section
        .relocs
        .iter()
        .map(|r| (r.offset, patch.arch.type_name(r.rtype), r.addend, patch.symbols[&r.symbol].raw.as_str()))
        .collect();
    let s32 = Some("R_X86_64_32S");
    assert_eq!(
        relocs,
        [
            (0x2f, s32, 0, ".klp.sym.veth.veth_netdev_ops,1"),
            (0x6c, s32, 0, ".klp.sym.veth.veth_xdp_metadata_ops,1"),
            (0x9f, s32, 0, ".klp.sym.veth.veth_ethtool_ops,1"),
            (0xc5, s32, 0, ".klp.sym.veth.veth_dev_free,1"),
        ]
    );
    assert_eq!(patch.symbols.keys().copied().collect::<Vec<_>>(), [88, 89, 90, 91]);
    assert!(section.relocs.iter().all(|r| r.original[..4] == [0; 4] && r.in_target));
    assert!(patch.unmarked.is_empty());
}

/// The fuzzer's seeds are this small livepatch, as `xz`, `zstd` and `gzip` themselves wrote it.
#[test]
fn seeds_made_by_the_usual_programs() {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds");
    for name in ["minimal.ko", "minimal.ko.xz", "minimal.ko.zst", "minimal.ko.gz"] {
        let contents = open::module(&Path::new(seeds).join(name)).unwrap();
        assert!(*contents.bytes == testing::livepatch(), "{name}");
        assert_eq!(contents.decompressed, name != "minimal.ko");
    }
    let stripped = PatchFile::read(&Path::new(seeds).join("kpatch-veth.ko")).unwrap();
    assert_eq!((stripped.relocation_count(), stripped.symbols.len()), (4, 4));
}
