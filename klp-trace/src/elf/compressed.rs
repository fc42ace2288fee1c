//! Modules as distributions ship them: xz, zstd or gzip, told by their magic, never by the file's name.

use std::io::{self, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::{Rule, limits};

/// How a module is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `.ko.xz`.
    Xz,
    /// `.ko.zst`.
    Zstd,
    /// `.ko.gz`.
    Gzip,
}

impl Format {
    /// The format that a file's first bytes tell; `None` for everything else, ELF among it.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let magics = [
            (&b"\xfd7zXZ\0"[..], Self::Xz),
            (&b"\x28\xb5\x2f\xfd"[..], Self::Zstd),
            (&b"\x1f\x8b"[..], Self::Gzip),
        ];
        magics.into_iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, format)| format)
    }

    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }
}

/// Decompresses to at most [`limits::FILE_BYTES`], with at most [`limits::DICTIONARY_BYTES`] of dictionary.
pub fn decompress(format: Format, data: &[u8]) -> Result<Vec<u8>, Rule> {
    decompress_within(format, data, limits::FILE_BYTES)
}

/// The first 64 bytes; none where there are not as many, or where they are damaged, which [`decompress`] tells better.
pub fn head(format: Format, data: &[u8]) -> Option<[u8; 64]> {
    let mut head = [0; 64];
    let mut rest = data;
    let kib = u32::try_from(limits::DICTIONARY_BYTES >> 10).unwrap_or(u32::MAX);
    match format {
        Format::Xz => lzma_rust2::XzReader::new_mem_limit(data, true, kib).read_exact(&mut head).ok()?,
        Format::Gzip => flate2::read::MultiGzDecoder::new(data).read_exact(&mut head).ok()?,
        Format::Zstd => {
            let window = limits::DICTIONARY_BYTES;
            let opened = StreamingDecoder::<_, FrameDecoder>::new_with_max_window_size(&mut rest, window);
            opened.ok()?.read_exact(&mut head).ok()?;
        }
    }
    Some(head)
}

/// The same with the caller's own limit of bytes.
pub fn decompress_within(format: Format, data: &[u8], limit: u64) -> Result<Vec<u8>, Rule> {
    match format {
        Format::Xz => {
            let kib = u32::try_from(limits::DICTIONARY_BYTES >> 10).unwrap_or(u32::MAX);
            collect(format, lzma_rust2::XzReader::new_mem_limit(data, true, kib), limit)
        }
        Format::Gzip => gzip(data, limit),
        Format::Zstd => zstd(data, limit),
    }
}

/// gzip files are members, one after another (RFC 1952, section 2.2); zeros behind the last are padding, as gzip and kmod
/// take them.
fn gzip(data: &[u8], limit: u64) -> Result<Vec<u8>, Rule> {
    let mut out = Vec::new();
    let mut rest = data;
    for _ in 0..limits::GZIP_MEMBERS {
        let mut member = flate2::bufread::GzDecoder::new(rest);
        collect_into(&mut out, Format::Gzip, &mut member, limit)?;
        rest = member.into_inner();
        if rest.iter().all(|b| *b == 0) {
            return Ok(out);
        }
    }
    Err(Rule::TooMany { what: "gzip members", limit: limits::GZIP_MEMBERS })
}

/// zstd files are frames, one after another (RFC 8878, section 3); the crate's reader ends after one and leaves the
/// frame's checksum to be compared.
fn zstd(data: &[u8], limit: u64) -> Result<Vec<u8>, Rule> {
    let format = Format::Zstd;
    let mut out = Vec::new();
    let mut rest = data;
    for _ in 0..limits::ZSTD_FRAMES {
        if rest.is_empty() {
            return Ok(out);
        }
        let opened = StreamingDecoder::<_, FrameDecoder>::new_with_max_window_size(
            &mut rest,
            limits::DICTIONARY_BYTES,
        );
        let mut reader = match opened {
            Ok(reader) => reader,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                let skipped = usize::try_from(length).ok().and_then(|length| rest.get(length..));
                rest = skipped.ok_or_else(|| damaged(format, &"a skippable frame reaches beyond the end"))?;
                continue;
            }
            Err(FrameDecoderError::WindowSizeTooBig { .. }) => {
                return Err(Rule::Dictionary { format: format.name(), limit: limits::DICTIONARY_BYTES });
            }
            Err(error) => return Err(damaged(format, &error)),
        };
        collect_into(&mut out, format, reader.by_ref(), limit)?;
        let decoder = reader.into_frame_decoder();
        if decoder.get_checksum_from_data().is_some_and(|sum| decoder.get_calculated_checksum() != Some(sum))
        {
            return Err(damaged(format, &"the checksum differs"));
        }
    }
    Err(Rule::TooMany { what: "zstd frames", limit: limits::ZSTD_FRAMES })
}

fn collect(format: Format, reader: impl Read, limit: u64) -> Result<Vec<u8>, Rule> {
    let mut out = Vec::new();
    collect_into(&mut out, format, reader, limit)?;
    Ok(out)
}

/// Appends what the reader gives until `out` has `limit` bytes. One byte more is asked for, to tell an end at the limit
/// from a bomb.
fn collect_into(out: &mut Vec<u8>, format: Format, reader: impl Read, limit: u64) -> Result<(), Rule> {
    let left = limit.saturating_sub(out.len() as u64);
    reader.take(left.saturating_add(1)).read_to_end(out).map_err(|error| {
        if error.kind() == io::ErrorKind::OutOfMemory {
            Rule::Dictionary { format: format.name(), limit: limits::DICTIONARY_BYTES }
        } else {
            damaged(format, &error)
        }
    })?;
    if out.len() as u64 > limit { Err(Rule::Bomb { format: format.name(), limit }) } else { Ok(()) }
}

fn damaged(format: Format, error: &dyn std::fmt::Display) -> Rule {
    Rule::Decompress { format: format.name(), message: error.to_string() }
}

#[cfg(test)]
mod tests;
