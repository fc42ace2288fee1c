//! The links of packaged documents: to what is in the package by its path there, to all else in the repository on the web.

use std::path::{Component, Path, PathBuf};

use super::contents::Entry;

/// The repository on the web.
const REPOSITORY: &str = "https://github.com/klp-trace/klp-trace";

/// `text`, the document `of`, with its links made for a package that holds `all`.
pub fn made_for(text: &str, of: &Entry, all: &[Entry]) -> String {
    let mut parts = text.split("](");
    let mut made = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        made.push_str("](");
        match part.split_once(')') {
            Some((target, rest)) => {
                let image = made
                    .trim_end_matches("](")
                    .rsplit_once('[')
                    .is_some_and(|(before, _)| before.ends_with('!'));
                made.push_str(&link(target, of, all, image));
                made.push(')');
                made.push_str(rest);
            }
            None => made.push_str(part),
        }
    }
    made
}

fn link(target: &str, of: &Entry, all: &[Entry], image: bool) -> String {
    let (path, anchor) = target.find('#').map_or((target, ""), |at| target.split_at(at));
    if path.is_empty() || path.contains(':') || path.contains(char::is_whitespace) {
        return target.to_owned();
    }
    let meant = normal(&of.from.parent().unwrap_or(Path::new("")).join(path));
    if let Some(entry) = all.iter().find(|entry| entry.from == meant) {
        return format!("{}{anchor}", relative(&of.to, &entry.to));
    }
    let view = if image { "raw" } else { "blob" };
    format!("{REPOSITORY}/{view}/main/{}{anchor}", meant.display())
}

/// `path` without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

/// The way from the file `from` to the file `to`; both are below the same root.
fn relative(from: &str, to: &str) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) = (from.split('/').collect(), to.split('/').collect());
    let folders = from.len().saturating_sub(1);
    let same = from.iter().take(folders).zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", folders - same);
    up.chain(to.iter().skip(same).copied()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::super::contents::How;
    use super::*;

    fn entry(from: &str, to: &str) -> Entry {
        Entry { from: from.into(), to: to.into(), how: How::Markdown }
    }

    #[test]
    fn links_lead_where_they_did() {
        let all = [
            entry("docs/serve.md", "usr/share/doc/k/docs/serve.md"),
            entry("README.md", "usr/share/doc/k/README.md"),
            entry("packaging/serve.toml", "etc/k/serve.toml"),
        ];
        let made = |text: &str| made_for(text, &all[0], &all);
        assert_eq!(made("[a](../README.md#use) b"), "[a](../README.md#use) b");
        assert_eq!(made("[`c`](../packaging/serve.toml)"), "[`c`](../../../../../etc/k/serve.toml)");
        assert_eq!(made("[d](../LICENSE)"), format!("[d]({REPOSITORY}/blob/main/LICENSE)"));
        assert_eq!(made("![p](screens/p.svg)"), format!("![p]({REPOSITORY}/raw/main/docs/screens/p.svg)"));
        for same in ["[w](https://x.example/y)", "[h](#here)", "f](x y) g", "a](b"] {
            assert_eq!(made(same), same);
        }
    }
}
