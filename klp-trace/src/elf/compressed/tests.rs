//! Every format: whole, damaged, and as a bomb.

use std::io::Write as _;

use super::*;

const ALL: [Format; 3] = [Format::Xz, Format::Zstd, Format::Gzip];

fn compress(format: Format, data: &[u8]) -> Vec<u8> {
    match format {
        Format::Xz => xz(data, 1 << 16),
        Format::Zstd => ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest),
        Format::Gzip => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            writer.write_all(data).expect("memory");
            writer.finish().expect("memory")
        }
    }
}

fn xz(data: &[u8], dictionary: u32) -> Vec<u8> {
    let mut options = lzma_rust2::XzOptions::with_preset(1);
    options.lzma_options.dict_size = dictionary;
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).expect("options");
    writer.write_all(data).expect("memory");
    writer.finish().expect("memory")
}

#[test]
fn each_format_round_trips_and_is_told_by_its_magic() {
    let data: Vec<u8> = (0..40_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
    for format in ALL {
        let packed = compress(format, &data);
        assert_eq!(Format::of(&packed), Some(format));
        assert_eq!(decompress(format, &packed), Ok(data.clone()), "{format:?}");
        let twice = [packed.clone(), packed].concat();
        assert_eq!(
            decompress(format, &twice).map(|d| d.len()),
            Ok(2 * data.len()),
            "{format:?} in two parts"
        );
    }
    for other in [&b"\x7fELF"[..], b"", b"\xfd7z", b"BZh9"] {
        assert_eq!(Format::of(other), None);
    }
}

#[test]
fn zeros_behind_gzip_are_padding_and_anything_else_is_not() {
    let data = b"a module".repeat(1000);
    let packed = compress(Format::Gzip, &data);
    for zeros in [1, 7, 512, 100_000] {
        let padded = [packed.clone(), vec![0; zeros]].concat();
        assert_eq!(decompress(Format::Gzip, &padded), Ok(data.clone()), "{zeros}");
    }
    let twice = [packed.clone(), packed.clone(), vec![0; 512]].concat();
    assert_eq!(decompress(Format::Gzip, &twice).map(|d| d.len()), Ok(2 * data.len()));
    for more in [&b"\0\0x"[..], b"x", b"\0\x1f\x8b"] {
        let spoilt = [packed.clone(), more.to_vec()].concat();
        assert!(matches!(decompress(Format::Gzip, &spoilt), Err(Rule::Decompress { .. })), "{more:?}");
    }
}

#[test]
fn bombs_are_refused_by_the_limit() {
    const SIZE: usize = 1 << 18;
    const LIMIT: u64 = SIZE as u64;
    let zeros = vec![0; 2 * SIZE];
    for format in ALL {
        let bomb = compress(format, &zeros);
        assert!(bomb.len() < 100_000, "{format:?} takes {} bytes", bomb.len());
        let expected = Err(Rule::Bomb { format: format.name(), limit: LIMIT });
        assert_eq!(decompress_within(format, &bomb, LIMIT), expected);
        // In parts, each of them below the limit.
        let part = compress(format, &zeros[..SIZE * 3 / 4]);
        assert_eq!(decompress_within(format, &part, LIMIT).map(|d| d.len()), Ok(SIZE * 3 / 4));
        assert_eq!(decompress_within(format, &part.repeat(2), LIMIT), expected, "{format:?} in parts");
        // Exactly at the limit is no bomb.
        let full = compress(format, &zeros[..SIZE]);
        assert_eq!(decompress_within(format, &full, LIMIT).map(|d| d.len()), Ok(SIZE));
    }
}

#[test]
fn large_dictionaries_are_refused_before_they_are_allocated() {
    // The dictionary's size stands in the block header (xz format 1.2.1, 5.3.1: 40 is 4 GiB - 1), under a CRC32.
    let mut large = xz(b"small", 1 << 16);
    let header = 12..24;
    let properties = large[header.clone()].iter().rposition(|b| *b == 8).expect("64 KiB is written as 8");
    large[12 + properties] = 40;
    let crc = crc32(&large[12..20]);
    large[20..24].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(decompress(Format::Xz, &large), Err(Rule::Dictionary { format: "xz", limit: 128 << 20 }));

    // A zstd frame header without content size, its window 2 GiB (RFC 8878, 3.1.1.1.2), and one raw block.
    let frame = b"\x28\xb5\x2f\xfd\x00\xa8\x09\x00\x00x";
    assert_eq!(decompress(Format::Zstd, frame), Err(Rule::Dictionary { format: "zstd", limit: 128 << 20 }));
    let mut small = frame.to_vec();
    small[5] = 0x50;
    assert_eq!(decompress(Format::Zstd, &small), Ok(b"x".to_vec()), "the same frame with a window of 1 MiB");
}

/// CRC-32 as in xz and gzip.
fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xedb8_8320 } else { c >> 1 })
    })
}

#[test]
fn damage_is_told_wherever_it_is() {
    let data: Vec<u8> = (0..5000u32).flat_map(|i| (i * i).to_le_bytes()).collect();
    for format in ALL {
        let good = compress(format, &data);
        for len in [4, good.len() / 2, good.len() - 1] {
            let result = decompress(format, &good[..len]);
            assert!(matches!(result, Err(Rule::Decompress { .. })), "{format:?} cut to {len}");
        }
        let mut bad = good.clone();
        bad[good.len() / 2] ^= 0x40;
        assert!(
            matches!(decompress(format, &bad), Err(Rule::Decompress { .. })),
            "{format:?} with a bit flipped"
        );
    }
}

#[test]
fn zstd_frames_are_counted_and_skippable_ones_skipped() {
    let good = compress(Format::Zstd, b"content");
    let skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
    let data = [&skippable[..], &good, skippable].concat();
    assert_eq!(decompress(Format::Zstd, &data), Ok(b"content".to_vec()));
    let cut = &skippable[..9];
    assert!(matches!(decompress(Format::Zstd, cut), Err(Rule::Decompress { .. })));
    let many = skippable.repeat(5000);
    assert!(matches!(decompress(Format::Zstd, &many), Err(Rule::TooMany { .. })));
}
