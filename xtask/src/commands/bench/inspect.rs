//! `cargo xtask bench inspect`: reading a large livepatch and a whole module tree, against readelf and pyelftools.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};

use super::module;
use crate::commands::inspect::{kernel_trees, modules};
use crate::scenario::prepare::cargo;
use crate::testbed;

/// Livepatch relocations of the module that is read.
const RELOCATIONS: usize = 100_000;
/// Pinned, so that the comparison stays one with the same program.
const PYELFTOOLS: &str = "pyelftools==0.32";
const ROUNDS: usize = 11;

/// Reads each livepatch relocation with its symbol's name, and counts them, as `inspect --summary` does.
const SCRIPT: &str = "\
import sys
from elftools.elf.elffile import ELFFile
with open(sys.argv[1], 'rb') as f:
    elf, count = ELFFile(f), 0
    for section in elf.iter_sections():
        if section['sh_flags'] & 0x100000:
            symbols = elf.get_section(section['sh_link'])
            for rela in section.iter_relocations():
                name = symbols.get_symbol(rela['r_info_sym']).name
                count += name.startswith('.klp.sym.')
    print(count)
";

/// Measures; fails when a promise is not kept.
pub(super) fn run() -> anyhow::Result<()> {
    cargo(&["build", "--quiet", "--release", "--package", "klp-trace"])?;
    let klp_trace = testbed::cache_dir().with_file_name("release").join("klp-trace");
    let work = testbed::cache_dir().with_file_name("bench");
    fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
    let file = work.join("lp_bench.ko");
    let bytes = module::livepatch(RELOCATIONS)?;
    fs::write(&file, &bytes).with_context(|| format!("cannot write {}", file.display()))?;
    println!("a livepatch of {RELOCATIONS} relocations, {} KiB; medians of {ROUNDS}", bytes.len() / 1024);

    same_set(&klp_trace, &file)?;
    within_memory(&klp_trace, &file, bytes.len())?;
    let words =
        |list: &[&str]| -> Vec<PathBuf> { list.iter().map(PathBuf::from).chain([file.clone()]).collect() };
    let [summary, json, readelf] = medians(
        ROUNDS,
        &[
            (&klp_trace, words(&["inspect", "--summary"])),
            (&klp_trace, words(&["inspect", "--format", "json"])),
            (Path::new("readelf"), words(&["-rW"])),
        ],
    )?;
    println!("  inspect --summary      {summary:8.1} ms");
    println!("  inspect --format json  {json:8.1} ms");
    println!(
        "  readelf -rW            {readelf:8.1} ms: {:.1}x the summary, {:.1}x the JSON",
        readelf / summary,
        readelf / json
    );
    let mut kept = readelf / summary >= 10.0 && readelf >= json;
    match pyelftools(&work) {
        Ok(python) => {
            let script = work.join("count.py");
            fs::write(&script, SCRIPT).context("cannot write the script")?;
            let [python] = medians(3, &[(&python, vec![script, file.clone()])])?;
            println!("  pyelftools             {python:8.1} ms: {:.1}x the summary", python / summary);
            kept &= python / summary >= 200.0;
        }
        Err(why) => println!("  pyelftools             skipped: {why:#}"),
    }
    tree(&klp_trace)?;
    ensure!(
        kept,
        "--summary is to be 10 times faster than readelf and 200 times than pyelftools, JSON no slower than readelf"
    );
    Ok(())
}

/// A whole tree of modules: one run over it, against readelf over the same files.
fn tree(klp_trace: &Path) -> anyhow::Result<()> {
    for tree in kernel_trees() {
        let files: Vec<PathBuf> =
            modules(&tree)?.into_iter().filter(|f| f.extension() == Some(OsStr::new("ko"))).collect();
        // readelf reads no compressed files.
        if files.is_empty() {
            continue;
        }
        let words: Vec<PathBuf> = [PathBuf::from("-rW")].into_iter().chain(files.iter().cloned()).collect();
        let [ours, theirs] = medians(
            3,
            &[
                (klp_trace, vec!["inspect".into(), "--summary".into(), tree.clone()]),
                (Path::new("readelf"), words),
            ],
        )?;
        println!(
            "{} modules of {}: inspect --summary {ours:.0} ms, readelf -rW {theirs:.0} ms: {:.1}x",
            files.len(),
            tree.file_name().unwrap_or_default().to_string_lossy(),
            theirs / ours
        );
        return Ok(());
    }
    println!(
        "a module tree: skipped: no kernel with plain modules under target/testbed; cargo xtask test fetches one"
    );
    Ok(())
}

