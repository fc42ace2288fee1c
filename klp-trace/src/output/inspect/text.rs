//! For people: a paragraph a livepatch, a line a module that is none.

use std::fmt::Write as _;

use super::{Counts, Inspected, Target, count, escape, target, type_name};
use crate::elf::module::{KlpSection, Tool};
use crate::elf::{names, notes};
use crate::output::sink::{LineSink, SinkError};
use crate::output::style::{Style, Tone};

/// Everything about a module.
pub(super) fn whole(
    sink: &mut LineSink,
    style: Style,
    found: &Inspected<'_, '_>,
    every: bool,
) -> Result<(), SinkError> {
    let module = found.module;
    if !module.is_livepatch() {
        sink.line(style.wrap(&other(found)).as_bytes())?;
        return lint(sink, style, found);
    }
    sink.line(names::path(module.path()).as_bytes())?;
    let mut field =
        |name: &str, value: &str| sink.line(style.wrap(&format!("  {name:<12}{value}")).as_bytes());
    let info = |key: &[u8]| module.info(key).map(escape);
    let absent = || style.paint(Tone::Dim, "not in the file");
    field("module", &format!("{}, a livepatch for {}", escape(&found.name), found.machine()))?;
    field("vermagic", &info(b"vermagic").map_or_else(absent, |v| v.trim_end().to_owned()))?;
    field("srcversion", &info(b"srcversion").map_or_else(absent, |v| v.to_string()))?;
    field("build-id", &module.build_id().map_or_else(absent, notes::hex))?;
    let depends: Vec<_> = module.depends().map(escape).collect();
    field("depends", &if depends.is_empty() { "nothing".to_owned() } else { depends.join(", ") })?;
    field("built by", &built_by(found))?;
    objects(sink, style, found)?;
    // What is wrong is not to be looked for behind thousands of lines.
    lint(sink, style, found)?;
    relocations(sink, style, found, every)?;
    sink.line(b"")
}

/// What is wrong; nothing of a module of which nothing is to be said.
pub(super) fn wrong(sink: &mut LineSink, style: Style, found: &Inspected<'_, '_>) -> Result<(), SinkError> {
    let Some(report) = found.lint else { return Ok(()) };
    if report.findings.is_empty() && report.unchecked.is_empty() {
        return Ok(());
    }
    sink.line(names::path(found.module.path()).as_bytes())?;
    lint(sink, style, found)
}

fn lint(sink: &mut LineSink, style: Style, found: &Inspected<'_, '_>) -> Result<(), SinkError> {
    let text = found.lint.map(|report| crate::output::lint::render(report, style)).unwrap_or_default();
    style.wrap_text(&text).lines().try_for_each(|line| sink.line(line.as_bytes()))
}

fn built_by(found: &Inspected<'_, '_>) -> String {
    let Some(built) = &found.built_by else { return String::new() };
    let sign = escape(built.sign.unwrap_or_default());
    match built.tool {
        Tool::KpatchBuild | Tool::KlpBuild => format!("{} (it has {sign})", built.tool.name()),
        Tool::KlpConvert => {
            "klp-convert, or a tool like it (livepatch relocations, no sections of kpatch-build or klp-build)"
                .to_owned()
        }
        Tool::KallsymsTable => {
            format!("SUSE's tools, with a table of symbols that it looks up itself (it has {sign})")
        }
        Tool::HandWritten => "hand (no builder's sections, no livepatch relocations)".to_owned(),
    }
}

fn objects(sink: &mut LineSink, style: Style, found: &Inspected<'_, '_>) -> Result<(), SinkError> {
    let Some(objects) = &found.objects else {
        let text = "not in the file; its code may list them when it is loaded";
        return sink.line(format!("  {:<12}{}", "patches", style.paint(Tone::Dim, text)).as_bytes());
    };
    let functions = count(found.function_count().unwrap_or(0) as u64, "function");
    let number = count(objects.list.len() as u64, "object");
    sink.line(
        format!("  {:<12}{functions} in {number} (from {})", "patches", objects.origin.name()).as_bytes(),
    )?;
    for object in &objects.list {
        let list = object.functions.iter().map(|f| match f.sympos {
            0 => escape(f.name).into_owned(),
            n => format!("{},{n}", escape(f.name)),
        });
        let list: Vec<_> = list.collect();
        let list = if list.is_empty() { "no function, callbacks alone".to_owned() } else { list.join(" ") };
        sink.line(style.wrap(&format!("    {}:  {list}", escape(object.name))).as_bytes())?;
    }
    match objects.incomplete {
        Some(why) => {
            sink.line(style.paint(Tone::Unsure, &format!("    the list may be incomplete: {why}")).as_bytes())
        }
        None => Ok(()),
    }
}

