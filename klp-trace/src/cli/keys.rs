//! Keys that a user names.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use anyhow::{Context as _, anyhow, ensure};

use super::exit::Exit;
use super::failure::Failure;
use crate::journal::signature::{Signer, Verifier};

/// Bytes of the largest file that is taken for a key; a PEM of Ed25519 has some 120.
const MAX_KEY: u64 = 16 << 10;

/// The private key in a file that is its owner's alone.
pub(super) fn signer(path: &Path) -> Result<Signer, Failure> {
    read(path, true)
        .and_then(|pem| Ok(Signer::from_pem(&pem)?))
        .map_err(|error| refused(path, error))
        .map_err(|failure| {
            failure.hint("openssl genpkey -algorithm ed25519 -out KEY makes one; chmod 600 KEY")
        })
}

/// A public key.
pub(super) fn verifier(path: &Path) -> Result<Verifier, Failure> {
    read(path, false)
        .and_then(|pem| Ok(Verifier::from_pem(&pem)?))
        .map_err(|error| refused(path, error))
        .map_err(|failure| failure.hint("openssl pkey -in KEY -pubout -out PUBLIC writes it"))
}

fn refused(path: &Path, error: anyhow::Error) -> Failure {
    Failure::new(Exit::Usage, error.context(format!("cannot use the key {}", path.display())))
}

fn read(path: &Path, secret: bool) -> anyhow::Result<String> {
    // A FIFO must not hold us in open().
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options().read(true).custom_flags(flags).open(path).context("cannot open it")?;
    let about = file.metadata().context("cannot look at it")?;
    ensure!(about.is_file(), "it is no regular file");
    ensure!(about.len() <= MAX_KEY, "it is too large for a key");
    // Of the file that was opened, not of the name.
    let open_to_others = about.mode() & 0o077 != 0;
    if secret && open_to_others {
        return Err(anyhow!("others may read or write it (mode {:03o})", about.mode() & 0o777));
    }
    let mut text = String::new();
    file.take(MAX_KEY).read_to_string(&mut text).context("cannot read it")?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::signature::tests::{PRIVATE, PUBLIC};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key.pem");
        std::fs::write(&key, PRIVATE).unwrap();
        let mode = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        for open in [0o644, 0o640, 0o602] {
            mode(open);
            let refusal = signer(&key).unwrap_err();
            assert_eq!(refusal.exit(), Exit::Usage);
            assert!(refusal.to_string().contains("others may read or write it (mode 6"), "{refusal}");
        }
        mode(0o600);
        assert!(signer(&key).is_ok());
        assert!(verifier(&key).unwrap_err().to_string().contains("no Ed25519 public key"));
        std::fs::write(&key, PUBLIC).unwrap();
        assert!(verifier(&key).is_ok());
        assert!(signer(folder.path()).unwrap_err().to_string().contains("no regular file"));
    }
}
