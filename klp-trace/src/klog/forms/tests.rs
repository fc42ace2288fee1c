use super::*;
use proptest::prelude::*;
use std::borrow::Cow;

fn meaning(text: &str) -> Option<KernelMessage> {
    message(&Line { number: 1, logged_us: 2, text: Cow::Borrowed(text.as_bytes()) })
}

fn says(text: &str) -> KernelMessage {
    meaning(text).unwrap_or_else(|| panic!("not known: {text}"))
}

/// What a message names: patch, object, symbol.
fn names(message: &KernelMessage) -> [&str; 3] {
    [&message.patch, &message.object, &message.symbol].map(|name| name.as_deref().unwrap_or(""))
}

#[test]
fn a_target_that_is_not_zero_as_each_kernel_says_it() {
    let old = says(
        "module: x86/modules: Skipping invalid relocation target, existing value is nonzero for type 1, loc 000000007ca6c9ee, val \
         ffffffffc0366010",
    );
    assert_eq!((old.says, old.rtype, old.address), (Some(Says::TargetNotZero), Some(1), None));
    assert_eq!(old.value, Some(Address(0xffff_ffff_c036_6010)));
    let new = says(
        "module: x86/modules: Invalid relocation target, existing value is nonzero for type 2, loc 00000000f14edac2, val \
         9037",
    );
    assert_eq!((new.says, new.rtype, new.address), (Some(Says::TargetNotZero), Some(2), None));
    let newest = says(
        "module: x86/modules: Invalid relocation target, existing value is nonzero for sec 40, idx 0, type 1, loc \
         ffffffffc0805017, val ffffffffc025e060",
    );
    assert_eq!((newest.section, newest.index, newest.rtype), (Some(40), Some(0), Some(1)));
    assert_eq!(newest.address, Some(Address(0xffff_ffff_c080_5017)));
    assert_eq!(newest.value, Some(Address(0xffff_ffff_c025_e060)));
}

#[test]
fn a_target_that_was_changed_as_each_kernel_says_it() {
    let new = says(
        "module: x86/modules: Invalid relocation target, existing value does not match expected value for type 1, loc \
         0000000083a1c20c, val ffffffffc04a5050",
    );
    assert_eq!((new.says, new.rtype, new.section), (Some(Says::TargetChanged), Some(1), None));
    let newest = says(
        "module: x86/modules: Invalid relocation target, existing value does not match expected value for sec 44, idx 0, type 1, \
         loc ffffffffc0b24000, val ffffffffc0aee010",
    );
    assert_eq!((newest.says, newest.section, newest.index), (Some(Says::TargetChanged), Some(44), Some(0)));
    assert_eq!(newest.address, Some(Address(0xffff_ffff_c0b2_4000)));
}

#[test]
fn a_value_that_does_not_fit_as_each_kernel_says_it() {
    let old = says("module: overflow in relocation type 10 val ffffffffc04ac060");
    assert_eq!((old.says, old.rtype, old.section), (Some(Says::Overflow), Some(10), None));
    let newest = says("module: overflow in relocation type 10 val ffffffffc0aee010 sec 44 idx 2");
    assert_eq!((newest.value, newest.section), (Some(Address(0xffff_ffff_c0ae_e010)), Some(44)));
    assert_eq!(newest.index, Some(2));
    assert_eq!(says("module: lp_one: Unknown rela relocation: 7").rtype, Some(7));
    assert_eq!(meaning("module: `lp_overflow' likely not compiled with -mcmodel=kernel"), None);
}

