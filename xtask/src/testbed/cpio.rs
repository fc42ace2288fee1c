//! Writes a "newc" cpio archive, the format of an initramfs (Documentation/driver-api/early-userspace/
//! buffer-format.rst in the kernel's source).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// What stands at a path of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Folder(u32),
    Host(PathBuf, u32),
    Bytes(Vec<u8>, u32),
    Link(PathBuf),
}

/// The archive to be: what was added last at a path wins, and folders above a path are made as needed.
#[derive(Debug, Default)]
pub struct Archive {
    entries: BTreeMap<PathBuf, Entry>,
}

impl Archive {
    /// An empty folder.
    pub fn folder(&mut self, at: impl AsRef<Path>, mode: u32) {
        self.put(at.as_ref(), Entry::Folder(mode));
    }

    /// A file with these bytes.
    pub fn bytes(&mut self, at: impl AsRef<Path>, bytes: impl Into<Vec<u8>>, mode: u32) {
        self.put(at.as_ref(), Entry::Bytes(bytes.into(), mode));
    }

    /// A file of this machine; read when the archive is written.
    pub fn file(&mut self, at: impl AsRef<Path>, host: &Path, mode: u32) {
        self.put(at.as_ref(), Entry::Host(host.to_owned(), mode));
    }

    /// A symbolic link at `at` that leads to `to`.
    pub fn link(&mut self, at: impl AsRef<Path>, to: impl AsRef<Path>) {
        self.put(at.as_ref(), Entry::Link(to.as_ref().to_owned()));
    }

    /// Whether something stands at `at` already.
    pub fn holds(&self, at: impl AsRef<Path>) -> bool {
        self.entries.contains_key(&relative(at.as_ref()))
    }

    fn put(&mut self, at: &Path, entry: Entry) {
        let at = relative(at);
        for above in at.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
            self.entries.entry(above.to_owned()).or_insert(Entry::Folder(0o755));
        }
        self.entries.insert(at, entry);
    }

    /// Writes the archive to the file `path`, uncompressed: QEMU hands it to the guest faster than an emulated
    /// processor unpacks it.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut out = BufWriter::new(file);
        self.write_to(&mut out).with_context(|| format!("cannot write {}", path.display()))?;
        out.flush().with_context(|| format!("cannot write {}", path.display()))
    }

    fn write_to(&self, out: &mut impl Write) -> anyhow::Result<()> {
        let mut inode = 0_u32;
        for (path, entry) in &self.entries {
            inode += 1;
            let (mode, bytes) = match entry {
                Entry::Folder(mode) => (FOLDER | mode, Vec::new()),
                Entry::Bytes(bytes, mode) => (FILE | mode, bytes.clone()),
                Entry::Link(to) => (LINK | 0o777, to.as_os_str().as_encoded_bytes().to_vec()),
                Entry::Host(host, mode) => {
                    (FILE | mode, fs::read(host).with_context(|| format!("cannot read {}", host.display()))?)
                }
            };
            member(out, inode, mode, path.as_os_str().as_encoded_bytes(), &bytes)?;
        }
        member(out, 0, 0, b"TRAILER!!!", &[])
    }
}

/// One header of 13 eight-digit hexadecimal numbers, the name and the bytes, each padded to four.
fn member(out: &mut impl Write, inode: u32, mode: u32, name: &[u8], bytes: &[u8]) -> anyhow::Result<()> {
    let Ok(size) = u32::try_from(bytes.len()) else {
        bail!("{} does not fit into an initramfs", String::from_utf8_lossy(name));
    };
    let links = if mode & FOLDER == FOLDER { 2 } else { 1 };
    let name_size = u32::try_from(name.len() + 1)?;
    write!(out, "070701")?;
    for number in [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0] {
        write!(out, "{number:08x}")?;
    }
    out.write_all(name)?;
    out.write_all(&[0])?;
    pad(out, 110 + name.len() + 1)?;
    out.write_all(bytes)?;
    pad(out, bytes.len())?;
    Ok(())
}

fn pad(out: &mut impl Write, length: usize) -> io::Result<()> {
    let rest = length.next_multiple_of(4) - length;
    out.write_all([0; 3].get(..rest).unwrap_or_default())
}

fn relative(path: &Path) -> PathBuf {
    path.strip_prefix("/").unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads an archive back: name, mode, bytes.
    fn read(mut rest: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut found = Vec::new();
        let mut offset = 0;
        loop {
            assert_eq!(&rest[..6], b"070701");
            let number = |i: usize| {
                u32::from_str_radix(std::str::from_utf8(&rest[6 + 8 * i..14 + 8 * i]).unwrap(), 16).unwrap()
            };
            let (mode, size, name_size) = (number(1), number(6) as usize, number(11) as usize);
            let name = String::from_utf8(rest[110..110 + name_size - 1].to_vec()).unwrap();
            let start = (110 + name_size).next_multiple_of(4);
            let next = (start + size).next_multiple_of(4);
            if name == "TRAILER!!!" {
                assert_eq!(offset % 4, 0);
                return found;
            }
            found.push((name, mode, rest[start..start + size].to_vec()));
            rest = &rest[next..];
            offset += next;
        }
    }

    #[test]
    fn what_is_added_comes_back_with_the_folders_above_it_first() {
        let mut archive = Archive::default();
        archive.bytes("/etc/deep/hello", "hi there", 0o640);
        archive.link("/bin/sh", "busybox");
        archive.folder("/tmp", 0o1777);
        archive.bytes("/etc/deep/hello", "second", 0o600);
        let mut out = Vec::new();
        archive.write_to(&mut out).unwrap();
        let expected = [
            ("bin", 0o040_755, ""),
            ("bin/sh", 0o120_777, "busybox"),
            ("etc", 0o040_755, ""),
            ("etc/deep", 0o040_755, ""),
            ("etc/deep/hello", 0o100_600, "second"),
            ("tmp", 0o041_777, ""),
        ];
        let expected: Vec<_> =
            expected.iter().map(|(n, m, b)| ((*n).to_owned(), *m, b.as_bytes().to_vec())).collect();
        assert_eq!(read(&out), expected);
    }
}