/// Every relocation of the JSON, by offset, symbol and addend, is one of readelf's, in the same order; none is left out.
fn same_set(klp_trace: &Path, file: &Path) -> anyhow::Result<()> {
    let json = output(klp_trace, &[OsStr::new("inspect"), OsStr::new("--format=json"), file.as_os_str()])?;
    let record: serde_json::Value = serde_json::from_str(&json).context("the JSON cannot be read")?;
    let relocs =
        record.pointer("/sections/0/relocs").and_then(serde_json::Value::as_array).context("no relocs")?;
    let text = output(Path::new("readelf"), &[OsStr::new("-rW"), file.as_os_str()])?;
    let mut theirs = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [offset, _, _, _, symbol, sign, addend] = words.get(..)? else { return None };
        Some((u64::from_str_radix(offset, 16).ok()?, (*symbol).to_owned(), format!("{sign}{addend}")))
    });
    for reloc in relocs {
        let field = |key: &str| reloc.get(key).and_then(|v| v.as_str()).unwrap_or_default();
        let offset =
            u64::from_str_radix(field("offset").trim_start_matches("0x"), 16).context("an offset")?;
        let sympos = reloc.get("sympos").map(ToString::to_string).unwrap_or_default();
        let symbol = format!(".klp.sym.{}.{},{sympos}", field("object"), field("symbol"));
        let addend = reloc.get("addend").map(ToString::to_string).unwrap_or_default();
        let other = theirs.next();
        ensure!(other == Some((offset, symbol, addend)), "readelf has {other:?} where the JSON has {reloc}");
    }
    ensure!(
        relocs.len() == RELOCATIONS && theirs.next().is_none(),
        "{} relocations in the JSON",
        relocs.len()
    );
    println!("  the JSON holds the same {} relocations as readelf -rW", relocs.len());
    Ok(())
}

/// Runs under a limit of address space, which holds more than what is resident: within it, so is the peak of memory.
fn within_memory(klp_trace: &Path, file: &Path, bytes: usize) -> anyhow::Result<()> {
    let kib = (2 * bytes + (32 << 20)) / 1024;
    for words in ["--summary", "--format=json", "--format=csv", "--format=text"] {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -v \"$0\" && exec \"$1\" inspect \"$2\" \"$3\"", &kib.to_string()]);
        let status = command.arg(klp_trace).arg(words).arg(file).stdout(Stdio::null()).status();
        ensure!(
            status.context("cannot run sh")?.success(),
            "inspect {words} needs more than twice the file and 32 MiB ({kib} KiB)"
        );
    }
    println!("  every format within {kib} KiB of address space: twice the file and 32 MiB");
    Ok(())
}

/// A Python with pyelftools, in an environment of its own.
fn pyelftools(work: &Path) -> anyhow::Result<PathBuf> {
    let venv = work.join("pyelftools");
    let python = venv.join("bin/python3");
    if !venv.join("done").exists() {
        let make = testbed::run_output(
            Command::new("python3").args(["-m", "venv"]).arg(&venv),
            "make a Python environment",
        );
        make.context("python3 with its venv module is needed")?;
        let words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PYELFTOOLS];
        testbed::run_output(Command::new(&python).args(words), "install pyelftools")?;
        fs::write(venv.join("done"), "").context("cannot mark the environment")?;
    }
    Ok(python)
}

fn output(program: &Path, words: &[&OsStr]) -> anyhow::Result<String> {
    testbed::run_output(Command::new(program).args(words), "read the module")
}

/// The median times in milliseconds, from start to end, the output thrown away. The commands take turns, so that what
/// else the machine does falls on all of them; a first round, which brings the files into memory, does not count.
fn medians<const N: usize>(rounds: usize, commands: &[(&Path, Vec<PathBuf>); N]) -> anyhow::Result<[f64; N]> {
    let mut times = [const { Vec::new() }; N];
    for round in 0..=rounds {
        for ((program, words), times) in commands.iter().zip(&mut times) {
            let begun = Instant::now();
            let status =
                Command::new(program).args(words).stdout(Stdio::null()).stderr(Stdio::null()).status();
            let took = begun.elapsed().as_secs_f64() * 1000.0;
            let status = status.with_context(|| format!("cannot run {}", program.display()))?;
            ensure!(status.success(), "{} failed", program.display());
            if round > 0 {
                times.push(took);
            }
        }
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
    }))
}
