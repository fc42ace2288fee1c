//! One record of /dev/kmsg (Documentation/ABI/testing/dev-kmsg).

use std::borrow::Cow;

/// What the kernel itself said. What processes write to /dev/kmsg is not: the kernel gives it another facility than its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its number in the log, counted since the boot.
    pub number: u64,
    /// When it was said: microseconds of the log's own clock (`local_clock`), which drifts from CLOCK_MONOTONIC.
    pub logged_us: u64,
    /// The text, with the bytes that the kernel escaped as they were.
    pub text: Cow<'a, [u8]>,
}

impl<'a> Line<'a> {
    /// Takes a record apart: `priority,number,microseconds,flags[,…];text`, then a newline and lines that begin with a
    /// space. None of what is no such record, or not the kernel's own (facility 0).
    pub fn parse(record: &'a [u8]) -> Option<Self> {
        let head = record.iter().position(|byte| *byte == b';')?;
        let (head, text) = (std::str::from_utf8(record.get(..head)?).ok()?, record.get(head + 1..)?);
        let mut fields = head.split(',');
        let mut number = || fields.next()?.parse::<u64>().ok();
        let (priority, number, logged_us) = (number()?, number()?, number()?);
        if priority >> 3 != 0 {
            return None;
        }
        let text = text.split(|byte| *byte == b'\n').next()?;
        Some(Self { number, logged_us, text: unescaped(text) })
    }
}

/// The kernel writes every byte that is not printable ASCII, and the backslash, as `\xNN` (kernel/printk/printk.c,
/// `append_char`, `msg_add_ext_text`).
fn unescaped(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.strip_prefix(b"x").and_then(|hex| std::str::from_utf8(hex.get(..2)?).ok());
        let escaped = hex.filter(|_| byte == b'\\').and_then(|hex| u8::from_str_radix(hex, 16).ok());
        plain.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_of_the_kernel() {
        let line = Line::parse(b"5,612,20918273,-;livepatch: enabling patch 'lp_one'\n").unwrap();
        assert_eq!((line.number, line.logged_us), (612, 20_918_273));
        assert_eq!(line.text, b"livepatch: enabling patch 'lp_one'".as_slice());
        // With CONFIG_PRINTK_CALLER, and with a dictionary.
        let line =
            Line::parse(b"3,613,20918274,-,caller=T114;module: x\n SUBSYSTEM=pci\n DEVICE=+pci:0\n").unwrap();
        assert_eq!((line.number, &*line.text), (613, b"module: x".as_slice()));
    }

    #[test]
    fn what_processes_write_there_is_not_the_kernels() {
        assert_eq!(Line::parse(b"12,614,20918275,-;livepatch: enabling patch 'lp_one'\n"), None);
        for broken in
            [b"".as_slice(), b"6,1,2,-", b"6,1;x", b"a,1,2,-;x", b";x", b"\xff,1,2,-;x", b"-3,1,2,-;x"]
        {
            assert_eq!(Line::parse(broken), None);
        }
    }

    #[test]
    fn escaped_bytes_are_what_they_were() {
        let text = |record: &'static [u8]| Line::parse(record).unwrap().text.into_owned();
        assert_eq!(text(br"6,1,2,-;a\x1b[2J\x5cb"), b"a\x1b[2J\\b");
        assert_eq!(text(br"6,1,2,-;\xZZ \x4 \"), br"\xZZ \x4 \");
        assert_eq!(text("6,1,2,-;\\x\u{e9}a".as_bytes()), "\\x\u{e9}a".as_bytes());
    }

    proptest! {
        #[test]
        fn no_record_is_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Line::parse(&bytes);
            let mut record = b"6,1,2,-;".to_vec();
            record.extend(&bytes);
            prop_assert!(Line::parse(&record).unwrap().text.len() <= bytes.len());
        }
    }
}
