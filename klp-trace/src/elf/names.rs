//! Names from ELF files and from the kernel, made safe for terminals and logs without losing a byte.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::model::escape::escape;

/// A name as text, by the notation of [`escape`](crate::model::escape). Different bytes always give different
/// text, so texts may be compared in place of the bytes.
pub fn display(raw: &[u8]) -> String {
    escape(raw).into_owned()
}

/// The bytes that [`display`] wrote as this text. Of text that it did not write, what is no escape stays as it is.
pub fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        out.extend(plain.bytes());
        let (escaped, after) =
            one_escape(escape).unwrap_or_else(|| (b"\\".to_vec(), escape.get(1..).unwrap_or_default()));
        out.extend(escaped);
        rest = after;
    }
    out.extend(rest.bytes());
    out
}

/// The bytes of the escape that `text` begins with, and what follows it.
fn one_escape(text: &str) -> Option<(Vec<u8>, &str)> {
    let text = text.strip_prefix('\\')?;
    if let Some(rest) = text.strip_prefix('\\') {
        return Some((b"\\".to_vec(), rest));
    }
    if let Some(hex) = text.strip_prefix('x') {
        let (digits, rest) = hex.split_at_checked(2)?;
        return Some((vec![u8::from_str_radix(digits, 16).ok()?], rest));
    }
    let (digits, rest) = text.strip_prefix("u{")?.split_once('}')?;
    let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
    Some((c.to_string().into_bytes(), rest))
}

/// A path as text, escaped like every other name.
pub fn path(path: &Path) -> String {
    display(path.as_os_str().as_bytes())
}

/// The module name that the kernel would give to a file: its stem with dashes as underscores
/// (`KBUILD_MODNAME`), without `.ko` and the compression's ending.
pub fn module_of_file(path: &Path) -> Vec<u8> {
    let name = path.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
    let name = [&b".xz"[..], b".zst", b".gz"].iter().find_map(|end| name.strip_suffix(*end)).unwrap_or(name);
    normal(name.strip_suffix(b".ko").unwrap_or(name))
}

/// A module's name as the kernel spells it: dashes as underscores.
pub fn normal(name: &[u8]) -> Vec<u8> {
    name.iter().map(|b| if *b == b'-' { b'_' } else { *b }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_names_are_escaped() {
        assert_eq!(display(b"veth_setup.isra.0"), "veth_setup.isra.0");
        assert_eq!(display(b"a\x1b[31mb\n\0"), "a\\x1b[31mb\\x0a\\x00");
        assert_eq!(display("x\u{202e}y\u{200d}\u{85}".as_bytes()), "x\\u{202e}y\\u{200d}\\u{85}");
        assert_eq!(display(b"\xff\xc3("), "\\xff\\xc3(");
        assert_eq!(display(b"\\x1b"), "\\\\x1b");
        assert_eq!(display("naïve_变量".as_bytes()), "naïve_变量");
    }

    #[test]
    fn text_that_was_never_escaped_stays() {
        for text in ["", "plain", "end\\", "\\q", "\\x", "\\x1", "\\xé", "\\u{", "\\u{d800}", "\\u{zz}"] {
            assert_eq!(bytes(text), text.as_bytes(), "{text}");
        }
    }

    #[test]
    fn a_file_names_a_module() {
        let of = |p: &str| String::from_utf8(module_of_file(Path::new(p))).expect("UTF-8");
        assert_eq!(of("/lib/kpatch-a-b.ko.xz"), "kpatch_a_b");
        assert_eq!(of("nf-x.ko.zst"), "nf_x");
        assert_eq!(of("nf-x.ko"), "nf_x");
        assert_eq!(of("odd.gz"), "odd");
        assert_eq!(of("/"), "");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_hides(raw in proptest::collection::vec(any::<u8>(), 0..64)) {
            let text = display(&raw);
            prop_assert!(!text.chars().any(char::is_control));
            prop_assert_eq!(bytes(&text), raw);
        }

        #[test]
        fn unicode_round_trips(name in any::<String>()) {
            prop_assert_eq!(bytes(&display(name.as_bytes())), name.into_bytes());
        }
    }
}
