//! Small text files that people write: policies and configurations.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::anyhow;

use super::exit::Exit;
use super::failure::Failure;
use crate::elf::names;
use crate::model::mistake;

/// Bytes that such a file may have.
const LARGEST: usize = 1 << 20;

/// The text of a file that was opened; `kind` is what it should be: "policy". A failure is wrong usage (2).
pub(super) fn read(opened: io::Result<File>, path: &Path, kind: &str) -> Result<String, Failure> {
    let name = names::path(path);
    let usage = |error: anyhow::Error| Failure::new(Exit::Usage, error);
    let mut bytes = Vec::new();
    opened.and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut bytes)).map_err(|error| {
        usage(anyhow::Error::new(error).context(format!("cannot read the {kind} {name}")))
    })?;
    if bytes.len() > LARGEST {
        return Err(usage(anyhow!("{name} is longer than 1 MiB: that is no {kind}")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let (before, rest) = bytes.split_at_checked(good).unwrap_or((bytes, &[]));
        let line = mistake::place(&String::from_utf8_lossy(before), before.len()).0;
        let bad = rest.first().copied().unwrap_or_default();
        // A byte order mark of UTF-16 (Unicode, section 23.8) is the only other encoding that says which one it is.
        let (from, guess) = match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => ("utf-16", "it begins like UTF-16"),
            _ => ("latin1", "if it is Latin-1"),
        };
        usage(anyhow!("{name}: line {line}: byte 0x{bad:02x} at offset {good} is not UTF-8"))
            .hint(format!("write it in UTF-8; {guess}: iconv -f {from} -t utf-8 {name} > {name}.utf8"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_that_is_not_utf8_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.toml");
        let said = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let failure = read(File::open(&path), &path, "policy").unwrap_err();
            assert_eq!(failure.exit(), Exit::Usage);
            failure.to_string()
        };
        let latin = said(b"# \xc3\xa4\n[limits]\n# gr\xfc\xdfe\n");
        assert!(latin.contains("p.toml: line 3: byte 0xfc at offset 18 is not UTF-8"), "{latin}");
        assert!(latin.contains("iconv -f latin1 -t utf-8 ") && !latin.contains("stream"), "{latin}");
        assert!(said(b"\xff\xfe[\0").contains("iconv -f utf-16"));
        assert!(said(b"a = 1 \xe2\x82").contains("line 1: byte 0xe2 at offset 6"), "cut off");
        assert!(said(&vec![b'#'; LARGEST + 1]).contains("longer than 1 MiB"));
        assert!(read(File::open("/no/such"), Path::new("/no/such"), "policy").is_err());
    }
}
