//! The kernel that a patch was built for, by its vermagic: some rules are those of certain kernels alone.

/// The release of the first word of `vermagic=`, and what can be told from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuiltFor {
    release: Option<String>,
}

/// Major and minor version.
pub type Version = (u32, u32);

/// The kernel that writes relocations gated on vmlinux when the patch is loaded, and has no `.klp.arch.*`.
pub const EARLY_VMLINUX: Version = (5, 8);
/// The kernel that reads symbols' names of up to 511 bytes.
pub const LONG_NAMES: Version = (6, 1);
/// The kernel that relocates per-CPU data gated on vmlinux.
pub const PER_CPU: Version = (6, 16);
/// The kernel that compares names of symbols as they are, when built by clang with LTO.
pub const WHOLE_NAMES: Version = (6, 11);

impl BuiltFor {
    /// The kernel of a release (`uname -r`), escaped.
    pub fn release(release: &str) -> Self {
        Self { release: Some(release.to_owned()).filter(|r| !r.is_empty()) }
    }

    /// The release as it stands, if there is one.
    pub fn name(&self) -> Option<&str> {
        self.release.as_deref()
    }

    /// Whether the kernel is older than a change; or why that cannot be told. Distributions that keep one version for
    /// years bring changes into it: of theirs, only that they are newer is believed.
    pub fn before(&self, change: Version) -> Result<bool, String> {
        let release =
            self.release.as_deref().ok_or("the file has no vermagic, which would name its kernel")?;
        let version = version(release)
            .ok_or_else(|| format!("its vermagic names kernel {release}, whose version cannot be read"))?;
        if version >= change {
            return Ok(false);
        }
        if change == EARLY_VMLINUX
            && version == (4, 18)
            && red_hat_8(release).is_some_and(|build| build >= 284)
        {
            return Ok(false);
        }
        if is_kept_for_years(release) {
            let (major, minor) = change;
            return Err(format!(
                "kernel {release} is older than {major}.{minor}, but its distribution may have taken the change over"
            ));
        }
        Ok(true)
    }
}

/// The first two numbers: 6 and 12 of `6.12.107+deb13-cloud-amd64`.
fn version(release: &str) -> Option<Version> {
    let (major, rest) = release.split_once('.')?;
    let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// RHEL and its kin (`.el8_4`), SUSE Linux Enterprise (`-150600.23-default`).
fn is_kept_for_years(release: &str) -> bool {
    let digit_after =
        |mark: &str| release.split(mark).skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let suse = |word: &str| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit());
    digit_after(".el") || release.split(['-', '.']).any(suse)
}

/// The build of RHEL 8's kernel: 348 of `4.18.0-348.el8.x86_64`.
fn red_hat_8(release: &str) -> Option<u32> {
    let (build, _) = release.split_once(".el8")?;
    build.split_once('-')?.1.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before(release: &str, change: Version) -> Option<bool> {
        BuiltFor::release(release).before(change).ok()
    }

    #[test]
    fn the_version_tells_on_which_side_of_a_change_a_kernel_is() {
        for (release, old, new) in [
            ("6.12.107+deb13-cloud-amd64", (6, 16), (6, 12)),
            ("7.3.4-klp", (7, 4), (6, 16)),
            ("5.15.0-91-generic", (6, 1), (5, 8)),
            ("5.4.0", (5, 8), (5, 4)),
            ("6.15-rc1", (6, 16), (6, 15)),
            ("6.12", (6, 16), (6, 11)),
        ] {
            assert_eq!((before(release, old), before(release, new)), (Some(true), Some(false)), "{release}");
        }
    }

    #[test]
    fn without_a_version_nothing_is_told() {
        for release in ["", "custom", "six.1", "7", ".1", "6."] {
            assert_eq!(before(release, (6, 1)), None, "{release}");
        }
        let why = BuiltFor::default().before((6, 1)).unwrap_err();
        assert!(why.contains("no vermagic"), "{why}");
    }

    #[test]
    fn of_kernels_that_are_kept_for_years_only_the_newer_is_believed() {
        for release in ["5.14.0-427.el9.x86_64", "6.4.0-150600.23.7-default", "4.18.0-553.el8_10.x86_64"] {
            assert_eq!(before(release, (6, 16)), None, "{release}");
            assert_eq!(before(release, (4, 4)), Some(false), "{release}");
        }
        assert_eq!(before("4.18.0-348.el8.x86_64", EARLY_VMLINUX), Some(false));
        assert_eq!(before("4.18.0-193.el8.x86_64", EARLY_VMLINUX), None);
        assert_eq!(before("5.14.0-427.el9.x86_64", EARLY_VMLINUX), Some(false));
    }
}
