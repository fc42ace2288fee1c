use super::*;
use crate::journal::testing;
use crate::model::{FindingEnd, FindingId};
use std::collections::BTreeSet;

fn finding() -> Finding {
    let mut finding = testing::finding();
    finding.message = "holds 0xffffffffc0402000".to_owned();
    finding
}

fn closed() -> FindingClosed {
    FindingClosed {
        id: FindingId::Klp001,
        severity: Severity::Error,
        patch: Some(testing::patch()),
        object: Some(testing::object()),
        opened_ns: 1,
        end: FindingEnd::Cleared,
    }
}

fn value<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    record.fields.iter().find_map(|(of, value)| (*of == name).then_some(value.as_str()))
}

#[test]
fn a_finding_is_one_line_without_an_address() {
    let line = message(&finding());
    assert_eq!(
        line,
        "error KLP001 stale-after-unload, patch lp_one, object klp_target, 12 relocations: klp-trace audit shows it, \
         klp-trace explain KLP001 says what to do"
    );
}

#[test]
fn the_end_of_a_finding_names_it_and_what_ended_it() {
    let line = message_of_end(&closed());
    assert_eq!(line, "over: KLP001 stale-after-unload, patch lp_one, object klp_target (cleared)");
}

#[test]
fn a_record_has_a_field_for_each_thing_that_is_known() {
    let record = Record::of(&testing::at(7, Body::Finding(finding()))).unwrap();
    let open = [
        ("MESSAGE_ID", "cc73869d2f1246cf997e8b011600b161"),
        ("PRIORITY", "3"),
        ("SYSLOG_IDENTIFIER", "klp-trace"),
        ("KLP_STATE", "open"),
        ("KLP_FINDING", "KLP001"),
        ("KLP_SEVERITY", "error"),
        ("KLP_PATCH", "lp_one"),
        ("KLP_OBJECT", "klp_target"),
        ("KLP_RELOCATIONS", "12"),
        ("KLP_MONO_NS", "7"),
    ];
    for (name, expected) in open {
        assert_eq!(value(&record, name), Some(expected), "{name}");
    }
    let record = Record::of(&testing::at(9, Body::FindingClosed(closed()))).unwrap();
    assert_eq!(value(&record, "KLP_STATE"), Some("closed"));
    assert_eq!(value(&record, "KLP_END"), Some("cleared"));
    assert_eq!(value(&record, "PRIORITY"), Some("5"));
}

#[test]
fn no_record_holds_an_address() {
    let events = [testing::at(7, Body::Finding(finding())), testing::at(9, Body::FindingClosed(closed()))];
    let addresses = [testing::patch().address.0, testing::object().address.unwrap().0];
    for record in events.iter().filter_map(Record::of) {
        let text = String::from_utf8_lossy(&record.datagram()).to_lowercase();
        for address in addresses {
            assert!(
                !text.contains(&format!("{address:x}")) && !text.contains(&address.to_string()),
                "{text}"
            );
        }
        assert!(!text.contains("ffff"), "{text}");
    }
}

#[test]
fn each_id_is_given_once() {
    let ids: BTreeSet<u128> =
        FindingId::ALL.iter().map(|id| ids::of(*id)).chain([ids::OVER, ids::HEAD]).collect();
    assert_eq!(ids.len(), FindingId::ALL.len() + 2);
}

#[test]
fn a_value_with_a_line_feed_cannot_pass_for_another_field() {
    let mut finding = finding();
    if let Some(patch) = &mut finding.patch {
        patch.name = "lp\nPRIORITY=0".into();
    }
    let record = Record::of(&testing::at(7, Body::Finding(finding))).unwrap();
    let bytes = record.datagram();
    let at = bytes.windows(9).position(|window| window == b"KLP_PATCH").unwrap();
    let rest = &bytes[at + 9..];
    assert_eq!(rest[..9], [b'\n', 13, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(&rest[9..23], b"lp\nPRIORITY=0\n");
    assert!(!record.message().contains('\n') || bytes.starts_with(b"MESSAGE\n"));
}

#[test]
fn journald_gets_a_datagram_a_record_and_its_absence_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    assert!(Journald::connect(&path).is_err(), "nobody listens");
    let socket = UnixDatagram::bind(&path).unwrap();
    let journald = Journald::connect(&path).unwrap();
    let file = Path::new("/var/lib/klp-trace/klp.000001.ndjson");
    let record = Record::closed_file(file, &[Hash::of(b"a"), Hash::of(b"b")]);
    journald.send(&record).unwrap();
    let mut bytes = [0; 4096];
    let length = socket.recv(&mut bytes).unwrap();
    let text = String::from_utf8_lossy(&bytes[..length]);
    assert!(text.starts_with("MESSAGE=/var/lib/klp-trace/klp.000001.ndjson is closed\nMESSAGE_ID=db52be54"));
    for head in [Hash::of(b"a"), Hash::of(b"b")] {
        assert!(text.contains(&format!("\nKLP_HEAD={head}\n")), "{text}");
    }
    drop(socket);
    std::fs::remove_file(&path).unwrap();
    assert!(journald.send(&record).is_err(), "it has gone");
    let again = UnixDatagram::bind(&path).unwrap();
    journald.send(&record).unwrap();
    assert!(again.recv(&mut bytes).is_ok(), "it is back");
}

#[test]
fn a_journald_that_does_not_read_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let _socket = UnixDatagram::bind(&path).unwrap();
    let journald = Journald::connect(&path).unwrap();
    let record = Record::closed_file(Path::new("/a"), &[]);
    let full = (0..100_000).find_map(|_| journald.send(&record).err());
    assert_eq!(full.map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
}

/// `KLP_TRACE_BLESS=1` writes it.
#[test]
fn the_catalog_is_made_from_the_pages() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd/klp-trace.catalog");
    let text = catalog::text();
    if std::env::var_os("KLP_TRACE_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "packaging/systemd/klp-trace.catalog is not what the pages say: KLP_TRACE_BLESS=1 cargo test -p klp-trace --lib catalog"
    );
    let entries: Vec<&str> = text.split("\n-- ").skip(1).collect();
    assert_eq!(entries.len(), FindingId::ALL.len() + 2);
    for entry in entries {
        let mut lines = entry.lines();
        assert!(lines.next().is_some_and(|id| id.len() == 32 && u128::from_str_radix(id, 16).is_ok()));
        assert!(lines.next().is_some_and(|line| line.starts_with("Subject: ")));
        let body = entry.split("\n\n").nth(1).unwrap_or_default();
        assert!(!body.is_empty() && !body.starts_with("What to do"), "{entry}");
    }
}
