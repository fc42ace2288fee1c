//! Reads zstd streams of any length in bounded memory, and holds them against their checksums.

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, BufRead, Read};

/// The largest window that a stream may ask for, bytes: `zstd -19` and below need 8 MiB.
const WINDOW_BYTES: u64 = 8 << 20;

/// What a zstd stream begins with (RFC 8878, section 3.1.1).
pub const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The contents of a stream of zstd frames.
pub struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    /// In a frame: neither before the first nor between two.
    inside: bool,
}

impl<R: BufRead> Frames<R> {
    /// Of what `source` gives.
    pub fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW_BYTES);
        Self { source, decoder, inside: false }
    }

    /// Begins the next frame; false at the end of the stream.
    fn begin(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let skipped = io::copy(&mut (&mut self.source).take(length.into()), &mut io::sink())?;
                    if skipped < u64::from(length) {
                        return Err(damaged(&"it is cut off"));
                    }
                }
                Err(error) => return Err(damaged(&error)),
            }
        }
    }

    fn end(&mut self) -> io::Result<()> {
        self.inside = false;
        match self.decoder.get_checksum_from_data() {
            Some(sum) if self.decoder.get_calculated_checksum() != Some(sum) => {
                Err(damaged(&"its checksum differs"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.inside {
                if !self.begin()? {
                    return Ok(0);
                }
                self.inside = true;
            }
            if self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let step = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.source, step).map_err(|error| damaged(&error))?;
            }
            match self.decoder.read(to)? {
                0 if self.decoder.is_finished() => self.end()?,
                0 => {}
                count => return Ok(count),
            }
        }
    }
}

fn damaged(why: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the zstd stream is damaged: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    fn packed(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    fn unpacked(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        // A small buffer, so that blocks come in parts.
        Frames::new(io::BufReader::with_capacity(7, bytes)).read_to_end(&mut out).map(|_| out)
    }

    #[test]
    fn frames_follow_one_another() {
        let line = b"{\"schema\":\"klp-trace.event/2\"}\n".repeat(20_000);
        let mut stream = packed(&line);
        assert!(stream.len() < line.len() / 50, "{}", stream.len());
        stream.extend(b"\x50\x2a\x4d\x18\x03\0\0\0xyz");
        stream.extend(packed(b"last"));
        assert_eq!(unpacked(&stream).unwrap(), [&line[..], b"last"].concat());
        assert_eq!(unpacked(b"").unwrap(), b"");
    }

    #[test]
    fn damage_is_an_error() {
        let bytes: Vec<u8> =
            (0..200_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        let whole = packed(&bytes);
        for cut in [1, 5, whole.len() / 2, whole.len() - 1] {
            assert!(unpacked(&whole[..cut]).is_err(), "{cut}");
        }
        let mut altered = whole.clone();
        altered[whole.len() / 2] ^= 1;
        let error = unpacked(&altered).unwrap_err().to_string();
        assert!(error.starts_with("the zstd stream is damaged"), "{error}");
    }
}
