use super::*;
use crate::journal::Integrity;
use crate::journal::files::{set, signature_of};
use crate::journal::recording;
use crate::journal::signature::tests::{PRIVATE, PUBLIC};
use crate::journal::signature::{Signer, Verifier};
use crate::journal::testing::{one_of_each, origin};
use std::os::unix::fs::PermissionsExt as _;

fn options(output: &Path, rotation: Option<Rotation>) -> Options {
    Options {
        output: Some(output.to_owned()),
        rotation,
        sync: Sync::Never,
        signer: None,
        overwrite: true,
        on_close: None,
    }
}

/// A session whose middle is said `times` times.
fn write(options: Options, times: usize) -> Vec<String> {
    let mut writer = JournalWriter::open(options, origin()).unwrap();
    let mut events = one_of_each();
    // Another session each time.
    events[0].mono_ns += times as u64;
    writer.event(&events[0]).unwrap();
    for _ in 0..times {
        for event in &events[1..events.len() - 1] {
            writer.event(event).unwrap();
        }
        writer.flush().unwrap();
    }
    writer.event(events.last().unwrap()).unwrap();
    writer.finish().unwrap()
}

fn checked(files: &[(u32, PathBuf)]) -> Integrity {
    let paths: Vec<_> = files.iter().map(|(_, path)| path.as_path()).collect();
    recording::check(&paths, None).unwrap()
}

fn verified(files: &[(u32, PathBuf)]) -> Integrity {
    let integrity = checked(files);
    assert_eq!(integrity.first, None);
    integrity
}

#[test]
fn a_rotated_journal_is_whole_and_no_file_is_larger_than_asked_by_more_than_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("klp.ndjson");
    let size = 20_000;
    for (times, compress) in [(40, false), (41, true)] {
        let rotation = Rotation { size: Some(size), compress, ..Rotation::default() };
        assert_eq!(write(options(&output, Some(rotation)), times), Vec::<String>::new());
    }
    let files = set(&output).unwrap();
    assert!(files.len() > 20, "{}", files.len());
    assert_eq!(
        files.iter().map(|(number, _)| *number as usize).collect::<Vec<_>>(),
        (1..=files.len()).collect::<Vec<_>>()
    );
    let set = verified(&files);
    assert!(set.ended);
    let compressed = files.iter().filter(|(_, path)| path.extension().unwrap() == "zst").count();
    assert_eq!(compressed, files.len().div_ceil(2) - 1, "the last file stays plain");
    for (_, path) in &files {
        let file = std::fs::metadata(path).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        assert!(file.len() < size + 2_000, "{}: {}", path.display(), file.len());
    }
}

#[test]
fn the_set_never_takes_more_than_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("klp.ndjson");
    let rotation = || Rotation { size: Some(10_000), keep: Some(50_000), ..Rotation::default() };
    let mut writer = JournalWriter::open(options(&output, Some(rotation())), origin()).unwrap();
    let events = one_of_each();
    writer.event(&events[0]).unwrap();
    let mut most = 0;
    for _ in 0..60 {
        for event in &events[1..events.len() - 1] {
            writer.event(event).unwrap();
            writer.flush().unwrap();
            let all: u64 = std::fs::read_dir(folder.path())
                .unwrap()
                .map(|file| file.unwrap().metadata().unwrap().len())
                .sum();
            most = most.max(all);
        }
    }
    writer.finish().unwrap();
    assert!((40_000..=52_000).contains(&most), "{most}");
    let files = set(&output).unwrap();
    assert!(files[0].0 > 10, "the oldest went first: {files:?}");
}

#[test]
fn age_closes_a_file_too() {
    let rotation = Rotation { age: Some(Duration::from_hours(1)), ..Rotation::default() };
    assert!(!rotation.is_due(u64::MAX, Duration::from_mins(59)));
    assert!(rotation.is_due(1, Duration::from_hours(1)));
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("klp.ndjson");
    let rotation = Rotation { age: Some(Duration::ZERO), ..Rotation::default() };
    write(options(&output, Some(rotation)), 1);
    let files = set(&output).unwrap();
    // Each record in a file of its own, but the end's; and each file's first names the one before.
    let events = one_of_each().len();
    assert_eq!(files.len(), events - 1);
    assert_eq!(verified(&files).records, (events + events - 2) as u64);
}

#[test]
fn a_journal_is_written_through_no_link_and_replaces_no_one_else_s_file() {
    let folder = tempfile::tempdir().unwrap();
    let [victim, link, linked] =
        ["victim", "link.ndjson", "hard.ndjson"].map(|name| folder.path().join(name));
    std::fs::write(&victim, "precious").unwrap();
    std::fs::set_permissions(&victim, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink(&victim, &link).unwrap();
    let error = JournalWriter::open(options(&link, None), origin()).unwrap_err().to_string();
    assert!(error.contains("symbolic link"), "{error}");
    std::fs::hard_link(&victim, &linked).unwrap();
    write(options(&linked, None), 1);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(std::fs::metadata(&linked).unwrap().permissions().mode() & 0o777, 0o600);
    // The place of a rotated file is taken by a link that leads nowhere.
    std::os::unix::fs::symlink(folder.path().join("nowhere"), folder.path().join("klp.000001.ndjson.tmp"))
        .unwrap();
    let dangling = folder.path().join("dangling.ndjson");
    std::os::unix::fs::symlink(folder.path().join("nowhere"), &dangling).unwrap();
    assert!(LineSink::create_new(&dangling).is_err());
    assert!(!folder.path().join("nowhere").exists());
}

#[test]
fn each_file_is_signed() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("klp.ndjson");
    let rotation = Rotation { size: Some(10_000), compress: true, ..Rotation::default() };
    let signer = Some(Signer::from_pem(PRIVATE).unwrap());
    write(Options { signer, sync: Sync::Always, ..options(&output, Some(rotation)) }, 5);
    let verifier = Verifier::from_pem(PUBLIC).unwrap();
    let files = set(&output).unwrap();
    assert!(files.len() > 2);
    for ((_, path), check) in files.iter().zip(checked(&files).files) {
        let signature = std::fs::read(signature_of(path)).unwrap();
        assert!(verifier.is_signed(&check.heads, &signature), "{}", path.display());
        assert_eq!(std::fs::metadata(signature_of(path)).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_file_that_cannot_be_compressed_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("klp.000001.ndjson");
    assert!(compress::compress(&path).is_err());
    std::fs::write(&path, "line\n").unwrap();
    std::fs::create_dir(folder.path().join("klp.000001.ndjson.zst.part")).unwrap();
    assert!(compress::compress(&path).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "line\n");
}
