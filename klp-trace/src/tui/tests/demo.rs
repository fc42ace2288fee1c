//! What a new user sees of the demo.

use super::{Person, SIZES};
use crate::tui::replay::Recorded;

#[test]
fn the_stale_relocation_and_its_remedy_are_found_within_two_keys() {
    let mut p = Person::replay(Recorded::Demo, SIZES[0]);
    let screen = p.text();
    assert!(screen.contains("▲ stale    0x7    64     klp_target_counter"), "{screen}");
    assert!(
        screen.contains("do    disable patch lp_one and remove its module, then load klp_target"),
        "{screen}"
    );
    p.press("tab enter");
    let page = p.text();
    for part in ["expected  00 00", "^^ ^^ ^^", "points to 0xffffffffc0", "klp_target:klp_target_counter"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    p.press("end");
    let page = p.text();
    assert!(page.contains("written by apply_relocate_add, by insmod["), "{page}");
    assert!(page.contains("KLP001  do before klp_target is loaded again"), "{page}");
}

#[test]
fn the_story_can_be_told_again() {
    let mut p = Person::replay(Recorded::Demo, SIZES[0]);
    p.seek(0);
    let mut seen = String::new();
    while p.tape().position < p.tape().events {
        p.press("}");
        seen.push_str(&p.text());
    }
    for told in ["… pending 16", "✓ applied 16", "▲ stale 16", "KLP001", "KLP009", "transition of lp_one"]
    {
        assert!(seen.contains(told), "{told}");
    }
}
