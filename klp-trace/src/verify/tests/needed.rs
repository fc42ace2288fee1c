//! Which symbols are asked for, and when.

use super::story::Story;
use crate::model::Address;

/// The names that judging the story's section needs, alone and with all that is gated on its object.
fn needed(story: &Story) -> (Vec<String>, Vec<String>) {
    let names = |needed: std::collections::BTreeSet<_>| {
        needed.iter().map(|n: &crate::verify::NeededSymbol| n.symbol.to_string()).collect()
    };
    let alone = story.verifier.needed_symbols(Story::patch().address, Story::section().index);
    (names(alone), names(story.verifier.needed_for("tmod")))
}

#[test]
fn symbols_are_asked_for_once_a_load_of_their_object() {
    let mut story = Story::new(true);
    story.load_patch();
    let both = vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(needed(&story), (both.clone(), both.clone()));
    assert!(story.verifier.needed_for("another").is_empty());
    assert!(story.verifier.needed_symbols(Address(1), Story::section().index).is_empty());
    story.load_target(0x1000);
    assert_eq!(needed(&story), (vec![], vec![]));
    // The next load may put them elsewhere.
    story.unload_target([0, 0], true);
    assert_eq!(needed(&story), (both.clone(), both));
}