fn relocations(
    sink: &mut LineSink,
    style: Style,
    found: &Inspected<'_, '_>,
    every: bool,
) -> Result<(), SinkError> {
    let module = found.module;
    let sections = module.klp_sections();
    let text = match sections.len() {
        0 => "no klp relocations: the kernel writes nothing late, there is nothing for klp-trace to check"
            .to_owned(),
        n => format!(
            "{} in {}{}",
            count(module.relocation_count(), "klp relocation"),
            count(n as u64, "section"),
            if every { "" } else { " (--verbose lists each)" }
        ),
    };
    sink.line(style.wrap(&format!("  {:<12}{text}", "relocations")).as_bytes())?;
    for section in sections {
        sink.line(style.wrap(&format!("    {}", heading(found, section))).as_bytes())?;
        // Lint says the same, with what the kernel does and what to do.
        for problem in section.problems.iter().filter(|_| found.lint.is_none()) {
            sink.line(style.paint(Tone::Bad, &format!("      wrong: {problem}")).as_bytes())?;
        }
        if !every {
            continue;
        }
        let mut line = String::new();
        for rela in section.relas.iter() {
            line.clear();
            // Writing to a String cannot fail.
            let _ = write!(
                line,
                "      #{:<4} {:#08x}  {:<18} ",
                rela.index,
                rela.offset,
                type_name(module, rela.rtype)
            );
            let _ = match target(module, &rela) {
                Target::Klp(s) => write!(line, "{}:{},{}", escape(s.object), escape(s.name), s.sympos),
                Target::Odd(name, why) => write!(line, "{} ({why})", escape(name)),
                Target::Nameless(why) => write!(line, "symbol {} ({why})", rela.symbol),
            };
            let sign = if rela.addend < 0 { '-' } else { '+' };
            let _ = write!(line, " {sign} {:#x}", rela.addend.unsigned_abs());
            sink.line(style.wrap(&line).as_bytes())?;
        }
    }
    Ok(())
}

fn heading(found: &Inspected<'_, '_>, section: &KlpSection<'_>) -> String {
    let gate = match section.object {
        Some(b"vmlinux") => "written when the patch is loaded".to_owned(),
        Some(object) => format!("written while {} is loaded", escape(object)),
        None => "never written".to_owned(),
    };
    let target = section.target.and_then(|index| found.module.section(index));
    let target = target.map_or_else(
        || "no section".to_owned(),
        |t| format!("{} (section {}, {:#x} bytes)", escape(t.name), t.index, t.size),
    );
    format!("section {} {}: {gate}, into {target}", section.index, escape(section.name))
}

/// A module that is no livepatch.
fn other(found: &Inspected<'_, '_>) -> String {
    let file = names::path(found.module.path());
    format!("{file}: not a livepatch (module {}, {})", escape(&found.name), found.machine())
}

/// One line a livepatch, and what has anything of one; other modules are only counted.
pub(super) fn summary(sink: &mut LineSink, style: Style, found: &Inspected<'_, '_>) -> Result<(), SinkError> {
    let module = found.module;
    let Some(built) = &found.built_by else {
        // What lint speaks of is shown, whatever the kernel takes it for.
        let Some(report) = found.lint else { return Ok(()) };
        let text = format!("{}; lint: {}", other(found), crate::output::lint::summary(report, style));
        return sink.line(text.as_bytes());
    };
    let mut text = format!(
        "{}: livepatch {} for {}, {}: ",
        names::path(module.path()),
        escape(&found.name),
        found.machine(),
        built.tool.name()
    );
    let objects = found.objects.as_ref().map(|o| count(o.list.len() as u64, "object"));
    let functions = found.function_count().map(|n| count(n as u64, "function"));
    let _ = match objects.zip(functions) {
        Some((objects, functions)) => write!(text, "{functions} in {objects}, "),
        None => write!(text, "objects not in the file, "),
    };
    let relocations = count(module.relocation_count(), "klp relocation");
    let _ = match module.klp_sections().len() {
        0 => write!(text, "no klp relocations"),
        n => write!(text, "{relocations} in {}", count(n as u64, "section")),
    };
    if let Some(report) = found.lint {
        text.push_str("; lint: ");
        text.push_str(&crate::output::lint::summary(report, style));
    }
    sink.line(style.wrap(&text).as_bytes())
}

/// The last line of several files.
pub(super) fn totals(sink: &mut LineSink, counts: Counts) -> Result<(), SinkError> {
    let all = counts.livepatches + counts.others + counts.unreadable;
    let mut text = format!(
        "{}: {}, {}",
        count(all, "file"),
        if counts.livepatches == 1 {
            "1 livepatch".to_owned()
        } else {
            format!("{} livepatches", counts.livepatches)
        },
        count(counts.others, "other module")
    );
    if counts.unreadable > 0 {
        let _ = write!(text, ", {} not readable", counts.unreadable);
    }
    sink.line(text.as_bytes())
}
