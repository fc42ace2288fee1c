use super::*;
use clap::{Args as _, FromArgMatches as _};

fn parse(line: &[&str]) -> Result<Args, clap::Error> {
    let command = Args::augment_args(clap::Command::new("assert")).no_binary_name(true);
    Args::from_arg_matches(&command.try_get_matches_from(line)?)
}

#[test]
fn what_stands_behind_the_dashes_is_the_command_s() {
    let args = parse(&["--json", "--", "sh", "-c", "exit 3", "--format", "text"]).unwrap();
    assert_eq!(args.command, ["sh", "-c", "exit 3", "--format", "text"]);
    assert!(args.json);
    assert!(parse(&["true"]).is_err(), "without dashes it may be a misspelt option's value");
    assert!(parse(&["--from", "j", "--", "true"]).is_err(), "a journal has run its commands");
    assert!(parse(&["--from", "j", "--timeout", "3s"]).is_err());
}

#[test]
fn further_reports() {
    let args = parse(&["--report", "junit=a=b.xml", "--report", "sarif=c"]).unwrap();
    assert_eq!(args.report[0], Extra { kind: Kind::Junit, file: "a=b.xml".into() });
    for wrong in ["junit", "junit=", "junit=-", "word=x", "=x"] {
        assert!(parse(&["--report", wrong]).is_err(), "{wrong}");
    }
    let twice = parse(&["--report", "tap=x", "--output", "x"]).unwrap();
    assert_eq!(Reports::open(Kind::Text, &twice).err().unwrap().exit(), Exit::Usage);
    let policy = parse(&["--report", "tap=x", "--policy", "x"]).unwrap();
    assert_eq!(Reports::open(Kind::Text, &policy).err().unwrap().exit(), Exit::Usage);
}

/// The exit codes that demands can lead to, each alone and each pair.
#[test]
fn of_several_ends_the_documented_one() {
    let check = |rule, status| Check::new(rule, "x", status);
    let ends = [
        (check(Rule::Verdicts, Status::Fail), Exit::Finding),
        (check(Rule::Loss, Status::Unknown), Exit::Inconclusive),
        (check(Rule::Command, Status::Fail), Exit::CommandFailed),
        (check(Rule::Limit, Status::Skip), Exit::Clean),
    ];
    for (number, (first, exit)) in ends.iter().enumerate() {
        for (second, _) in &ends[number..] {
            for checks in [[first, second], [second, first]] {
                let groups = checks.map(|check| Group::new("x", vec![check.clone()]));
                assert_eq!(ended(groups.iter()), *exit, "{checks:?}");
            }
        }
    }
    assert_eq!(ended(std::iter::empty()), Exit::Clean);
}

#[test]
fn a_command_is_told_by_how_it_ended() {
    let ended = |line: &[&str]| {
        let line: Vec<OsString> = line.iter().map(OsString::from).collect();
        let mut running = command::start(&line).unwrap().unwrap();
        loop {
            if let Some(status) = running.ended().unwrap() {
                return running.report(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let (command, check) = ended(&["sh", "-c", "exit 3"]);
    assert_eq!((command.code, command.end.as_str(), check.status), (Some(3), "exited with 3", Status::Fail));
    let (command, check) = ended(&["true"]);
    assert_eq!((command.code, check.status), (Some(0), Status::Pass));
    let (command, check) = ended(&["sh", "-c", "kill -9 $$"]);
    assert_eq!((command.code, check.status), (Some(137), Status::Fail));
    assert_eq!(command.end, "was killed by signal 9");
    let absent = command::start(&[OsString::from("/nonexistent/command")]).err().unwrap();
    assert_eq!(absent.exit(), Exit::Usage);
    assert!(command::start(&[]).unwrap().is_none());
}

/// What is open here does not reach the command: no BPF descriptor would.
#[test]
fn a_command_inherits_nothing_that_is_open_here() {
    let folder = tempfile::tempdir().unwrap();
    let [secret, list] = ["secret", "list"].map(|name| folder.path().join(name));
    let kept = std::fs::File::create(&secret).unwrap();
    let line = ["sh", "-c", "ls -l /proc/self/fd > $0", list.to_str().unwrap()].map(OsString::from);
    let mut running = command::start(&line).unwrap().unwrap();
    while running.ended().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(kept);
    let open = std::fs::read_to_string(&list).unwrap();
    assert!(open.contains("list") && !open.contains("secret"), "{open}");
}