#[test]
fn what_livepatch_says_of_symbols() {
    let absent = says("livepatch: symbol 'klp_target_absent' not found in symbol table");
    assert_eq!((absent.says, names(&absent)), (Some(Says::SymbolNotFound), ["", "", "klp_target_absent"]));
    let position =
        says("livepatch: symbol position 3 for symbol 'klp_target_twin' in object 'klp_target' not found");
    assert_eq!((position.says, position.sympos), (Some(Says::PositionNotFound), Some(3)));
    assert_eq!(names(&position), ["", "klp_target", "klp_target_twin"]);
    let several =
        says("livepatch: unresolvable ambiguity for symbol 'klp_target_twin' in object 'klp_target'");
    assert_eq!(
        (several.says, names(&several)),
        (Some(Says::SymbolAmbiguous), ["", "klp_target", "klp_target_twin"])
    );
    for text in [
        "livepatch: symbol printk is not marked as a livepatch symbol",
        "livepatch: symbol printk at rela sec 31 idx 4 is not marked as a livepatch symbol",
        "livepatch: symbol .klp.sym.x has an incorrectly formatted name",
        "livepatch: invalid access to vmlinux symbol 'x' from module-specific livepatch relocation section",
    ] {
        assert_eq!(says(text).says, Some(Says::SymbolMalformed), "{text}");
    }
}

#[test]
fn what_livepatch_says_of_patches_and_objects() {
    let cases = [
        ("livepatch: enabling patch 'lp_one'", Says::Enabling, ["lp_one", "", ""]),
        ("livepatch: 'lp_one': starting patching transition", Says::Transition, ["lp_one", "", ""]),
        ("livepatch: 'lp_one': patching complete", Says::Transition, ["lp_one", "", ""]),
        (
            "livepatch: applying patch 'lp_one' to loading module 'klp_target'",
            Says::Applying,
            ["lp_one", "klp_target", ""],
        ),
        (
            "livepatch: reverting patch 'lp_one' on unloading module 'klp_target'",
            Says::Reverting,
            ["lp_one", "klp_target", ""],
        ),
        (
            "livepatch: failed to initialize patch 'lp_one' for module 'klp_target' (-8)",
            Says::NotInitialized,
            ["lp_one", "klp_target", ""],
        ),
        (
            "livepatch: pre-patch callback failed for object 'klp_target'",
            Says::CallbackFailed,
            ["", "klp_target", ""],
        ),
        (
            "livepatch: failed to apply patch 'lp_one' to module 'klp_target' (-22)",
            Says::NotApplied,
            ["lp_one", "klp_target", ""],
        ),
        (
            "livepatch: patch 'lp_one' failed for module 'klp_target', refusing to load module 'klp_target'",
            Says::Refused,
            ["lp_one", "klp_target", ""],
        ),
        ("livepatch: failed to enable patch 'lp_one'", Says::NotEnabled, ["lp_one", "", ""]),
        ("livepatch: failed to patch object 'klp_target'", Says::NotPatched, ["", "klp_target", ""]),
        (
            "livepatch: failed to register ftrace handler for function 'f' (-16)",
            Says::NotPatched,
            ["", "", "f"],
        ),
        ("livepatch: signaling remaining tasks", Says::Signaling, ["", "", ""]),
        ("livepatch: forcing remaining tasks to the patched state", Says::Forcing, ["", "", ""]),
    ];
    for (text, meaning, named) in cases {
        let message = says(text);
        assert_eq!((message.says, names(&message)), (Some(meaning), named), "{text}");
        assert_eq!(&*message.text, text);
    }
    assert_eq!(says(cases[5].0).error, Some(-8));
}

#[test]
fn what_is_about_something_else_is_passed_over() {
    for text in [
        "",
        "klp_target: loading out-of-tree module taints kernel.",
        "livepatch: ",
        "livepatch: Failed to construct shadow variable <0, 0> (1)",
        "livepatch: enabling patch 'lp_one' and more",
        "module: x86/modules: Invalid relocation target, existing value is nonzero for type x, loc 0, val 0",
        "livepatch: 'lp_one': starting",
        " livepatch: enabling patch 'lp_one'",
    ] {
        assert_eq!(meaning(text), None, "{text}");
    }
}

#[test]
fn hostile_names_are_escaped_and_end_where_they_must() {
    let message = says("livepatch: enabling patch 'a\x1b[2J' to 'b'");
    assert_eq!(names(&message), ["a\\x1b[2J' to 'b", "", ""]);
    assert!(!message.text.contains('\x1b'));
}

proptest! {
    #[test]
    fn any_text_is_taken_without_harm(text in "(livepatch: |module: |)(symbol |patch |')?.{0,60}") {
        if let Some(message) = meaning(&text) {
            prop_assert!(!message.text.chars().any(char::is_control));
        }
    }
}
