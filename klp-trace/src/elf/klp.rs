//! The livepatch names, parsed by the kernel's own widths (`kernel/livepatch/core.c`, 6.1 to 7.3):
//! sections `.klp.rela.%55[^.]`, symbols `.klp.sym.%55[^.].%511[^,],%lu`.
//!
//! The kernel's `sscanf` stops at the first byte that does not fit and ignores what follows a complete match.

/// `SHF_RELA_LIVEPATCH` (`include/uapi/linux/elf.h`): what alone makes a section a livepatch's.
pub const SHF_RELA_LIVEPATCH: u64 = 0x0010_0000;

/// `SHN_LIVEPATCH` (`include/uapi/linux/elf.h`): what makes a symbol one that livepatch resolves.
pub const SHN_LIVEPATCH: u16 = 0xff20;

/// What the name of every symbol that livepatch resolves begins with.
pub const SYMBOL_PREFIX: &str = ".klp.sym.";

/// The object (gate) of a section's name: `veth` of `.klp.rela.veth..text.veth_setup`.
pub fn section_object(name: &[u8]) -> Option<&[u8]> {
    let (object, _) = until(name.strip_prefix(b".klp.rela.")?, 55, b'.')?;
    Some(object)
}

/// A symbol's name in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymbolName<'a> {
    /// The module or `vmlinux` where the symbol is looked up.
    pub object: &'a [u8],
    /// The symbol's own name.
    pub name: &'a [u8],
    /// 0: must be the only one of its name; n: the n-th of them.
    pub sympos: u64,
}

/// The parts of `.klp.sym.<object>.<name>,<sympos>`; `None` where the kernel says "incorrectly formatted name".
pub fn symbol(name: &[u8]) -> Option<SymbolName<'_>> {
    let (object, rest) = until(name.strip_prefix(SYMBOL_PREFIX.as_bytes())?, 55, b'.')?;
    let (name, rest) = until(rest.strip_prefix(b".")?, 511, b',')?;
    Some(SymbolName { object, name, sympos: unsigned(rest.strip_prefix(b",")?)? })
}

/// `%<width>[^<stop>]`: one byte at least, at most `width`, up to `stop`. And what follows.
fn until(text: &[u8], width: usize, stop: u8) -> Option<(&[u8], &[u8])> {
    let within = text.get(..width).unwrap_or(text);
    let len = memchr::memchr(stop, within).unwrap_or(within.len());
    if len == 0 { None } else { text.split_at_checked(len) }
}

/// `%lu`: white space is skipped, one digit at least, and it wraps as the kernel's does.
fn unsigned(text: &[u8]) -> Option<u64> {
    // The kernel's isspace(): also vertical tab and the Latin-1 no-break space.
    let space = |b: &u8| matches!(b, b' ' | b'\t'..=b'\r' | 0xa0);
    let mut digits = text.iter().copied().skip_while(space).take_while(u8::is_ascii_digit).map(|b| b - b'0');
    let first = u64::from(digits.next()?);
    Some(digits.fold(first, |n, d| n.wrapping_mul(10).wrapping_add(u64::from(d))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(name: &str) -> Option<(String, String, u64)> {
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        symbol(name.as_bytes()).map(|s| (text(s.object), text(s.name), s.sympos))
    }

    #[test]
    fn sections() {
        assert_eq!(section_object(b".klp.rela.veth..text.veth_setup"), Some(&b"veth"[..]));
        assert_eq!(section_object(b".klp.rela.ext4.text"), Some(&b"ext4"[..]));
        assert_eq!(section_object(b".klp.rela.vmlinux"), Some(&b"vmlinux"[..]), "nothing need follow");
        assert_eq!(section_object(b".klp.rela."), None);
        assert_eq!(section_object(b".klp.rela..text"), None);
        assert_eq!(section_object(b".rela.text"), None);
    }

    #[test]
    fn an_object_of_more_than_55_bytes_is_cut_as_the_kernel_cuts_it() {
        let name = [&b".klp.rela."[..], &[b'm'; 70], b".text"].concat();
        assert_eq!(section_object(&name).map(<[u8]>::len), Some(55));
    }

    #[test]
    fn symbols() {
        let of = |o: &str, n: &str, p| Some((o.to_owned(), n.to_owned(), p));
        assert_eq!(parts(".klp.sym.veth.veth_dev_free,1"), of("veth", "veth_dev_free", 1));
        assert_eq!(parts(".klp.sym.vmlinux.foo.isra.0,0"), of("vmlinux", "foo.isra.0", 0));
        assert_eq!(parts(".klp.sym.m.s,2trailing"), of("m", "s", 2));
        assert_eq!(parts(".klp.sym.m.s, 3"), of("m", "s", 3));
        assert_eq!(parts(".klp.sym.m.s,18446744073709551617"), of("m", "s", 1), "wraps");
        for bad in
            ["m.s,1", ".klp.sym.m.s", ".klp.sym.m.s,", ".klp.sym.m.s,x", ".klp.sym..s,1", ".klp.sym.m.,1"]
        {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }

    #[test]
    fn widths() {
        let long = |object: usize, name: usize| {
            parts(&format!(".klp.sym.{}.{},1", "o".repeat(object), "n".repeat(name))).is_some()
        };
        assert!(long(55, 511));
        assert!(!long(56, 1), "the dot must follow");
        assert!(!long(1, 512), "the comma must follow");
    }
}
