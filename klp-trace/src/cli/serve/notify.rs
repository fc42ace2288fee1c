//! What systemd is told (sd_notify(3)). Without NOTIFY_SOCKET each of these does nothing.

use crate::metrics::State;
use sd_notify::NotifyState;

/// Attached, and the first look is done; or the configuration was read again.
pub(super) fn ready(state: &State) {
    tell(&[NotifyState::Ready, NotifyState::Status(&line(state))]);
}

/// The states have changed.
pub(super) fn status(state: &State) {
    tell(&[NotifyState::Status(&line(state))]);
}

/// The configuration is being read again; [`ready`] follows.
pub(super) fn reloading() {
    // The time is for Type=notify-reload, which systemd has from 253 on.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// The collecting thread, and no other, has taken all that there was.
pub(super) fn watchdog() {
    if sd_notify::watchdog_enabled().is_some() {
        tell(&[NotifyState::Watchdog]);
    }
}

/// The end has begun.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// What systemd does not hear it acts on: there is nothing to add.
fn tell(what: &[NotifyState]) {
    let _ = sd_notify::notify(what);
}

/// `2 livepatches, 214 relocations: applied 214`.
fn line(state: &State) -> String {
    let relocations: u64 = state.totals.values().sum();
    let of: Vec<String> = state.totals.iter().map(|(verdict, count)| format!("{verdict} {count}")).collect();
    let of = if of.is_empty() { String::new() } else { format!(": {}", of.join(", ")) };
    let unread = match state.unread.len() {
        0 => String::new(),
        unread => format!("; {unread} could not be read"),
    };
    let counted =
        |count: u64, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    let patches = counted(state.patches.len() as u64, "livepatch", "livepatches");
    format!("{patches}, {}{of}{unread}", counted(relocations, "relocation", "relocations"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Verdict;
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;
    use std::time::Duration;

    /// In a process whose environment is as systemd makes it, which the test below starts and listens to; elsewhere nothing is told.
    #[test]
    fn told_from_here() {
        ready(&State::default());
        watchdog();
        reloading();
        stopping();
    }

    #[test]
    fn systemd_hears_what_it_waits_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let heard = |watchdog: Option<&str>| {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "cli::serve::notify::tests::told_from_here"]);
            child.env("NOTIFY_SOCKET", &path).env_remove("WATCHDOG_USEC").env_remove("WATCHDOG_PID");
            if let Some(time) = watchdog {
                child.env("WATCHDOG_USEC", time);
            }
            assert!(child.output().unwrap().status.success());
            let mut bytes = [0; 512];
            let mut all = Vec::new();
            while let Ok(length) = socket.recv(&mut bytes) {
                all.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
            }
            all
        };
        let all = heard(Some("60000000"));
        assert_eq!(all[0], "READY=1\nSTATUS=0 livepatches, 0 relocations\n");
        assert_eq!(all[1], "WATCHDOG=1\n");
        assert!(all[2].starts_with("RELOADING=1\nMONOTONIC_USEC="), "{all:?}");
        assert_eq!(all[3..], ["STOPPING=1\n"]);
        assert!(!heard(None).iter().any(|line| line.contains("WATCHDOG")), "nobody waits for it");
    }

    #[test]
    fn the_status_counts_what_is_there() {
        let mut state = State::default();
        assert_eq!(line(&state), "0 livepatches, 0 relocations");
        state.patches.insert("lp_one".into(), crate::metrics::PatchState::default());
        state.totals = [(Verdict::Applied, 4), (Verdict::Stale, 2)].into();
        state.unread.insert("lp_two".into());
        assert_eq!(line(&state), "1 livepatch, 6 relocations: applied 4, stale 2; 1 could not be read");
    }
}
