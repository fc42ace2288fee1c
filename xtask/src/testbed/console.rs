//! Reads the guest's console: what init says to the host, and what the kernel complains of.

/// What a line of the console means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// Init's first line.
    Started,
    /// Init's last line, with the command's exit code.
    Exit(i32),
    /// The kernel panicked.
    Panic,
    /// The kernel oopsed or found a bug in itself.
    Oops,
    /// A processor or a task is stuck.
    SoftLockup,
    /// The kernel warns.
    Warning,
}

/// What `line` means, when it means something. `token` marks init's lines: it is random, so that nothing else
/// the guest prints can be taken for them.
pub fn read(line: &str, token: &str) -> Option<Sign> {
    if let Some((_, said)) = line.split_once(token) {
        return match said.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["started", ..] => Some(Sign::Started),
            ["exit", code, ..] => code.parse().ok().map(Sign::Exit),
            _ => None,
        };
    }
    complaint(message(line)?)
}

/// The kernel's message in `line`: what follows a time stamp such as `[   12.345678] `, which may itself follow
/// something a program left unfinished. Programs that merely mention an oops have no such stamp.
fn message(line: &str) -> Option<&str> {
    line.match_indices('[').find_map(|(at, _)| {
        let (stamp, message) = line.get(at + 1..)?.split_once("] ")?;
        let (seconds, micros) = stamp.trim_start().split_once('.')?;
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        (digits(seconds) && micros.len() == 6 && digits(micros)).then_some(message)
    })
}

fn complaint(message: &str) -> Option<Sign> {
    let any = |patterns: &[&str]| patterns.iter().any(|pattern| message.contains(pattern));
    if any(&["Kernel panic - not syncing"]) {
        Some(Sign::Panic)
    } else if any(&["BUG: soft lockup", "BUG: workqueue lockup", "hard LOCKUP"])
        || (message.starts_with("INFO: task ") && message.contains(" blocked for more than "))
    {
        Some(Sign::SoftLockup)
    } else if any(&["Oops:", "kernel BUG at ", "general protection fault"])
        || message.starts_with("BUG: ")
        || numbered_death(message)
    {
        Some(Sign::Oops)
    } else if message.starts_with("WARNING: ") || message.contains("detected stalls on CPUs") {
        Some(Sign::Warning)
    } else {
        None
    }
}

/// x86 numbers what kills a task: `invalid opcode: 0000 [#1] PREEMPT SMP` (`__die_header`, dumpstack.c).
fn numbered_death(message: &str) -> bool {
    message
        .split_once("[#")
        .and_then(|(_, rest)| rest.split_once(']'))
        .is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "testbed-0123abcd";

    #[test]
    fn init_is_heard_by_its_token_alone() {
        assert_eq!(read("testbed-0123abcd started", TOKEN), Some(Sign::Started));
        assert_eq!(read("half a linetestbed-0123abcd exit 7\r", TOKEN), Some(Sign::Exit(7)));
        assert_eq!(read("testbed-ffffffff exit 0", TOKEN), None);
        assert_eq!(read("testbed-0123abcd exit seven", TOKEN), None);
    }

    #[test]
    fn the_kernels_complaints_are_told_apart() {
        let cases = [
            ("[    1.500000] Kernel panic - not syncing: VFS: Unable to mount root fs", Some(Sign::Panic)),
            ("[   12.000001] BUG: kernel NULL pointer dereference, address: 0000", Some(Sign::Oops)),
            ("[   12.000001] Oops: 0002 [#1] PREEMPT SMP NOPTI", Some(Sign::Oops)),
            ("[   12.000001] Oops: general protection fault, probably for", Some(Sign::Oops)),
            ("[   12.000001] invalid opcode: 0000 [#1] PREEMPT SMP NOPTI", Some(Sign::Oops)),
            ("[   12.000001] kernel BUG at kernel/livepatch/core.c:1!", Some(Sign::Oops)),
            (
                "[   60.123456] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [insmod:99]",
                Some(Sign::SoftLockup),
            ),
            (
                "[  242.123456] INFO: task insmod:99 blocked for more than 120 seconds.",
                Some(Sign::SoftLockup),
            ),
            ("[    3.123456] WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1/0x2", Some(Sign::Warning)),
            ("[   21.123456] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", Some(Sign::Warning)),
            ("[    3.123456] livepatch: enabling patch 'lp_one'", None),
        ];
        for (line, expected) in cases {
            assert_eq!(read(line, TOKEN), expected, "{line}");
        }
    }

    #[test]
    fn a_program_that_talks_of_an_oops_is_not_one() {
        assert_eq!(read("dmesg showed no Oops: and no BUG: here", TOKEN), None);
        assert_eq!(read("[info] WARNING: nothing", TOKEN), None);
        assert_eq!(read("[1.5] BUG: not a time stamp of the kernel's", TOKEN), None);
    }

    #[test]
    fn a_complaint_after_an_unfinished_line_is_heard() {
        assert_eq!(
            read("loading ... [   12.000001] BUG: unable to handle page fault", TOKEN),
            Some(Sign::Oops)
        );
    }
}
