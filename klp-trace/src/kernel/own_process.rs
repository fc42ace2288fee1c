//! What the kernel says of this process: what it takes, for its own metrics.

use crate::model::Process;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use std::path::Path;
use std::time::Duration;

/// Reads this process from the /proc under `root`; none where that is not there, or of another form.
pub fn read(root: &Path) -> Option<Process> {
    let proc = root.join("proc");
    let stat = std::fs::read_to_string(proc.join("self/stat")).ok()?;
    let boot = std::fs::read_to_string(proc.join("stat")).ok()?;
    let boot = boot.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok())?;
    let open_fds = std::fs::read_dir(proc.join("self/fd")).ok()?.count() as u64;
    let of = Stat::parse(&stat)?;
    Some(Process {
        cpu: ticks(of.user.saturating_add(of.system)),
        resident: of.pages.saturating_mul(page_size() as u64),
        started: Duration::from_secs(boot).saturating_add(ticks(of.start)),
        // The folder itself was open meanwhile.
        open_fds: open_fds.saturating_sub(1),
        max_fds: getrlimit(Resource::Nofile).current,
        threads: of.threads,
    })
}

fn ticks(ticks: u64) -> Duration {
    let a_second = clock_ticks_per_second().max(1);
    Duration::from_secs(ticks / a_second) + Duration::from_millis(ticks % a_second * 1000 / a_second)
}

/// Fields of /proc/PID/stat (proc_pid_stat(5)).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    user: u64,
    system: u64,
    threads: u64,
    start: u64,
    pages: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name, in parentheses, may hold anything; the third field comes after the last of these.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| fields.get(number.checked_sub(3)?)?.parse().ok();
        Some(Self {
            user: field(14)?,
            system: field(15)?,
            threads: field(20)?,
            start: field(22)?,
            pages: field(24)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_from_the_last_parenthesis() {
        let text = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 21 22 0 0 20 0 5 0 1234 100000 321 18446744073709551615 1";
        let want = Stat { user: 21, system: 22, threads: 5, start: 1234, pages: 321 };
        assert_eq!(Stat::parse(text), Some(want));
        assert_eq!(Stat::parse("7 (a"), None);
        assert_eq!(Stat::parse("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_is_there() {
        let of = read(Path::new("/")).unwrap();
        assert!(of.resident > 1 << 20 && of.threads >= 1 && of.open_fds >= 3, "{of:?}");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert!(of.started <= now + Duration::from_secs(2), "{of:?}");
        assert!(of.started + Duration::from_hours(24) > now, "{of:?}");
        assert_eq!(read(Path::new("/no/such")), None);
    }
}
