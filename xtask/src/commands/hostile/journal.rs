//! Journals that no klp-trace writes, sealed anew, so that what is wrong with them is what they say.

use std::fmt::Write as _;

use fastrand::Rng;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub fn draw(rng: &mut Rng, seeds: &[Vec<String>]) -> Vec<u8> {
    let mut lines = seeds[rng.usize(0..seeds.len())].clone();
    match rng.u8(0..13) {
        0 => return bytes(rng, &lines),
        1 => return bomb(rng, &lines),
        2 => shuffle(rng, &mut lines),
        3 => names(rng, &mut lines),
        4 => parts(rng, &mut lines),
        _ => {
            for _ in 0..rng.usize(1..6) {
                let at = rng.usize(0..lines.len());
                if let Ok(mut record) = serde_json::from_str(&lines[at]) {
                    value(rng, &mut record);
                    lines[at] = ordered(&record, &lines[at]);
                }
            }
        }
    }
    if rng.u8(0..4) > 0 {
        seal(&mut lines);
    }
    let mut text = lines.join(if rng.u8(0..20) == 0 { "\r\n" } else { "\n" });
    if rng.u8(0..8) > 0 {
        text.push('\n');
    }
    text.into_bytes()
}

/// Any bytes of it otherwise.
fn bytes(rng: &mut Rng, lines: &[String]) -> Vec<u8> {
    let mut bytes = lines.join("\n").into_bytes();
    for _ in 0..rng.usize(1..20) {
        let at = rng.usize(0..bytes.len());
        bytes[at] = rng.u8(..);
    }
    bytes
}

/// Something small that becomes large, behind a record or nothing.
fn bomb(rng: &mut Rng, lines: &[String]) -> Vec<u8> {
    let mut plain = if rng.bool() { format!("{}\n", lines[0]).into_bytes() } else { Vec::new() };
    let with = [b'\n', b'x', b'{', 0][rng.usize(0..4)];
    plain.extend(std::iter::repeat_n(with, rng.usize(1..48) << 20));
    ruzstd::encoding::compress_to_vec(&plain[..], ruzstd::encoding::CompressionLevel::Fastest)
}

fn shuffle(rng: &mut Rng, lines: &mut Vec<String>) {
    for _ in 0..rng.usize(1..8) {
        let (a, b) = (rng.usize(0..lines.len()), rng.usize(0..lines.len()));
        match rng.u8(0..3) {
            0 => lines.swap(a, b),
            1 if lines.len() > 2 => drop(lines.remove(a)),
            _ => lines.insert(a, lines[b].clone()),
        }
    }
}

/// What is read, or concluded, of a section takes several records, of which one may be missing, another twice, or elsewhere.
fn parts(rng: &mut Rng, lines: &mut Vec<String>) {
    let of_section = |line: &String| line.contains("\"entries\":") || line.contains("\"relocations\":");
    let Some(at) = lines.iter().position(of_section) else { return };
    let at = if rng.bool() { at } else { lines.iter().rposition(of_section).unwrap_or(at) };
    let Ok(mut record) = serde_json::from_str::<Value>(&lines[at]) else { return };
    let line = lines.remove(at);
    let count = rng.u32(2..6);
    for part in 1..=count {
        (record["part"], record["parts"]) = (part.into(), count.into());
        if rng.u8(0..8) == 0 {
            value(rng, &mut record);
        }
        lines.insert(at + part as usize - 1, ordered(&record, &line));
    }
    let one = |rng: &mut Rng| at + rng.usize(0..count as usize);
    let (a, b) = (one(rng), one(rng));
    match rng.u8(0..4) {
        0 => lines.swap(a, b),
        1 => drop(lines.remove(a)),
        2 => lines.insert(a, lines[b].clone()),
        _ => {}
    }
}

/// A name or text becomes another everywhere.
fn names(rng: &mut Rng, lines: &mut [String]) {
    let record = serde_json::from_str(&lines[rng.usize(0..lines.len())]).unwrap_or(Value::Null);
    let mut texts = Vec::new();
    collect(&record, &mut texts);
    if texts.is_empty() {
        return;
    }
    let old = Value::from(texts[rng.usize(0..texts.len())].clone()).to_string();
    let new = Value::from(text(rng)).to_string();
    for line in lines {
        *line = line.replace(&old, &new);
    }
}

