//! Relocations where the kernel has done with the memory when it writes them.

use super::{both, story::Story};
use crate::{
    journal::{Body, Finding, PatchMetadata, SectionRef},
    model::{FindingId, Hook, Reason, Severity, Verdict},
};

/// The story's patch with its relocations in another section, gated on `object`.
fn into(target: &str, object: &str) -> (Story, Vec<Finding>) {
    into_on("6.12.1", target, object)
}

fn into_on(release: &str, target: &str, object: &str) -> (Story, Vec<Finding>) {
    let mut story = Story::new(true);
    story.metadata(Story::patch_loaded());
    let metadata = story.said.iter().find_map(|body| match body {
        Body::PatchMetadata(metadata) => Some(metadata.clone()),
        _ => None,
    });
    let metadata = PatchMetadata { target: target.into(), object: object.into(), ..metadata.unwrap() };
    let mut story = Story::new(true).on(release);
    story.feed(Body::PatchMetadata(metadata));
    let findings = story.findings();
    (story, findings)
}

#[test]
fn what_is_freed_or_read_before_is_said_at_once() {
    for (target, object, words) in [
        (".init.data", "tmod", "frees the section when the patch's init is done: each time tmod is loaded"),
        (".init.text", "tmod", "each time tmod is unloaded, the kernel reads it: an oops"),
        (".data..percpu", "tmod", "reaches no processor's copy"),
        (".data..percpu", "vmlinux", "no processor's copy is relocated"),
        ("__jump_table", "tmod", "jump labels are set up when the patch is loaded"),
    ] {
        let [finding] = into(target, object).1.try_into().unwrap();
        assert_eq!((finding.id, finding.severity), (FindingId::Klp012, Severity::Error));
        assert!(
            finding.message.contains(&format!("3 relocations of patch lp against {object} are in {target}"))
        );
        assert!(finding.why.contains(words), "{}", finding.why);
        assert!(finding.action.contains("patch lp"), "{}", finding.action);
    }
    // What is gated on the kernel is written before init runs, and before special sections are read.
    for (target, object) in
        [(".text", "tmod"), (".data", "vmlinux"), (".init.text", "vmlinux"), ("__jump_table", "vmlinux")]
    {
        assert_eq!(into(target, object).1, []);
    }
}

#[test]
fn per_cpu_data_against_vmlinux_is_said_of_kernels_that_pass_over_it() {
    for (release, said) in [("6.1.2", 1), ("6.15.9", 1), ("6.16.0", 0), ("7.3.1", 0), ("", 0)] {
        assert_eq!(into_on(release, ".data..percpu", "vmlinux").1.len(), said, "{release}");
        assert_eq!(into_on(release, ".data..percpu", "tmod").1.len(), 1, "{release}");
    }
}

#[test]
fn it_is_said_once_a_section() {
    let (mut story, _) = into(".init.data", "tmod");
    story.metadata(Story::patch_loaded());
    assert_eq!(story.findings(), [], "more of a section that is known");
    story.feed(Body::PatchMetadata(PatchMetadata {
        patch: Story::patch(),
        section: SectionRef { index: 8, name: ".klp.rela.tmod..init.text".into() },
        object: "tmod".into(),
        elf: Story::patch_loaded(),
        target: ".init.text".into(),
        writable: false,
        total: 1,
        entries: vec![],
    }));
    let [finding] = story.findings().try_into().unwrap();
    assert!(finding.message.starts_with("1 relocation of patch lp against tmod is in .init.text"));
}

#[test]
fn once_init_is_done_nothing_is_known_of_what_it_held() {
    let (mut story, _) = into(".init.data", "tmod");
    story.read(Hook::ModuleLoad, None, [0, 0], [0, 0]);
    let states = story.verdicts();
    assert_eq!(states.get(..2), Some(&both(Verdict::Pending, None)[..]), "it is there until then");
    // The object is there: the kernel writes while the patch's init runs.
    story.load_target(0x1000);
    assert_eq!(story.verdicts(), both(Verdict::Applied, None));
    let freed = both(Verdict::Unknown, Some(Reason::TargetFreed));
    story.read(Hook::Demand, None, story.values(), story.values());
    assert_eq!(story.verdicts(), freed, "whatever it looks like");
    story.unload_target([0, 0], true);
    assert_eq!(story.verdicts(), [], "still");
    assert_eq!(story.findings(), []);
    assert_eq!(story.verifier.outcome().unknown, 2);
}

#[test]
fn a_per_cpu_template_is_gone_before_anything_is_written() {
    let (mut story, _) = into(".data..percpu", "tmod");
    story.read(Hook::ModuleLoad, None, [7, 8], [0, 0]);
    let mut states = both(Verdict::Unknown, Some(Reason::TargetFreed));
    states.push((2, None, None));
    assert_eq!(story.verdicts(), states);
    story.load_target(0x1000);
    assert_eq!(story.verdicts(), []);
}

#[test]
fn what_the_kernel_wrote_to_init_for_itself_is_freed_too() {
    let (mut story, findings) = into(".init.data", "vmlinux");
    assert_eq!(findings, []);
    story.read(Hook::Demand, None, [0, 0], [0x10, 0x20]);
    // Or the patch would not have been loaded: nothing is left to be right or wrong.
    let freed = [0, 1].map(|index| (index, None, Some(Reason::TargetFreed)));
    assert_eq!(story.verdicts().get(..2), Some(&freed[..]));
}
