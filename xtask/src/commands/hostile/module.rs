//! Modules that no linker makes: fields set to what hurts, parts moved, names grown, bombs.

use fastrand::Rng;

/// Values that end, overflow or turn around what they are used for.
const HURT: [u64; 14] = [
    0,
    1,
    2,
    0x3f,
    0xff,
    0xffff,
    0x10000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    u64::MAX / 2,
    u64::MAX - 7,
    u64::MAX,
];

/// Bytes of an ELF header, and of a section header.
const EHDR: usize = 64;
const SHDR: usize = 64;

pub fn draw(rng: &mut Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[rng.usize(0..seeds.len())].clone();
    if !bytes.starts_with(b"\x7fELF") {
        if rng.bool() {
            damage(rng, &mut bytes, 4);
        }
        return bytes;
    }
    match rng.u8(0..12) {
        0 => damage(rng, &mut bytes, EHDR),
        1..6 => {
            for _ in 0..rng.usize(1..4) {
                section(rng, &mut bytes);
            }
        }
        6 => {
            let at = rng.usize(EHDR..bytes.len());
            bytes.truncate(at);
        }
        7 => grow(rng, &mut bytes),
        8 => header(rng, &mut bytes),
        9 => strings(rng, &mut bytes),
        10 => return bomb(rng),
        _ => {
            for _ in 0..rng.usize(1..40) {
                let at = rng.usize(EHDR..bytes.len());
                bytes[at] = rng.u8(..);
            }
        }
    }
    bytes
}

/// Random bytes anywhere behind `from`.
fn damage(rng: &mut Rng, bytes: &mut [u8], from: usize) {
    let from = from.min(bytes.len().saturating_sub(1));
    for _ in 0..rng.usize(1..8) {
        let at = rng.usize(from..bytes.len());
        bytes[at] ^= 1 << rng.u8(0..8);
    }
}

/// A field of the ELF header behind the magic.
fn header(rng: &mut Rng, bytes: &mut [u8]) {
    const FIELDS: [(usize, usize); 8] =
        [(16, 2), (18, 2), (20, 4), (40, 8), (48, 4), (58, 2), (60, 2), (62, 2)];
    let (at, size) = FIELDS[rng.usize(0..FIELDS.len())];
    put(rng, bytes, at, size);
}

/// A field of one section header.
fn section(rng: &mut Rng, bytes: &mut [u8]) {
    const FIELDS: [(usize, usize); 10] =
        [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 4), (44, 4), (48, 8), (56, 8)];
    let Some(table) = bytes.get(40..48).and_then(|at| at.try_into().ok()).map(u64::from_le_bytes) else {
        return;
    };
    let count = bytes.get(60..62).map_or(0, |at| usize::from(at[0]) | usize::from(at[1]) << 8);
    if count == 0 {
        return;
    }
    let (at, size) = FIELDS[rng.usize(0..FIELDS.len())];
    let Ok(table) = usize::try_from(table) else { return };
    let at = table.saturating_add(rng.usize(0..count) * SHDR + at);
    if rng.bool() {
        put(rng, bytes, at, size);
    } else if let Some(field) = bytes.get_mut(at..at.saturating_add(size)) {
        // Near what is right is more than what is far off.
        field[0] = field[0].wrapping_add(rng.u8(1..=9)).wrapping_sub(4);
    }
}

fn put(rng: &mut Rng, bytes: &mut [u8], at: usize, size: usize) {
    let value = HURT[rng.usize(0..HURT.len())].to_le_bytes();
    if let Some(field) = bytes.get_mut(at..at.saturating_add(size)) {
        field.copy_from_slice(&value[..size]);
    }
}

/// Much behind the end, to which a section may reach.
fn grow(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let old = bytes.len() as u64;
    let more = rng.usize(1..300_000);
    let with = [b'A', b',', 0, b'\n', 0xff][rng.usize(0..5)];
    bytes.extend(std::iter::repeat_n(with, more));
    let table = bytes.get(40..48).and_then(|at| at.try_into().ok()).map_or(0, u64::from_le_bytes);
    let count = bytes.get(60..62).map_or(0, |at| usize::from(at[0]) | usize::from(at[1]) << 8);
    let (Ok(table), true) = (usize::try_from(table), count > 0) else { return };
    let header = table + rng.usize(0..count) * SHDR;
    if let Some(place) = bytes.get_mut(header + 24..header + 40) {
        place[..8].copy_from_slice(&old.to_le_bytes());
        place[8..].copy_from_slice(&(more as u64).to_le_bytes());
    }
}

/// Names become others: control characters, separators, digits.
fn strings(rng: &mut Rng, bytes: &mut [u8]) {
    const INSTEAD: &[u8] = b"\x1b\x7f\n\r\t.,%\\/\xe2\x80\xae\xff0123456789:-";
    let texts: Vec<usize> = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, four)| four.iter().all(u8::is_ascii_graphic))
        .map(|(at, _)| at)
        .collect();
    if texts.is_empty() {
        return;
    }
    for _ in 0..rng.usize(1..12) {
        let at = texts[rng.usize(0..texts.len())];
        bytes[at] = INSTEAD[rng.usize(0..INSTEAD.len())];
    }
}

/// Something small that becomes large.
fn bomb(rng: &mut Rng) -> Vec<u8> {
    let size = rng.usize(1..64) << 20;
    let mut plain = vec![[0, b'\n', b'A'][rng.usize(0..3)]; size];
    if rng.bool() {
        plain[..4].copy_from_slice(b"\x7fELF");
    }
    ruzstd::encoding::compress_to_vec(&plain[..], ruzstd::encoding::CompressionLevel::Fastest)
}