fn collect(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Array(all) => all.iter().for_each(|one| collect(one, out)),
        Value::Object(map) => map.values().for_each(|one| collect(one, out)),
        _ => {}
    }
}

/// One value of a record becomes another.
fn value(rng: &mut Rng, at: &mut Value) {
    match at {
        Value::Object(map) if !map.is_empty() => {
            let number = rng.usize(0..map.len());
            if rng.u8(0..40) == 0 {
                map.clear();
            } else if let Some(inner) = map.values_mut().nth(number) {
                value(rng, inner);
            }
        }
        Value::Array(all) if !all.is_empty() && rng.u8(0..3) > 0 => {
            let number = rng.usize(0..all.len());
            if rng.bool() {
                let again = all[number].clone();
                all.extend(std::iter::repeat_n(again, rng.usize(1..200)));
            } else {
                value(rng, &mut all[number]);
            }
        }
        Value::Number(_) => *at = number(rng),
        Value::String(_) => {
            *at = match rng.u8(0..4) {
                0 => number(rng),
                1 => Value::from(format!("{:#x}", rng.u64(..) >> rng.u32(0..64))),
                2 => Value::from(format!("{:x}", rng.u64(..))),
                _ => text(rng).into(),
            }
        }
        other => {
            *other = [Value::Null, Value::Bool(true), Value::from(1), Value::Array(Vec::new())]
                [rng.usize(0..4)]
            .clone();
        }
    }
}

fn number(rng: &mut Rng) -> Value {
    const HURT: [u64; 8] = [0, 1, 255, 65536, u32::MAX as u64, 1 << 32, i64::MAX as u64, u64::MAX];
    match rng.u8(0..6) {
        0 => Value::from(-1),
        1 => Value::from(i64::MIN),
        2 => Value::from(rng.u64(..)),
        _ => Value::from(HURT[rng.usize(0..HURT.len())]),
    }
}

/// Texts that widths, terminals and tables do not like.
fn text(rng: &mut Rng) -> String {
    const PARTS: [&str; 14] = [
        "\u{1b}[2J",
        "\u{202e}",
        "\u{2066}",
        "\n",
        "\r",
        "\t",
        "\\",
        "]]>",
        "::error::",
        "%0A",
        "\u{0}",
        "n",
        "é",
        "𝕏",
    ];
    let times = [0, 1, 3, 50, 5_000, 70_000][rng.usize(0..6)];
    let mut text = String::new();
    let part = PARTS[rng.usize(0..PARTS.len())];
    (0..times).for_each(|_| text.push_str(part));
    if rng.bool() {
        text.push_str(PARTS[rng.usize(0..PARTS.len())]);
    }
    text
}

/// A record as a line, `prev` and `hash` last, as they are sealed.
fn ordered(record: &Value, line: &str) -> String {
    let Value::Object(map) = record else { return record.to_string() };
    let fields = map.iter().filter(|(name, _)| *name != "prev" && *name != "hash");
    let mut out: Vec<String> =
        fields.map(|(name, value)| format!("{}:{value}", Value::from(name.as_str()))).collect();
    let tail = line.split(",\"prev\":").nth(1).unwrap_or("\"\"}");
    out.push(format!("\"prev\":{tail}"));
    format!("{{{}", out.join(","))
}

/// Makes the chain anew.
fn seal(lines: &mut [String]) {
    let mut prev = "0".repeat(64);
    for line in lines {
        let Some((before, _)) = line.rsplit_once(",\"prev\":") else { continue };
        if line.contains("\"kind\":\"session\"") {
            prev = "0".repeat(64);
        }
        let hashed = format!("{before},\"prev\":\"{prev}\"");
        let digest = Sha256::digest(hashed.as_bytes());
        prev.clear();
        for byte in digest {
            let _ = write!(prev, "{byte:02x}");
        }
        *line = format!("{hashed},\"hash\":\"{prev}\"}}");
    }
}
