//! The hand-over disk: a raw image on which the guest leaves a tar of its `/out` and its exit code.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Most that a guest can hand over; the image is sparse and takes what is written alone.
const SIZE: u64 = 2 << 30;

/// Where the tar begins; before it stands init's last line.
const BLOCK: usize = 4096;

/// An empty disk at `path`.
pub fn create(path: &Path) -> anyhow::Result<()> {
    let _ = fs::remove_file(path);
    let file = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
    file.set_len(SIZE).with_context(|| format!("cannot make {} {SIZE} bytes long", path.display()))
}

/// Unpacks what the guest left on the disk at `path` into `out`, and gives the exit code it wrote, if it came
/// that far.
pub fn unpack(path: &Path, token: &str, out: &Path) -> anyhow::Result<Option<i32>> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut head = [0; BLOCK];
    file.read_exact(&mut head).with_context(|| format!("cannot read {}", path.display()))?;
    let code = exit_code(&head, token);
    let mut start = [0; 1];
    let empty = file.read_exact(&mut start).is_err() || start == [0];
    if !empty {
        file.seek(SeekFrom::Start(BLOCK as u64))
            .with_context(|| format!("cannot read {}", path.display()))?;
        let mut tar = Command::new("tar");
        // Without the exit code the guest died while it wrote: what is there is still worth a look.
        tar.args(["-xf", "-", "--no-same-owner", "-C"])
            .arg(out)
            .stdin(Stdio::from(file))
            .stderr(Stdio::piped());
        let done = tar.output().context("cannot run tar")?;
        if code.is_some() && !done.status.success() {
            bail!("cannot unpack what the guest left: {}", String::from_utf8_lossy(&done.stderr));
        }
    }
    Ok(code)
}

fn exit_code(head: &[u8], token: &str) -> Option<i32> {
    let line = String::from_utf8_lossy(head);
    line.lines().next()?.strip_prefix(token)?.strip_prefix(" exit ")?.trim_end_matches('\0').parse().ok()
}

/// An empty folder at `path`.
pub fn empty_folder(path: PathBuf) -> anyhow::Result<PathBuf> {
    if path.exists() {
        fs::remove_dir_all(&path).with_context(|| format!("cannot empty {}", path.display()))?;
    }
    fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_counts_with_the_right_token_alone() {
        let mut head = b"token-1 exit 42\n".to_vec();
        head.resize(512, 0);
        assert_eq!(exit_code(&head, "token-1"), Some(42));
        assert_eq!(exit_code(&head, "token-2"), None);
        assert_eq!(exit_code(&[0; 512], "token-1"), None);
    }
}
