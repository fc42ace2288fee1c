//! Writes YAML that people read: maps in their order, expressions as blocks. promtool and amtool, which parse strictly, read all of
//! it in `cargo xtask test`. No library: serde_yaml is not kept up, and what follows it brings more than these lines.

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Yaml {
    /// A string.
    Text(String),
    /// A number or a word that is not to be quoted.
    Plain(String),
    /// A list.
    List(Vec<Yaml>),
    /// A map.
    Map(Vec<(String, Yaml)>),
}

/// A string.
pub fn text(text: impl Into<String>) -> Yaml {
    Yaml::Text(text.into())
}

/// A map.
pub fn map<const N: usize>(entries: [(&str, Yaml); N]) -> Yaml {
    Yaml::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// A list of strings.
pub fn texts(items: &[&str]) -> Yaml {
    Yaml::List(items.iter().map(|item| text(*item)).collect())
}

impl Yaml {
    /// The document.
    pub fn document(&self) -> String {
        let mut out = String::new();
        self.write(0, &mut out);
        out
    }

    /// Writes lines that begin at this depth.
    fn write(&self, depth: usize, out: &mut String) {
        let indent = "  ".repeat(depth);
        match self {
            Self::Map(entries) => {
                for (key, value) in entries {
                    out.push_str(&indent);
                    out.push_str(&scalar(key));
                    out.push(':');
                    value.after_key(depth, out);
                }
            }
            Self::List(items) => {
                for item in items {
                    let mut inner = String::new();
                    item.write(depth + 1, &mut inner);
                    // The dash stands where the item's first line would begin.
                    out.push_str(&indent);
                    out.push_str("- ");
                    out.push_str(inner.trim_start_matches(' '));
                }
            }
            Self::Text(text) => line(&indent, &scalar(text), out),
            Self::Plain(text) => line(&indent, text, out),
        }
    }

    fn after_key(&self, depth: usize, out: &mut String) {
        match self {
            Self::Map(entries) if entries.is_empty() => out.push_str(" {}\n"),
            Self::List(items) if items.is_empty() => out.push_str(" []\n"),
            Self::Map(_) | Self::List(_) => {
                out.push('\n');
                self.write(depth + 1, out);
            }
            Self::Text(text) if is_block(text) => {
                out.push_str(" |-\n");
                for part in text.lines() {
                    line(&"  ".repeat(depth + 1), part, out);
                }
            }
            Self::Text(text) => line(" ", &scalar(text), out),
            Self::Plain(text) => line(" ", text, out),
        }
    }
}

fn line(before: &str, text: &str, out: &mut String) {
    out.push_str(before);
    out.push_str(text);
    out.push('\n');
}

/// Several lines of which a block gives back each byte: none begins or ends with what a block would take for its own.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n'])
        && !text.ends_with('\n')
        && text.lines().all(|part| !part.is_empty() && !part.ends_with(' '))
        && !text.chars().any(|c| c.is_control() && c != '\n')
}

/// In quotes, unless it can be taken for nothing but a string.
fn scalar(text: &str) -> String {
    const WORDS: [&str; 8] = ["true", "false", "yes", "no", "on", "off", "null", "y"];
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '/'))
        && text.chars().all(word)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && text.len() > 1;
    if plain {
        text.to_owned()
    } else if text.contains('"') && !text.contains('\'') && !text.contains(char::is_control) {
        // In single quotes nothing but these needs an escape.
        format!("'{text}'")
    } else {
        // A string of JSON is one of YAML.
        serde_json::Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_something_else_is_quoted() {
        for (given, written) in [
            ("critical", "critical"),
            ("/a/b.yml", "/a/b.yml"),
            ("yes", "\"yes\""),
            ("5m", "\"5m\""),
            ("a: b", "\"a: b\""),
            ("", "\"\""),
            ("{{ $value }}", "\"{{ $value }}\""),
            ("a{b=\"c\\\\.d\"}", "'a{b=\"c\\\\.d\"}'"),
            ("it's \"no\" \\ #", "\"it's \\\"no\\\" \\\\ #\""),
        ] {
            assert_eq!(scalar(given), written);
        }
    }

    #[test]
    fn maps_lists_and_blocks_nest() {
        let inner = map([
            ("expr", text("a\n  or b")),
            ("labels", map([("k", text("v1"))])),
            ("none", Yaml::List(vec![])),
        ]);
        let document =
            map([("rules", Yaml::List(vec![inner, text("x y")])), ("n", Yaml::Plain("5".to_owned()))]);
        let expected = "rules:\n  - expr: |-\n      a\n        or b\n    labels:\n      \"k\": v1\n    none: []\n  - \"x y\"\n\"n\": 5\n";
        assert_eq!(document.document(), expected);
    }

    #[test]
    fn a_text_that_a_block_would_change_is_quoted() {
        for text in ["a\n", " a\nb", "a \nb", "a\n\nb", "a\tb\nc"] {
            assert!(!is_block(text), "{text:?}");
        }
    }
}
