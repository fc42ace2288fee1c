//! Which of the archive's kernels is the newest of a series.

use super::Series;

/// The flavour that boots without drivers for real hardware; small, and complete for a virtual machine.
pub const FLAVOUR: &str = "cloud-amd64";

/// The releases (`uname -r`) of `series` among package names, newest first.
pub fn newest_first(series: Series, packages: &[String]) -> Vec<String> {
    let prefix = format!("{series}.");
    let mut found: Vec<&str> = packages
        .iter()
        .filter_map(|package| package.strip_prefix("linux-image-"))
        .filter(|release| release.starts_with(&prefix))
        .filter(|release| release.strip_suffix(FLAVOUR).is_some_and(|version| numbers(version).len() > 2))
        .collect();
    found.sort_by_key(|release| numbers(release));
    found.reverse();
    found.dedup();
    found.into_iter().map(str::to_owned).collect()
}

/// A release without its flavour, as the packages that all flavours share are named.
pub fn without_flavour(release: &str) -> &str {
    release.strip_suffix(FLAVOUR).map_or(release, |version| version.trim_end_matches('-'))
}

/// The numbers in a release, in order; Debian's releases of one series sort by them.
fn numbers(release: &str) -> Vec<u64> {
    let version = without_flavour(release);
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(series: Series, names: &[&str]) -> Vec<String> {
        newest_first(series, &names.iter().map(|name| format!("linux-image-{name}")).collect::<Vec<_>>())
    }

    #[test]
    fn the_newest_comes_first_by_number_not_by_letter() {
        let names = ["6.1.0-9-cloud-amd64", "6.1.0-56-cloud-amd64", "6.1.0-47-cloud-amd64"];
        assert_eq!(
            pick(Series::V6_1, &names),
            ["6.1.0-56-cloud-amd64", "6.1.0-47-cloud-amd64", "6.1.0-9-cloud-amd64"]
        );
        let names = ["6.12.90+deb13-cloud-amd64", "6.12.90+deb13.1-cloud-amd64", "6.12.9+deb13-cloud-amd64"];
        assert_eq!(
            pick(Series::V6_12, &names).first().map(String::as_str),
            Some("6.12.90+deb13.1-cloud-amd64")
        );
        let names = ["7.2.13+deb13-cloud-amd64", "7.10.1+deb13-cloud-amd64", "7.3.4+deb13-cloud-amd64"];
        assert_eq!(pick(Series::V7, &names).first().map(String::as_str), Some("7.10.1+deb13-cloud-amd64"));
    }

    #[test]
    fn other_series_flavours_and_meta_packages_are_left_out() {
        let names = [
            "6.12.1+deb13-cloud-amd64",
            "6.1.0-56-amd64",
            "6.1.0-56-cloud-amd64-unsigned",
            "6.1.0-56-cloud-amd64-dbg",
            "6.12-cloud-amd64",
            "6.1.0-55-cloud-amd64",
        ];
        assert_eq!(pick(Series::V6_1, &names), ["6.1.0-55-cloud-amd64"]);
        assert_eq!(pick(Series::V6_12, &names), ["6.12.1+deb13-cloud-amd64"]);
        assert!(pick(Series::V7, &names).is_empty());
    }

    #[test]
    fn a_release_without_its_flavour() {
        assert_eq!(without_flavour("6.1.0-56-cloud-amd64"), "6.1.0-56");
        assert_eq!(without_flavour("7.3.4+deb13-cloud-amd64"), "7.3.4+deb13");
    }
}
