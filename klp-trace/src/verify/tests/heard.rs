//! What the kernel's own log said, put to the findings that it belongs to.

use super::story::Story;
use crate::{
    journal::{Body, Finding, KernelMessage},
    klog::{self, Line},
    model::{FindingId, Hook, Phase},
};
use std::borrow::Cow;

const NOT_ZERO: &str = "module: x86/modules: Invalid relocation target, existing value is nonzero for type 1, loc 00000000b1d5cf41, val 9010";
const NOT_INITIALIZED: &str = "livepatch: failed to initialize patch 'lp' for module 'tmod' (-8)";
const REFUSED: &str = "livepatch: patch 'lp' failed for module 'tmod', refusing to load module 'tmod'";
const REVERTING: &str = "livepatch: reverting patch 'lp' on unloading module 'tmod'";
const CHANGED: &str = "module: x86/modules: Invalid relocation target, existing value does not match expected value for type 1, \
                       loc 00000000b1d5cf41, val 1020";

fn message(text: &str) -> KernelMessage {
    klog::message(&Line { number: 1, logged_us: 1, text: Cow::Borrowed(text.as_bytes()) }).unwrap()
}

/// A load that the kernel refused over stale targets, with what it said, and an unload before it.
fn refused(said: &[&str]) -> Vec<Finding> {
    let mut story = Story::new(false);
    story.load_patch();
    story.load_target(0x1000);
    let old = story.values();
    story.unload_target(old, false);
    story.findings();
    story.base = 0x9000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.symbols();
    story.read(Hook::ApplyRelocateAdd, Some(-8), old, story.values());
    story.hook(Hook::ApplyRelocateAdd, Phase::Exit, Some(-8));
    for text in said {
        story.feed(Body::KernelMessage(message(text)));
    }
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(-8));
    story.findings()
}

fn kernel(finding: &Finding) -> Vec<&str> {
    finding.kernel.iter().map(|text| &**text).collect()
}

#[test]
fn a_refusal_has_the_kernels_words() {
    let [finding] = refused(&[NOT_ZERO, NOT_INITIALIZED, REFUSED]).try_into().unwrap();
    assert_eq!(finding.id, FindingId::Klp009);
    assert_eq!(kernel(&finding), [NOT_ZERO, NOT_INITIALIZED, REFUSED]);
}

#[test]
fn words_change_nothing_but_themselves() {
    let [mut with] = refused(&[NOT_ZERO, NOT_INITIALIZED, REFUSED]).try_into().unwrap();
    let [without] = refused(&[]).try_into().unwrap();
    assert_eq!(kernel(&without), [""; 0]);
    with.kernel.clear();
    assert_eq!(with, without);
}

#[test]
fn words_of_another_load_patch_or_relocation_are_not_taken() {
    // Of the load before, of another patch, of a relocation of another type or place, of the load after.
    let earlier = "livepatch: applying patch 'lp' to loading module 'tmod'";
    let other_type = NOT_ZERO.replace("type 1,", "type 2,");
    let said = [
        "livepatch: symbol 'c' not found in symbol table",
        earlier,
        &other_type,
        "livepatch: failed to initialize patch 'other' for module 'tmod' (-8)",
        "module: x86/modules: Invalid relocation target, existing value is nonzero for sec 7, idx 0, type 1, loc \
         ffffffffc0809999, val 9010",
        NOT_INITIALIZED,
        REFUSED,
        NOT_ZERO,
        REFUSED,
    ];
    let [finding] = refused(&said).try_into().unwrap();
    assert_eq!(kernel(&finding), [NOT_INITIALIZED, REFUSED]);
    // Without the refusal nothing tells whose words they are.
    let [finding] = refused(&[NOT_ZERO, NOT_INITIALIZED]).try_into().unwrap();
    assert_eq!(kernel(&finding), [""; 0]);
}

#[test]
fn the_place_tells_the_relocation() {
    let here = "module: x86/modules: Invalid relocation target, existing value is nonzero for sec 7, idx 0, type 1, loc \
                ffffffffc0801000, val 9010";
    let [finding] = refused(&[here, REFUSED]).try_into().unwrap();
    assert_eq!(kernel(&finding), [here, REFUSED]);
}

#[test]
fn a_clear_that_stops_has_the_kernels_words() {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    let other = "livepatch: reverting patch 'other' on unloading module 'tmod'";
    for text in [other, CHANGED, REVERTING, CHANGED, REFUSED] {
        story.feed(Body::KernelMessage(message(text)));
    }
    story.unload_target([0, story.values()[1]], true);
    let [finding] = story.findings().try_into().unwrap();
    assert_eq!(finding.id, FindingId::Klp002);
    assert_eq!(kernel(&finding), [REVERTING, CHANGED]);
}

#[test]
fn of_an_unload_a_patch_has_the_words_up_to_the_next_patchs() {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    let other = "livepatch: reverting patch 'other' on unloading module 'tmod'";
    for text in [REVERTING, CHANGED, other, CHANGED] {
        story.feed(Body::KernelMessage(message(text)));
    }
    story.unload_target([0, story.values()[1]], true);
    let [finding] = story.findings().try_into().unwrap();
    assert_eq!(kernel(&finding), [REVERTING, CHANGED]);
}

#[test]
fn a_patch_that_is_itself_refused_has_the_words_since_it_was_to_be_enabled() {
    let enabling = "livepatch: enabling patch 'lp'";
    let mut story = Story::new(false);
    story.load_patch();
    story.load_target(0x1000);
    for text in [NOT_ZERO, enabling, NOT_ZERO, NOT_INITIALIZED] {
        story.feed(Body::KernelMessage(message(text)));
    }
    story.hook(Hook::ApplyRelocateAdd, Phase::Exit, Some(-8));
    let [finding] = story.findings().try_into().unwrap();
    assert!(finding.message.contains("refused to enable patch lp"), "{}", finding.message);
    assert_eq!(kernel(&finding), [NOT_ZERO, NOT_INITIALIZED]);
}

#[test]
fn words_are_kept_for_half_a_minute() {
    const KEPT_NS: u64 = 30_000_000_000;
    for (after, kept) in [(0, true), (KEPT_NS, true), (KEPT_NS + 1, false)] {
        let mut story = Story::new(true);
        story.load_patch();
        story.hook(Hook::KlpModuleComing, Phase::Enter, None);
        story.feed(Body::KernelMessage(message(REFUSED)));
        story.now += after;
        story.hook(Hook::KlpModuleComing, Phase::Exit, Some(-22));
        let [finding] = story.findings().try_into().unwrap();
        assert_eq!(!finding.kernel.is_empty(), kept, "{after} ns later");
    }
}

#[test]
fn no_words_make_a_finding() {
    let mut story = Story::new(true);
    story.load_patch();
    for text in [NOT_ZERO, NOT_INITIALIZED, REFUSED, REVERTING, CHANGED] {
        story.feed(Body::KernelMessage(message(text)));
    }
    story.load_target(0x1000);
    story.unload_target([0, 0], true);
    assert_eq!(story.findings(), []);
}
