//! What a verdict rests on is said with it: which ELF, whose symbols.

use super::story::Story;
use crate::{
    journal::{Body, Elf, ElfWitness, PatchMetadata, RelocState, SectionRef, SymbolSource},
    model::{Address, Hook, Phase},
};

type Witness = (ElfWitness, Option<SymbolSource>, Option<Address>);

/// The witnesses of the first relocation's verdicts, and the symbol's value where it was one.
fn witnesses(story: &Story) -> Vec<Witness> {
    let states = story.said.iter().filter_map(|body| match body {
        Body::RelocState(RelocState { reloc, witnesses: Some(rests), live, .. }) if reloc.index == 0 => {
            Some((rests.elf, rests.symbols, *live))
        }
        _ => None,
    });
    states.collect()
}

#[test]
fn an_object_that_is_there_needs_symbols_and_one_that_is_not_needs_none() {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    story.unload_target([0, 0], true);
    // Refused over what another load left, with the symbols still there to be looked up.
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.symbols();
    story.read(Hook::ApplyRelocateAdd, Some(-8), story.values(), story.values());
    let found = Some(SymbolSource::Kallsyms);
    let none = (ElfWitness::File, None, None);
    assert_eq!(witnesses(&story), [none, (ElfWitness::File, found, Some(Address(0x1010))), none, none]);
}

#[test]
fn the_elf_is_the_file_or_the_kernels_copy_or_none_when_the_file_differs() {
    let memory = || Elf::Memory { why: "no .ko found".to_owned() };
    let differs = || Elf::Differs { path: "lp.ko".into(), difference: "an addend".into() };
    for (own, other, witness) in [
        (Story::patch_loaded(), Story::patch_loaded(), ElfWitness::File),
        (memory(), memory(), ElfWitness::Memory),
        (differs(), Story::patch_loaded(), ElfWitness::Differs),
        (Story::patch_loaded(), differs(), ElfWitness::Differs),
        (memory(), differs(), ElfWitness::Differs),
    ] {
        let mut story = Story::new(true);
        story.feed(Body::PatchMetadata(PatchMetadata {
            patch: Story::patch(),
            section: SectionRef { index: 8, name: ".klp.rela.tmod..text".into() },
            object: "tmod".into(),
            elf: other,
            target: ".text".into(),
            writable: false,
            total: 0,
            entries: vec![],
        }));
        story.metadata(own);
        story.read(Hook::ModuleLoad, None, [0, 0], [0, 0]);
        assert_eq!(witnesses(&story), [(witness, None, None)]);
    }
}
