//! Signatures over the hash chains of a journal's file: Ed25519 (RFC 8032) with keys as OpenSSL writes them.
//!
//! What is signed is a text: [`CONTEXT`], then the last hash of each chain in the file, in order, one a line; `watch`
//! writes one chain a file. The signature is its 64 bytes and nothing else.

use super::chain::Hash;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use std::fmt;
use thiserror::Error;

/// First line of what is signed, so that a signature of a journal cannot be taken for one of anything else.
pub const CONTEXT: &str = "klp-trace.journal/1";

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = ed25519_dalek::SIGNATURE_LENGTH;

/// The text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotAKey {
    /// No private key.
    #[error("it holds no Ed25519 private key in PKCS#8 PEM")]
    Private,
    /// No public key.
    #[error("it holds no Ed25519 public key in PEM")]
    Public,
}

/// A private key.
pub struct Signer(SigningKey);

impl Signer {
    /// From PEM, as `openssl genpkey -algorithm ed25519` writes it.
    pub fn from_pem(pem: &str) -> Result<Self, NotAKey> {
        SigningKey::from_pkcs8_pem(pem).map(Self).map_err(|_| NotAKey::Private)
    }

    /// The signature of a file with these heads.
    pub fn sign(&self, heads: &[Hash]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(&message(heads)).to_bytes()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(…)")
    }
}

/// A public key.
#[derive(Debug, Clone)]
pub struct Verifier(VerifyingKey);

impl Verifier {
    /// From PEM, as `openssl pkey -pubout` writes it.
    pub fn from_pem(pem: &str) -> Result<Self, NotAKey> {
        VerifyingKey::from_public_key_pem(pem).map(Self).map_err(|_| NotAKey::Public)
    }

    /// The SHA-256 of the key as DER (SubjectPublicKeyInfo, RFC 8410), as `openssl pkey -pubin -outform DER | sha256sum`
    /// gives it.
    pub fn fingerprint(&self) -> Hash {
        const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        Hash::of(&[&ED25519[..], self.0.as_bytes()].concat())
    }

    /// Whether `signature` is that of a file with these heads, made with the key that belongs to this one.
    pub fn is_signed(&self, heads: &[Hash], signature: &[u8]) -> bool {
        // Strict: no second signature can be made of a first one without the key.
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(&message(heads), &signature).is_ok())
    }
}

/// What is signed.
pub fn message(heads: &[Hash]) -> Vec<u8> {
    let mut text = format!("{CONTEXT}\n");
    for head in heads {
        text.push_str(&head.to_string());
        text.push('\n');
    }
    text.into_bytes()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::Bytes;
    use proptest::prelude::*;

    /// openssl genpkey -algorithm ed25519; openssl pkey -pubout. A key of tests, known to everybody.
    pub(crate) const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIHfK9mW2SmyCkUj0oA/xOHc9MC08PpUcQlQ0DvLvXYob\n-----END PRIVATE KEY-----\n";
    pub(crate) const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAk2w1b2gchE/MUTNK9nAd10OK6dgSb7UMKvl8tdZAn64=\n-----END PUBLIC KEY-----\n";
    /// The same for a second key.
    const OTHER_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA0qnYm0nUzr4TkVtF3fstMHaPoBqqunby6Txm0sq4PIA=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn signatures_are_those_of_openssl() {
        // printf 'klp-trace.journal/1\n%064d\n' 0 > m; openssl pkeyutl -sign -inkey key.pem -rawin -in m | xxd -p -c 64
        let expected = "f705fd17a5975b6197212b45e3e54be94dc0d764a7906f0894bb34a9ad881ce842daf22edf4bbe54e0a82ea8ca3f7f0bc0ffb7130670ea09325844b6c49d530e";
        let signature = Signer::from_pem(PRIVATE).unwrap().sign(&[Hash::ZERO]);
        let half = |bytes: &[u8]| {
            bytes.chunks(8).map(|part| Bytes::from_slice(part).to_string()).collect::<String>()
        };
        assert_eq!(half(&signature), expected);
        assert!(Verifier::from_pem(PUBLIC).unwrap().is_signed(&[Hash::ZERO], &signature));
        assert!(!Verifier::from_pem(OTHER_PUBLIC).unwrap().is_signed(&[Hash::ZERO], &signature));
    }

    #[test]
    fn what_is_no_key_is_refused_and_no_secret_is_shown() {
        for text in ["", "hello", PUBLIC, &PRIVATE.replace('E', "F")] {
            assert_eq!(Signer::from_pem(text).unwrap_err(), NotAKey::Private);
        }
        assert_eq!(Verifier::from_pem(PRIVATE).unwrap_err(), NotAKey::Public);
        assert_eq!(format!("{:?}", Signer::from_pem(PRIVATE).unwrap()), "Signer(…)");
    }

    proptest! {
        #[test]
        fn a_signature_holds_for_its_heads_alone(heads: Vec<[u8; 32]>, at: prop::sample::Index, flip in 1u8..) {
            let heads: Vec<_> = heads.into_iter().map(Hash).collect();
            let verifier = Verifier::from_pem(PUBLIC).unwrap();
            let mut signature = Signer::from_pem(PRIVATE).unwrap().sign(&heads);
            prop_assert!(verifier.is_signed(&heads, &signature));
            let more: Vec<_> = heads.iter().copied().chain([Hash::ZERO]).collect();
            prop_assert!(!verifier.is_signed(&more, &signature));
            prop_assert!(!verifier.is_signed(&heads, &signature[1..]));
            signature[at.index(SIGNATURE_BYTES)] ^= flip;
            prop_assert!(!verifier.is_signed(&heads, &signature));
        }
    }
}
