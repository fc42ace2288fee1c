//! binutils' readelf as a witness of its own: the same relocations, read by other code.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// A relocation: section, offset, type as far as readelf shows it, symbol, addend.
type Reloc = (String, u64, String, String, i64);

/// Some readelf cut a type's name off here; all are, for the comparison.
const TYPE_WIDTH: usize = 22;

/// Compares every livepatch relocation and symbol of a file, plain or xz; how many relocations there are.
pub(crate) fn compare(folder: &Path, file: &Path) -> usize {
    let shown = file.display();
    let code = i32::from(is_wrong_on_purpose(file));
    let text = super::written_with(code, folder, &["--format", "json", file.to_str().expect("UTF-8")]);
    let record: Value = serde_json::from_str(&text).expect("JSON");
    let ours = ours(&record);
    let unpacked = tempfile::NamedTempFile::new().expect("a file");
    let plain = if file.extension().is_some_and(|e| e == "xz") {
        let xz = Command::new("xz").arg("-dc").arg(folder.join(file)).output().expect("xz");
        std::fs::write(unpacked.path(), xz.stdout).expect("written");
        unpacked.path().to_owned()
    } else {
        folder.join(file)
    };
    assert_eq!(ours, theirs(&readelf("-rW", &plain)), "{shown}: relocations differ from readelf -rW");
    let symbols: BTreeSet<String> = ours.iter().map(|r| r.3.clone()).collect();
    assert_eq!(symbols, klp_symbols(&readelf("-sW", &plain)), "{shown}: symbols differ from readelf -sW");
    ours.len()
}

/// lint says so of these: KLP007 (a gate that is not listed, a name that no module has), a value where the kernel writes over
/// zero alone, KLP012, a type that no address fits, symbols that were not converted; and per-CPU data, which the kernel
/// relocates from 6.16 on.
fn is_wrong_on_purpose(file: &Path) -> bool {
    let stem = file.file_stem().unwrap_or_default();
    let always = ["lp_orphan", "lp_dash", "lp_bad", "lp_initsec", "lp_overflow", "lp_raw"];
    // fixtures/RELEASE/SUM/NAME.ko
    let release = file.ancestors().nth(2).and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let mut numbers = release.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let before_6_16 = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) < (6, 16);
    always.iter().any(|name| stem == *name) || (stem == "lp_percpu" && before_6_16)
}

fn readelf(option: &str, file: &Path) -> String {
    let out = Command::new("readelf").arg(option).arg(file).output().expect("readelf, of binutils");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn ours(record: &Value) -> Vec<Reloc> {
    let mut list = Vec::new();
    for section in record["sections"].as_array().into_iter().flatten() {
        for reloc in section["relocs"].as_array().expect("relocs") {
            let text = |key: &str| reloc[key].as_str().expect(key).to_owned();
            let offset = u64::from_str_radix(&text("offset")[2..], 16).expect("hexadecimal");
            let symbol = format!(".klp.sym.{}.{},{}", text("object"), text("symbol"), reloc["sympos"]);
            let rtype: String = text("type").chars().take(TYPE_WIDTH).collect();
            let name = section["name"].as_str().expect("a name").to_owned();
            list.push((name, offset, rtype, symbol, reloc["addend"].as_i64().expect("a number")));
        }
    }
    list
}

/// `Relocation section '.klp.rela.…' at offset …`, then a head line, then
/// `offset info type value name + addend`.
fn theirs(text: &str) -> Vec<Reloc> {
    let mut list = Vec::new();
    let mut section = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("Relocation section '") {
            section = rest.split_once('\'').map(|(name, _)| name.to_owned());
        }
        let Some(name) = section.as_ref().filter(|name| name.starts_with(".klp.rela.")) else { continue };
        let words: Vec<&str> = line.split_whitespace().collect();
        let [offset, _, rtype, _, symbol, sign, addend] = words[..] else { continue };
        let Ok(offset) = u64::from_str_radix(offset, 16) else { continue };
        let addend = i64::from_str_radix(addend, 16).expect("an addend");
        let addend = if sign == "-" { -addend } else { addend };
        let rtype: String = rtype.chars().take(TYPE_WIDTH).collect();
        list.push((name.clone(), offset, rtype, symbol.to_owned(), addend));
    }
    list
}

/// The symbols of section index 0xff20 (SHN_LIVEPATCH), which readelf shows as `OS [0xff20]` or, for some machines, in
/// another dress.
fn klp_symbols(text: &str) -> BTreeSet<String> {
    let marked = text.lines().filter(|line| line.contains("[0xff20]"));
    marked.filter_map(|line| line.split_whitespace().last().map(str::to_owned)).collect()
}
