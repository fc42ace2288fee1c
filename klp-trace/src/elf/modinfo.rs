//! `.modinfo`: NUL-separated `key=value` strings, read as the kernel's `get_next_modinfo()` reads them.

use super::limits;

/// The first value of a key; `None` without the key. An unterminated last string counts.
pub fn get<'a>(modinfo: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    modinfo.split(|b| *b == 0).find_map(|entry| entry.strip_prefix(key)?.strip_prefix(b"="))
}

/// The modules of `depends=`, as modpost wrote them (files' names: dashes may be in them); at most [`limits::DEPENDS`]. The
/// kernel does not read it, modprobe does.
pub fn depends(modinfo: &[u8]) -> impl Iterator<Item = &[u8]> {
    let list = get(modinfo, b"depends").unwrap_or_default();
    list.split(|b| *b == b',').filter(|name| !name.is_empty()).take(limits::DEPENDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_whole_words_and_the_first_wins() {
        let info = b"xlivepatch=N\0\0\0livepatch=Y\0name=a=b\0name=c\0vermagic=6.1";
        assert_eq!(get(info, b"livepatch"), Some(&b"Y"[..]));
        assert_eq!(get(info, b"name"), Some(&b"a=b"[..]));
        assert_eq!(get(info, b"vermagic"), Some(&b"6.1"[..]));
        assert_eq!(get(info, b"live"), None);
        assert_eq!(get(b"", b""), None);
    }

    #[test]
    fn dependencies_are_limited_whatever_a_file_says() {
        assert_eq!(depends(b"depends=a,,klp-tb\0").collect::<Vec<_>>(), [&b"a"[..], b"klp-tb"]);
        assert_eq!(depends(b"name=x\0depends=\0").count(), 0);
        let many = [&b"depends="[..], &b"a,".repeat(7 << 20)].concat();
        assert_eq!(depends(&many).count(), limits::DEPENDS);
    }
}
