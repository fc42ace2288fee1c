#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use super::snapshot::{Sight, Snapshot, State};
use super::*;
use crate::arch::Arch;
use crate::journal::testing::{any, golden};
use crate::journal::{ElfWitness, Event, Totals, recording};
use crate::model::{FindingId, Verdict};
use crate::output::event_sink::EventSink as _;
use crate::verify::Verifier;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a recording leads to; `each`: looked at after each event.
fn replayed(name: &str, each: &mut dyn FnMut(&Verifier, &Event)) -> Snapshot {
    let path = root().join("tests/recordings").join(name);
    let mut counts = Counts::default();
    let mut verifier: Option<Verifier> = None;
    let mut kernel = Kernel::default();
    recording::replay(&path, &mut |origin, event| {
        let of = &origin.host.kernel;
        kernel = Kernel { release: of.release.clone(), arch: of.arch.clone() };
        let verifier = verifier
            .get_or_insert_with(|| Verifier::new(Arch::from_uname(&of.arch).unwrap()).on(&of.release));
        let mut said = Vec::new();
        verifier.feed(event, &mut |event| said.push(event));
        for event in said {
            counts.event(&event).unwrap();
            each(verifier, &event);
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    let mut verifier = verifier.unwrap();
    verifier.finish(&mut |event| counts.event(&event).unwrap());
    let looks = Looks {
        interval: Duration::from_mins(15),
        last: Some(Duration::from_millis(1_764_403_412_123)),
        took: Duration::from_millis(42),
        last_record: Some(Duration::from_secs(1_764_403_400)),
    };
    let mut state = State::of(&verifier);
    // As the running kernel's sysfs would have it.
    state.patches.values_mut().for_each(|patch| patch.enabled = Some(true));
    Snapshot { kernel, sight: sees(state), counts, looks, journal: None }
}

fn sees(state: State) -> Sight {
    Sight::Sees(Arc::new(state))
}

fn moment(snapshot: Snapshot) -> Moment {
    Moment { snapshot: Arc::new(snapshot), age: Duration::ZERO, requests: Some([3, 1, 0]), process: None }
}

fn text(moment: Moment) -> String {
    Exposition::new(move || moment.clone()).unwrap().text().unwrap()
}

/// The value of a series.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

fn with(patches: BTreeMap<Arc<str>, PatchState>) -> Snapshot {
    let totals = patches.values().flat_map(|patch| patch.objects.values());
    let totals = totals.fold(Totals::new(), |mut all, of| {
        for (verdict, count) in of {
            *all.entry(*verdict).or_default() += count;
        }
        all
    });
    Snapshot {
        kernel: Kernel { release: "6.1.0".to_owned(), arch: "x86_64".to_owned() },
        sight: sees(State { totals, patches, ..State::default() }),
        counts: Counts::default(),
        looks: Looks::default(),
        journal: None,
    }
}

fn patch(objects: &[(&str, Verdict, u64)]) -> PatchState {
    let mut patch =
        PatchState { witness: Some(ElfWitness::File), enabled: Some(true), ..PatchState::default() };
    for (object, verdict, count) in objects {
        patch.objects.entry((*object).into()).or_default().insert(*verdict, *count);
    }
    patch
}

#[test]
fn a_recording_gives_this_text() {
    let mut snapshot = replayed("6.1-reload.ndjson.zst", &mut |_, _| {});
    // What the running kernel says of the patch beside its relocations.
    if let Sight::Sees(state) = &mut snapshot.sight {
        let state = Arc::make_mut(state);
        let patch = state.patches.get_mut("lp_one").unwrap();
        patch.build_id = Some("0123abcd".to_owned());
    }
    let text = text(moment(snapshot));
    // The commit changes.
    let lines = text.lines().filter(|line| !line.starts_with("klp_trace_build_info{"));
    let lines: String = lines.flat_map(|line| [line, "\n"]).collect();
    golden("metrics/tests/reload.prom", &lines);
    assert_eq!(value(&text, "klp_trace_relocations{verdict=\"stale\"}"), Some(16.0));
    assert_eq!(value(&text, "klp_trace_findings_total{finding=\"KLP009\"}"), Some(1.0));
    assert_eq!(value(&text, "klp_trace_findings{finding=\"KLP001\"}"), Some(1.0), "it still holds");
}

#[test]
fn a_finding_that_was_ended_holds_no_more() {
    let (mut most, mut last) = (0, 0);
    replayed("6.1-disable.ndjson.zst", &mut |verifier, _| {
        last = verifier.open_findings().get(&FindingId::Klp004).copied().unwrap_or(0);
        most = most.max(last);
    });
    assert_eq!((most, last), (1, 0));
}

#[test]
fn the_page_is_what_the_list_says() {
    golden("../../dashboards/METRICS.md", &document::metrics());
}

#[test]
fn names_are_as_prometheus_wants_them() {
    for metric in Metric::ALL {
        let name = metric.name();
        assert!(name.starts_with("klp_trace_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), metric.kind() == Kind::Counter, "{name}");
        assert!(metric.help().ends_with('.') && !metric.nonzero().is_empty(), "{name}");
    }
    let mut names: Vec<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Metric::ALL.len());
    let used = Metric::ALL.iter().flat_map(|metric| metric.labels());
    let used: std::collections::BTreeSet<_> = used.collect();
    assert_eq!(used.len(), Label::ALL.len(), "a label that no metric has");
}

#[test]
fn every_metric_is_told_when_all_is_known() {
    let mut snapshot = replayed("6.1-reload.ndjson.zst", &mut |_, _| {});
    snapshot.journal = Some(Journal { oldest: Some(Duration::from_secs(1)), ..Journal::default() });
    let process = crate::model::Process { max_fds: Some(1024), ..Default::default() };
    let text = text(Moment { process: Some(process), ..moment(snapshot) });
    for metric in Metric::ALL {
        let typed = format!("# TYPE {} {}\n", metric.name(), metric.kind().word());
        assert!(text.contains(&typed), "{}", metric.name());
    }
}

/// Metrics that are states: not there while they are not known.
const STATES: [&str; 10] = [
    "klp_trace_findings{",
    "klp_trace_relocations",
    "klp_trace_object_",
    "klp_trace_patch_info",
    "klp_trace_patch_enabled",
    "klp_trace_patch_relocations",
    "klp_trace_patches_unread",
    "klp_trace_patch_transition",
    "klp_trace_series_omitted",
    "verdict=\"",
];

#[test]
fn what_is_not_known_is_absent_and_not_frozen() {
    let seen = replayed("6.1-reload.ndjson.zst", &mut |_, _| {});
    let known = text(moment(seen.clone()));
    assert_eq!(value(&known, "klp_trace_up"), Some(1.0));
    assert!(STATES.iter().all(|state| known.contains(state)), "{known}");
    let blind = Snapshot { sight: Sight::Blind("no hook fires".to_owned()), ..seen.clone() };
    let old = Moment { age: STALE + Duration::from_secs(1), ..moment(seen.clone()) };
    let first = Snapshot { looks: Looks::default(), counts: Counts::default(), ..blind.clone() };
    for moment in [moment(blind), old, moment(first)] {
        assert!(moment.sight().is_err());
        let text = text(moment);
        assert_eq!(value(&text, "klp_trace_up"), Some(0.0));
        assert!(!STATES.iter().any(|state| text.contains(state)), "{text}");
        assert!(value(&text, "klp_trace_findings_total{finding=\"KLP009\"}").is_some(), "counts stay");
    }
    assert_eq!(value(&text(Moment { age: STALE, ..moment(seen) }), "klp_trace_up"), Some(1.0));
}

#[test]
fn of_a_patch_that_sysfs_did_not_tell_of_nothing_is_said_of_it() {
    let mut unread = patch(&[("a", Verdict::Applied, 4)]);
    unread.enabled = None;
    let text = text(moment(with([("lp".into(), unread)].into())));
    for absent in ["klp_trace_patch_enabled{", "klp_trace_patch_transition_seconds{"] {
        assert!(!text.contains(absent), "{text}");
    }
    assert_eq!(value(&text, "klp_trace_patch_relocations{patch=\"lp\"}"), Some(4.0));
}

#[test]
fn what_cannot_be_told_is_never_0_of_something_bad() {
    let patches = [
        ("good".into(), patch(&[("a", Verdict::Applied, 4)])),
        ("unknown".into(), patch(&[("a", Verdict::Applied, 3), ("b", Verdict::Unknown, 2)])),
        ("both".into(), patch(&[("a", Verdict::Unknown, 3), ("a", Verdict::Stale, 2)])),
        ("nothing".into(), patch(&[])),
        ("unread".into(), patch(&[])),
    ];
    let mut snapshot = with(patches.into());
    if let Sight::Sees(state) = &mut snapshot.sight {
        let state = Arc::make_mut(state);
        state.unread.insert("unread".into());
    }
    let text = text(moment(snapshot));
    let bad = |patch: &str, object: &str| {
        value(&text, &format!("klp_trace_object_relocations_bad{{object=\"{object}\",patch=\"{patch}\"}}"))
            .or_else(|| {
                value(
                    &text,
                    &format!("klp_trace_object_relocations_bad{{patch=\"{patch}\",object=\"{object}\"}}"),
                )
            })
    };
    assert_eq!(bad("good", "a"), Some(0.0));
    assert_eq!(bad("unknown", "a"), Some(0.0));
    assert_eq!(bad("unknown", "b"), None, "{text}");
    assert_eq!(bad("both", "a"), Some(2.0));
    let relocations =
        |patch: &str| value(&text, &format!("klp_trace_patch_relocations{{patch=\"{patch}\"}}"));
    assert_eq!((relocations("nothing"), relocations("unread")), (Some(0.0), None));
    assert_eq!(value(&text, "klp_trace_patches_unread"), Some(1.0));
}

#[test]
fn caps_cut_series_and_no_total() {
    let mut patches: BTreeMap<Arc<str>, PatchState> = BTreeMap::new();
    for number in 0..100 {
        let objects: Vec<String> = (0..100).map(|object| format!("{}{object:02}", "o".repeat(53))).collect();
        let objects: Vec<_> = objects.iter().map(|object| (object.as_str(), Verdict::Applied, 7)).collect();
        patches.insert(format!("{}{number:02}", "\\".repeat(53)).into(), patch(&objects));
    }
    patches.insert("zz_bad".into(), patch(&[("zz", Verdict::Mismatch, 1)]));
    let text = text(moment(with(patches)));
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!(series <= 400 && text.len() <= 64 << 10, "{series} series, {} bytes", text.len());
    assert_eq!(value(&text, "klp_trace_relocations{verdict=\"applied\"}"), Some(70_000.0));
    assert_eq!(value(&text, "klp_trace_relocations{verdict=\"mismatch\"}"), Some(1.0));
    assert!(text.contains("patch=\"zz_bad\"") && text.contains("object=\"zz\""), "the worst one stays");
    let all = 101_usize * 4 + 10_001 * 2;
    let listed = text.lines().filter(|line| !line.starts_with('#') && line.contains("patch=\"")).count();
    assert!(text.contains(&format!("\nklp_trace_series_omitted {}\n", all - listed)), "{text}");
}

#[test]
fn names_are_escaped_by_the_formats_rules() {
    let name: Arc<str> = label("a\"b\\c\nd");
    let mut snapshot = with([(name, patch(&[("x", Verdict::Applied, 1)]))].into());
    snapshot.kernel.release = "6.1\"\n\u{1b}[2J".to_owned();
    let text = text(moment(snapshot));
    assert!(text.contains(r#"klp_trace_patch_enabled{patch="a\"b\\c\nd"} 1"#), "{text}");
    assert!(text.contains(r#"release="6.1\"\\x0a\\x1b[2J""#) && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn names_that_are_cut_alike_are_one_series() {
    let (one, other) = (format!("{}1", "x".repeat(56)), format!("{}2", "x".repeat(56)));
    assert_eq!(label(&one), label(&other));
    assert_eq!(&*label("short"), "short");
    assert_eq!(label(&"ä".repeat(60)).chars().count(), 56);
}

/// Counted by patch and object, and all together: the same.
#[test]
fn the_survey_counts_what_the_totals_do() {
    let mut looked = 0;
    for name in [
        "6.1-reload.ndjson.zst",
        "6.1-orphan.ndjson.zst",
        "6.12-few-sections.ndjson.zst",
        "6.1-other-file.ndjson.zst",
    ] {
        replayed(name, &mut |verifier, _| {
            let mut sum = Totals::new();
            for (verdict, count) in
                verifier.survey().into_iter().flat_map(|one| one.objects).flat_map(|(_, of)| of)
            {
                *sum.entry(verdict).or_default() += count;
            }
            assert_eq!(sum, verifier.totals());
            looked += 1;
        });
    }
    assert!(looked > 100);
    let witnesses = |name: &str| {
        let mut seen = std::collections::BTreeSet::new();
        replayed(name, &mut |verifier, _| {
            seen.extend(verifier.survey().iter().filter_map(|one| one.witness).map(ElfWitness::word));
        });
        seen.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(witnesses("6.1-reload.ndjson.zst"), ["file"]);
    assert!(witnesses("6.1-file-not-zero.ndjson.zst").contains(&"memory"));
}

/// The addresses in an event: `Address` shows itself as 0x and 16 digits.
fn addresses(event: &Event) -> Vec<u64> {
    let text = format!("{event:?}");
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let hex = words.filter_map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
    hex.filter(|number| *number > 1 << 32).collect()
}

fn holds(text: &str, address: u64) -> bool {
    [format!("{address:x}"), format!("{address:X}"), address.to_string()]
        .iter()
        .any(|form| text.contains(form))
}

#[test]
fn no_recording_leads_to_an_address() {
    let mut seen = 0;
    for name in ["6.1-reload.ndjson.zst", "6.1-poke.ndjson.zst", "6.12-orphan.ndjson.zst"] {
        let mut all = Vec::new();
        let text = text(moment(replayed(name, &mut |_, event| all.extend(addresses(event)))));
        seen += all.len();
        assert!(!all.iter().any(|address| holds(&text, *address)), "{text}");
        assert!(!text.contains("0xffff") && !text.contains("ffffffff"), "{text}");
    }
    assert!(seen > 100, "{seen} addresses");
}

proptest! {
    #[test]
    fn no_event_leads_to_an_address(events in prop::collection::vec(any::event(), 0..60)) {
        let mut verifier = Verifier::new(Arch::X86_64);
        let mut counts = Counts::default();
        let mut all = Vec::new();
        for event in events {
            all.extend(addresses(&event));
            verifier.feed(event, &mut |event| counts.event(&event).unwrap());
        }
        let mut snapshot = with(BTreeMap::new());
        (snapshot.sight, snapshot.counts) = (sees(State::of(&verifier)), counts);
        let text = text(moment(snapshot));
        prop_assert!(!all.iter().any(|address| holds(&text, *address)), "{}", text);
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let value = line.rsplit(' ').next().unwrap_or_default();
            prop_assert!(line.starts_with("klp_trace_") && value.parse::<f64>().is_ok(), "{line}");
        }
        let series = text.lines().filter(|line| !line.starts_with('#'));
        let mut series: Vec<_> = series.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series).collect();
        let all = series.len();
        series.sort_unstable();
        series.dedup();
        prop_assert_eq!(series.len(), all, "a series that comes twice");
    }
}

#[test]
fn findings_are_counted_over_sessions() {
    let mut counts = Counts::default();
    let event =
        crate::journal::testing::at(1, crate::journal::Body::Finding(crate::journal::testing::finding()));
    for _ in 0..2 {
        counts.begin(&crate::journal::testing::origin()).unwrap();
        counts.event(&event).unwrap();
    }
    assert_eq!(counts.findings.get(&FindingId::Klp001), Some(&2));
}
