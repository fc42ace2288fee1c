use super::*;
use crate::journal::Journal;
use crate::journal::testing::{one_of_each, origin};
use std::path::Path;

/// A rotated journal in `folder`: three files of one session.
fn rotated(folder: &Path) -> PathBuf {
    let output = folder.join("klp.ndjson");
    let mut journal = Journal::new(origin());
    for (number, range) in (1..).zip([0..6, 6..8, 8..16]) {
        let mut bytes = Vec::new();
        if number > 1 {
            bytes.extend([journal.next_file().unwrap(), b"\n"].concat());
        }
        for event in &one_of_each()[range] {
            bytes.extend([journal.line(event).unwrap(), b"\n"].concat());
        }
        std::fs::write(files::numbered(&output, number), bytes).unwrap();
    }
    output
}

fn args(files: Vec<PathBuf>) -> Args {
    Args {
        files,
        public_key: None,
        expect_hash: None,
        verbose: false,
        format: Format::Text,
        json: false,
        output: OutputArgs::default(),
        look: TextArgs::default(),
    }
}

fn verify(files: &[&Path]) -> Report {
    let files = files.iter().map(|path| path.to_path_buf()).collect();
    check(&args(files)).unwrap()
}

#[test]
fn a_rotated_journal_is_verified_by_its_folder_its_name_or_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let output = rotated(folder.path());
    for report in [verify(&[folder.path()]), verify(&[&output])] {
        assert_eq!(report.exit(), Exit::Clean, "{}", report.text());
        let text = report.text();
        assert!(text.contains("klp.000002.ndjson: 3 records, whole\n"), "{text}");
        assert!(
            text.contains("\nwhole: 3 files, 18 records, 1 session\nlast hash (kept elsewhere"),
            "{text}"
        );
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!((&json["result"], &json["files"][2]["records"]), (&"whole".into(), &9.into()));
    }
}

#[test]
fn the_json_is_as_its_schema_says() {
    use crate::journal::schema::tests::{assert_committed, assert_described};
    assert_committed("klp-trace.verification-1.json", &json::schema());
    let folder = tempfile::tempdir().unwrap();
    let output = rotated(folder.path());
    for damaged in [false, true] {
        if damaged {
            std::fs::remove_file(files::numbered(&output, 2)).unwrap();
        }
        let mut report = verify(&[&output]);
        for signed in [None, Some(Signed::Not), Some(Signed::Right), Some(Signed::Wrong)] {
            report.signed[0] = signed;
            let document: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
            assert_described(json::schema(), &document);
            assert_eq!(document["files"][1].get("first_damage").is_some(), damaged);
        }
    }
}

#[test]
fn damage_and_a_missing_end_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let output = rotated(folder.path());
    let [second, third] = [2, 3].map(|number| files::numbered(&output, number));
    let whole = std::fs::read(&third).unwrap();
    let lines: Vec<_> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    std::fs::write(&third, lines[..3].concat()).unwrap();
    let report = verify(&[&output]);
    assert_eq!(report.exit(), Exit::Inconclusive);
    assert!(
        report.text().contains("klp.000003.ndjson: ends after line 3 without session_end\n"),
        "{}",
        report.text()
    );
    std::fs::write(&third, whole).unwrap();
    std::fs::remove_file(&second).unwrap();
    let report = verify(&[&output]);
    assert_eq!(report.exit(), Exit::Finding);
    let text = report.text();
    assert!(
        text.contains("klp.000003.ndjson: line 1: records are missing or exchanged: record 10 follows record 6: records 7 to 9 are missing"),
        "{text}"
    );
    assert!(text.contains("\nnot as it was written: 2 files, 15 records"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!((&json["result"], &json["files"][1]["first_damage"]["line"]), (&"damaged".into(), &1.into()));
}

#[test]
fn a_damaged_compressed_file_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let output = rotated(folder.path());
    let second = files::numbered(&output, 2);
    let level = ruzstd::encoding::CompressionLevel::Fastest;
    let mut packed = ruzstd::encoding::compress_to_vec(&std::fs::read(&second).unwrap()[..], level);
    std::fs::remove_file(&second).unwrap();
    let zst = folder.path().join("klp.000002.ndjson.zst");
    std::fs::write(&zst, &packed).unwrap();
    assert_eq!(verify(&[&output]).exit(), Exit::Clean);
    packed.pop();
    std::fs::write(&zst, &packed).unwrap();
    let report = verify(&[&output]);
    assert_eq!(report.exit(), Exit::Finding);
    assert!(
        report.text().contains("cannot be read beyond here: the zstd stream is damaged"),
        "{}",
        report.text()
    );
}

#[test]
fn what_is_no_journal_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.ndjson");
    for text in ["", "hello\n", "{}\n"] {
        std::fs::write(&file, text).unwrap();
        let args = args(vec![file.clone()]);
        let Err(failure) = check(&args) else { panic!("{text:?} is no journal") };
        assert_eq!(failure.exit(), Exit::Usage);
        assert!(failure.to_string().contains("is not a journal that"), "{failure}");
    }
}
