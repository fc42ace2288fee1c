//! Asks `klp-trace inspect --check-host`, inserts what it was asked about, and writes down what came of both.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::clean::Before;
use super::kmsg::Kmsg;
use super::{FIXTURES, TOOL, step};
use crate::scenario::agreement::{Case, Order, Seen};

/// Runs every case in each order, with what it needs and without; adds to what was seen, which is worth reading also where it
/// fails.
pub fn run(cases: &[Case], seen: &mut Vec<Seen>) -> anyhow::Result<()> {
    let before = Before::note();
    let mut kmsg = Kmsg::open()?;
    for (number, case) in cases.iter().enumerate() {
        let started = Instant::now();
        // The console says which one it was should the kernel not survive it.
        println!("[{}/{}] {}", number + 1, cases.len(), case.name);
        for with in [true, false] {
            if !with && case.first.is_empty() {
                continue;
            }
            for order in [Order::ObjectFirst, Order::PatchFirst] {
                kmsg.drain()?;
                let mut one = once(case, order, with).with_context(|| case.name.clone())?;
                let wake = || drop(case.wake.as_ref().map(|path| std::fs::write(path, "1")));
                let removed = before.remove_modules_with(wake);
                one.dmesg = kmsg.drain()?;
                seen.push(one);
                removed.with_context(|| format!("after {}", case.name))?;
            }
        }
        println!("  {:.1} s", started.elapsed().as_secs_f64());
    }
    Ok(())
}

fn once(case: &Case, order: Order, with: bool) -> anyhow::Result<Seen> {
    let mut seen = Seen { case: case.name.clone(), order: Some(order), with, ..Seen::default() };
    for file in case.needed.iter().chain(case.first.iter().filter(|_| with)) {
        insert(file, &mut seen)?;
    }
    if order == Order::ObjectFirst {
        insert_all(&case.objects, &mut seen)?;
    }
    let mut ask = Command::new(TOOL);
    ask.args(["inspect", "--check-host", "--format", "json", "--object-file", FIXTURES, &case.file]);
    (seen.rc, seen.report) = step::finish(&mut ask)?;
    if case.spared.contains(&order) {
        return Ok(seen);
    }
    seen.inserted = true;
    insert(&case.file, &mut seen)?;
    if order == Order::PatchFirst && seen.refused.is_empty() {
        insert_all(&case.objects, &mut seen)?;
    }
    seen.patched = patched(&case.name);
    seen.proof = case.proof.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
    Ok(seen)
}

fn insert_all(files: &[String], seen: &mut Seen) -> anyhow::Result<()> {
    files.iter().try_for_each(|file| insert(file, seen))
}

fn insert(file: &str, seen: &mut Seen) -> anyhow::Result<()> {
    let (rc, words) = step::finish(Command::new("insmod").arg(file))?;
    if rc != 0 {
        seen.refused.push((file.to_owned(), words));
    }
    Ok(())
}

/// By object, whether it is patched, once the transition is under way or over.
fn patched(patch: &str) -> BTreeMap<String, bool> {
    let folder = Path::new("/sys/kernel/livepatch").join(patch);
    let read = || {
        let objects = folder.read_dir().into_iter().flatten().flatten();
        let of = |entry: std::fs::DirEntry| {
            let text = std::fs::read_to_string(entry.path().join("patched")).ok()?;
            Some((entry.file_name().to_string_lossy().into_owned(), text.trim() == "1"))
        };
        objects.filter_map(of).collect::<BTreeMap<_, _>>()
    };
    let deadline = Instant::now() + Duration::from_secs(1);
    loop {
        let now = read();
        if now.is_empty() || now.values().all(|patched| *patched) || Instant::now() > deadline {
            return now;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
