//! A patch that could not be enabled, because an object that was there before it lacks a symbol.

use super::story::{PATCH, Story};
use crate::{
    journal::{Body, Finding, Lookup, ObjectRef, SymbolLookup},
    klog::{self, Line},
    model::{Address, FindingId, Hook, Phase, Reason},
};
use std::borrow::Cow;

const POSITION: &str = "livepatch: symbol position 2 for symbol 'a' in object 'tmod' not found";

fn lookup(story: &mut Story, why: Reason) {
    story.feed(Body::SymbolLookup(SymbolLookup {
        object: Story::object(story.base),
        symbol: "a".into(),
        sympos: 0,
        outcome: Lookup::Failed { why },
    }));
}

fn heard(story: &mut Story, text: &str) {
    let line = Line { number: 1, logged_us: 1, text: Cow::Borrowed(text.as_bytes()) };
    story.feed(Body::KernelMessage(klog::message(&line).unwrap()));
}

/// The patch is loaded, with the object there or not, and goes again.
fn patch_goes(there: bool, why: Option<Reason>) -> Vec<Finding> {
    let mut story = Story::new(true);
    if there {
        story.base = 0x1000;
        story.hook(Hook::KlpModuleComing, Phase::Enter, None);
        story.hook(Hook::KlpModuleComing, Phase::Exit, Some(0));
    }
    story.metadata(Story::patch_loaded());
    story.read(Hook::ModuleLoad, None, [0, 0], [0, 0]);
    if let Some(why) = why {
        assert_eq!(story.verifier.unresolved(Address(PATCH)).len(), if there { 2 } else { 0 });
        lookup(&mut story, why);
    }
    heard(&mut story, POSITION);
    going(&mut story);
    assert!(!story.verifier.knows(Address(PATCH)));
    story.findings()
}

fn going(story: &mut Story) {
    let patch = ObjectRef { name: "lp".into(), address: Some(Address(PATCH)), load: None };
    story.module_hook(Hook::KlpModuleGoing, Phase::Exit, None, patch);
}

#[test]
fn it_is_named_with_the_kernels_words() {
    let [finding] = patch_goes(true, Some(Reason::SymbolNotFound)).try_into().unwrap();
    assert_eq!(finding.id, FindingId::Klp014);
    assert!(
        finding.message.contains("needs symbol a,0 of tmod, which does not have it when it has been loaded")
    );
    assert!(finding.action.starts_with("load lp before tmod"), "{}", finding.action);
    assert_eq!(finding.kernel.iter().map(|text| &**text).collect::<Vec<_>>(), [POSITION]);
    let [finding] = patch_goes(true, Some(Reason::SymbolAmbiguous)).try_into().unwrap();
    assert!(
        finding.message.contains("which has it more than once when it has been loaded"),
        "{}",
        finding.message
    );
}

#[test]
fn words_of_another_symbol_are_not_its_own() {
    let mut story = Story::new(true);
    story.base = 0x1000;
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(0));
    story.metadata(Story::patch_loaded());
    story.read(Hook::ModuleLoad, None, [0, 0], [0, 0]);
    lookup(&mut story, Reason::SymbolNotFound);
    heard(&mut story, &POSITION.replace("'a'", "'b'"));
    going(&mut story);
    let [finding] = story.findings().try_into().unwrap();
    assert!(finding.message.contains("needs symbol a,0"), "{}", finding.message);
    assert_eq!(finding.kernel, []);
}

#[test]
fn a_patch_that_was_in_use_lacks_nothing() {
    let mut story = Story::new(true);
    story.load_patch();
    story.load_target(0x1000);
    let left = story.values();
    story.unload_target(left, true);
    // The object comes back while the patch is on its way out, and without the symbol.
    story.hook(Hook::KlpModuleComing, Phase::Enter, None);
    story.hook(Hook::KlpModuleComing, Phase::Exit, Some(0));
    assert!(story.verifier.unresolved(Address(PATCH)).is_empty());
    story.findings();
    lookup(&mut story, Reason::SymbolNotFound);
    going(&mut story);
    assert_eq!(story.findings(), []);
}

#[test]
fn without_the_object_or_a_lookup_nothing_is_said() {
    assert_eq!(patch_goes(false, Some(Reason::SymbolNotFound)), []);
    assert_eq!(patch_goes(true, None), [], "the kernel's words alone make no finding");
    assert_eq!(patch_goes(true, Some(Reason::SymbolsGone)), []);
}
