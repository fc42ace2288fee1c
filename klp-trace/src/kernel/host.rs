//! Which host and boot this is, for the journal's envelope.

use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// klp-trace's application id. Never to change: it would give every host another id.
const APPLICATION: [u8; 16] =
    [0xba, 0x6d, 0x18, 0x23, 0x68, 0xc5, 0x47, 0x8a, 0x8c, 0x6d, 0x2a, 0x63, 0xb6, 0x56, 0x45, 0x34];

/// The host, its boot and its kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The host's id as klp-trace alone sees it; see [`app_specific_id`]. `None` without a machine-id.
    pub id: Option<String>,
    /// The host's name.
    pub name: String,
    /// The kernel's random id of this boot; empty where /proc does not tell.
    pub boot_id: String,
    /// `uname -r`.
    pub release: String,
    /// `uname -m`.
    pub arch: String,
}

impl Host {
    /// Asks the kernel, and the files under `root` (`/`, except in tests).
    pub fn read(root: &Path) -> Self {
        let uname = rustix::system::uname();
        Self {
            id: machine_id(root).map(|id| app_specific_id(&id)),
            name: uname.nodename().to_string_lossy().into_owned(),
            boot_id: line(root, "proc/sys/kernel/random/boot_id").unwrap_or_default(),
            release: uname.release().to_string_lossy().into_owned(),
            arch: uname.machine().to_string_lossy().into_owned(),
        }
    }
}

/// The first 128 bits of HMAC-SHA256 of klp-trace's application id, keyed with the machine-id and marked as a UUID of
/// version 4: what `systemd-id128 machine-id --app-specific=ba6d182368c5478a8c6d2a63b6564534` prints. It names the host
/// in klp-trace's journals, tells nobody the machine-id, and cannot be matched with another program's id of the host.
pub fn app_specific_id(machine_id: &[u8; 16]) -> String {
    // HMAC takes keys of any length; KeyInit says so with a Result.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(machine_id) else { return String::new() };
    mac.update(&APPLICATION);
    let digest = mac.finalize().into_bytes();
    let mut number = digest.iter().take(16).fold(0_u128, |n, byte| (n << 8) | u128::from(*byte));
    number = (number & !(0xf << 76)) | (0x4 << 76);
    number = (number & !(0b11 << 62)) | (0b10 << 62);
    format!("{number:032x}")
}

/// /etc/machine-id: 32 hex digits. On a first boot it may say "uninitialized".
fn machine_id(root: &Path) -> Option<[u8; 16]> {
    let text = line(root, "etc/machine-id").or_else(|| line(root, "var/lib/dbus/machine-id"))?;
    if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&text, 16).ok().filter(|id| *id != 0).map(u128::to_be_bytes)
}

fn line(root: &Path, path: &str) -> Option<String> {
    std::fs::read_to_string(root.join(path)).ok().map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_one_that_systemd_derives() {
        // Made with systemd's formula in Python; the formula was checked against systemd-id128 itself.
        let machine = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_be_bytes();
        assert_eq!(app_specific_id(&machine), "64f58d844cdb4687ae5533e7eb2731c7");
    }

    #[test]
    fn the_id_does_not_show_the_machine_id_and_is_a_version_4_uuid() {
        for seed in 1..64_u128 {
            let machine = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            let id = app_specific_id(&machine.to_be_bytes());
            assert_ne!(id, format!("{machine:032x}"));
            assert_eq!(id.len(), 32);
            assert_eq!(&id[12..13], "4");
            assert!("89ab".contains(&id[16..17]), "{id}");
        }
    }

    #[test]
    fn reads_the_files_and_does_without() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Host::read(root.path()).id, None);
        std::fs::create_dir_all(root.path().join("etc")).unwrap();
        for not_yet in
            ["uninitialized\n", "\n", "0123\n", "+1230000000000000000000000000000\n", &"0".repeat(32)]
        {
            std::fs::write(root.path().join("etc/machine-id"), not_yet).unwrap();
            assert_eq!(Host::read(root.path()).id, None, "{not_yet:?}");
        }
        std::fs::write(root.path().join("etc/machine-id"), "0123456789abcdef0123456789abcdef\n").unwrap();
        let host = Host::read(root.path());
        assert!(host.id.is_some() && !host.release.is_empty() && !host.arch.is_empty());
    }
}
