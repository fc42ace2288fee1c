use super::*;
use crate::cli::serve::config::Config;
use crate::journal::{recording, testing};
use crate::session::Sinks;
use std::ops::ControlFlow;

fn kept(folder: &Path, more: &str) -> Kept {
    let text = format!("[journal]\nfile = \"{}\"\n{more}", folder.join("klp.ndjson").display());
    Kept::new(&Config::parse(&text).unwrap().journal, &Rc::default()).unwrap()
}

fn ended() -> Ended {
    Ended { code: 0, meaning: "clean" }
}

fn give(events: &[Event], sinks: &mut Sinks) {
    for event in events {
        sinks.event(event);
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Events of a session, from its first record on.
fn events() -> Vec<Event> {
    testing::one_of_each()
}

/// How many events the journal of a folder gives; it must be whole.
fn read_back(folder: &Path) -> usize {
    let mut count = 0;
    let integrity = recording::replay(folder, &mut |_, _| {
        count += 1;
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(integrity.is_sound(), "{integrity:?}");
    count
}

#[test]
fn it_is_rotated_on_demand_and_stays_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = kept(folder.path(), "");
    kept.begin(&testing::origin()).unwrap();
    for event in events() {
        kept.rotate();
        kept.event(&event).unwrap();
        kept.idle().unwrap();
    }
    let told = kept.told();
    assert!(told.writable && told.errors == 0 && told.unwritten == 0, "{told:?}");
    assert!(
        told.records >= 5 && told.seq == told.records && told.bytes > 0 && told.oldest.is_some(),
        "{told:?}"
    );
    assert!(kept.finish(ended()).unwrap().is_empty());
    assert!(names(folder.path()).len() > 3, "{:?}", names(folder.path()));
    assert!(read_back(folder.path()) >= 5);
}

#[test]
fn a_session_that_cannot_be_kept_goes_on_and_the_next_one_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("journal");
    std::fs::create_dir(&inside).unwrap();
    let kept = kept(&inside, "");
    let mut sinks = Sinks::default().and(kept.clone());
    sinks.begin(&testing::origin()).unwrap();
    let all = events();
    let (first, rest) = all.split_at(all.len() / 2);
    give(first, &mut sinks);
    sinks.idle();
    let before = kept.told();
    std::fs::remove_dir_all(&inside).unwrap();
    kept.rotate();
    give(rest, &mut sinks);
    sinks.idle();
    let told = kept.told();
    assert!(!sinks.is_closed(), "judging and serving go on");
    assert!(!told.writable && told.errors == 1 && told.unwritten == rest.len() as u64, "{told:?}");
    assert!(told.records >= before.records && before.records > 0, "{told:?}");
    assert!(!kept.can_begin_again(), "not at once");
    let a_minute_ago = || kept.0.borrow_mut().failed = Instant::now().checked_sub(AGAIN);
    a_minute_ago();
    assert!(!kept.can_begin_again(), "no room");
    std::fs::create_dir(&inside).unwrap();
    a_minute_ago();
    assert!(kept.can_begin_again());
    assert!(names(&inside).is_empty(), "the trial leaves nothing");
    sinks.finish(ended(), ended()).unwrap();
    let mut sinks = Sinks::default().and(kept.clone());
    sinks.begin(&testing::origin()).unwrap();
    give(&all, &mut sinks);
    sinks.finish(ended(), ended()).unwrap();
    let again = kept.told();
    assert!(again.writable && again.errors == 1 && again.records > told.records, "{again:?}");
    assert!(read_back(&inside) > rest.len());
}

#[test]
fn a_folder_that_is_not_there_is_said_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = kept(&folder.path().join("none"), "");
    let error = kept.begin(&testing::origin()).unwrap_err();
    assert!(error.to_string().contains("none"), "{error}");
}
