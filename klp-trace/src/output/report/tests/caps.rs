//! Reports stay short enough to be read, and say what they leave out.

use super::*;

/// A session with a finding about `count` relocations of one section, and that section's check.
fn many(count: u32) -> Session {
    let mut session = report("", &Told::stale()).sessions.remove(0);
    for check in session.groups.iter_mut().flat_map(|group| &mut group.checks) {
        if check.status == Status::Fail {
            check.states =
                (0..count).map(|index| testing::state(index, None, None, Verdict::Stale)).collect();
            check.listed = u64::from(count);
        }
    }
    session
}

fn of(sessions: Vec<Session>) -> Report {
    Report { sessions, ..report("", &Told::new()) }
}

fn rows(text: &str) -> usize {
    text.matches("R_X86_64_PC32 target_secret").count()
}

#[test]
fn a_relocation_stands_once_in_the_text_and_whole_where_machines_read() {
    let few = of(vec![many(16)]);
    let text = Kind::Text.render(&few, false);
    assert_eq!(rows(&text), 16, "{text}");
    assert!(text.contains("           16 shown under KLP001\n") && !text.contains(" more"), "{text}");
    let text = Kind::Text.render(&of(vec![many(50)]), false);
    // 20 under the finding, 20 of the rest under the section.
    assert_eq!(rows(&text), 40, "{text}");
    assert!(text.contains("           and 30 more (--format json lists all)\n"), "{text}");
    assert!(text.contains("           20 shown under KLP001\n"), "{text}");
    assert!(text.contains("           and 10 more (--format json lists all)\n"), "{text}");
    for kind in [Kind::Json, Kind::Sarif, Kind::Junit] {
        let said = kind.render(&of(vec![many(50)]), false);
        let each = if kind == Kind::Json { said.matches("\"target_secret\"").count() } else { rows(&said) };
        assert_eq!(each, 100, "{kind:?}");
        assert!(!said.contains(" more"), "{kind:?}");
    }
}

#[test]
fn what_was_not_kept_is_not_promised() {
    let mut session = many(50);
    for check in session.groups.iter_mut().flat_map(|group| &mut group.checks) {
        check.listed *= 10;
    }
    let text = Kind::Text.render(&of(vec![session]), false);
    assert!(text.contains("and 480 more (--format json lists the first 50)"), "{text}");
}

#[test]
fn another_session_shows_its_own() {
    let mut second = many(2);
    // Its finding is let pass, its section is not: nothing of the first session's stands for it.
    for check in &mut second.groups[0].checks {
        check.status = Status::Pass;
    }
    let both = of(vec![many(2), second]);
    let text = Kind::Text.render(&both, false);
    // Under the finding of each session, and under the section of the second.
    assert_eq!((rows(&text), text.matches("2 shown under KLP001").count()), (6, 1), "{text}");
    let github = Kind::Github.render(&both, false);
    assert_eq!(github.matches("::error title=patch lp_one").count(), 1, "{github}");
}

#[test]
fn annotations_are_short_few_and_the_gravest() {
    let github = Kind::Github.render(&of(vec![many(16)]), false);
    // One cause, one annotation: the section is told by the finding.
    assert_eq!(github.matches("::error").count(), 1, "{github}");
    let line = github.lines().next().unwrap();
    assert!(line.len() < 700 && rows(line) == 1, "{} {line}", line.len());
    assert!(line.contains("%0A[0] R_X86_64_PC32 target_secret-0x4: stale, expected "), "{line}");
    assert!(line.contains("%0Aand 15 more (--format json lists all)"), "{line}");

    let mut session = many(2);
    let failed = session.groups[0].checks.iter().find(|check| check.status == Status::Fail).unwrap().clone();
    let noted = Check { status: Status::Pass, name: "noted".to_owned(), ..failed.clone() };
    session.groups[0].checks = vec![noted; 30];
    session.groups[0].checks.push(failed);
    let github = Kind::Github.render(&of(vec![session]), false);
    assert!(github.starts_with("::error"), "{github}");
    assert_eq!(github.matches("\n::notice").count() + 1, 20, "{github}");
    assert!(github.contains("\nklp-trace: and 11 more (--format json lists all)\n"), "{github}");
}
