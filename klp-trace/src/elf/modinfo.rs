//! `.modinfo`: NUL-separated `key=value` strings, read as the kernel's `get_next_modinfo()` reads them.

/// The first value of a key; `None` without the key. An unterminated last string counts.
pub fn get<'a>(modinfo: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    modinfo.split(|b| *b == 0).find_map(|entry| entry.strip_prefix(key)?.strip_prefix(b"="))
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
}
