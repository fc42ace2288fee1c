//! What `inspect` found as CSV: a row a relocation, or a row a file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Inspected, Target, escape, target, type_name};
use crate::elf::module::Module;
use crate::elf::{names, notes};
use crate::lint::Report;
use crate::model::Severity;
use crate::output::sink::{LineSink, SinkError};
use crate::output::table::{self, write};

const ROWS: [&str; 15] = [
    "file",
    "module",
    "machine",
    "livepatch",
    "section_index",
    "section",
    "gate",
    "target",
    "index",
    "offset",
    "type",
    "symbol",
    "sympos",
    "addend",
    "lint",
];

const SUMMARY: [&str; 14] = [
    "file",
    "module",
    "machine",
    "livepatch",
    "built_by",
    "objects",
    "functions",
    "sections",
    "relocations",
    "vermagic",
    "srcversion",
    "build_id",
    "lint_errors",
    "lint_warnings",
];

pub(super) fn header(sink: &mut LineSink, summary: bool) -> Result<(), SinkError> {
    let fields: &[&str] = if summary { &SUMMARY } else { &ROWS };
    write(sink, |out| out.write_record(fields))
}

/// One row a relocation; one without a relocation for a module that has none.
pub(super) fn rows(sink: &mut LineSink, found: &Inspected<'_, '_>) -> Result<(), SinkError> {
    let module = found.module;
    let file = names::path(module.path());
    let head =
        [cell(file.as_bytes()), cell(&found.name), found.machine().into(), yes(module.is_livepatch()).into()];
    write(sink, |out| {
        let (lint, whole) = said(module, found.lint);
        for (index, name, rules) in &whole {
            let empty = vec![""; ROWS.len() - head.len() - 3];
            let place = [index.as_str(), name.as_str()];
            let fields = head.iter().map(AsRef::as_ref).chain(place).chain(empty).chain([rules.as_str()]);
            out.write_record(fields)?;
        }
        if module.relocation_count() == 0 || !module.is_livepatch() {
            return out.write_record(head.iter().map(AsRef::as_ref).chain(vec![""; ROWS.len() - head.len()]));
        }
        for section in module.klp_sections() {
            let index = section.index.to_string();
            let target_section = section.target.and_then(|index| module.section(index));
            let names =
                [section.name, section.object.unwrap_or_default(), target_section.map_or(b"", |t| t.name)];
            let [name, gate, changed] = names.map(cell);
            for rela in section.relas.iter() {
                let (symbol, sympos) = match target(module, &rela) {
                    Target::Klp(s) => (symbol(s.object, s.name), s.sympos.to_string()),
                    Target::Odd(name, _) => (cell(name), String::new()),
                    Target::Nameless(_) => (Cow::Borrowed(""), String::new()),
                };
                let own = [rela.index.to_string(), format!("{:#x}", rela.offset), rela.addend.to_string()];
                let kind = type_name(module, rela.rtype);
                for field in head.iter().chain([&Cow::Borrowed(index.as_str()), &name, &gate, &changed]) {
                    out.write_field(field.as_ref())?;
                }
                let said = lint.get(&(section.index, rela.index)).map_or("", String::as_str);
                out.write_record([&own[0], &own[1], kind.as_ref(), symbol.as_ref(), &sympos, &own[2], said])?;
            }
        }
        Ok(())
    })
}

/// Findings by section and relocation.
type ByRelocation = BTreeMap<(u32, u32), String>;

/// What lint says, as "KLP015/unsupported-type", several with a space between: of single relocations; and of sections or
/// the file as a whole, with the section's index and name. Those that are allowed are left out.
fn said(module: &Module<'_>, report: Option<&Report>) -> (ByRelocation, Vec<(String, String, String)>) {
    let (mut single, mut whole) = (ByRelocation::new(), Vec::new());
    // Ordinary relocations have no rows.
    let has_rows = |index| module.is_livepatch() && module.klp_sections().iter().any(|s| s.index == index);
    for finding in report.into_iter().flat_map(Report::counted) {
        let rule = format!("{}/{}", finding.id, finding.rule);
        match &finding.section {
            Some(section) if !finding.relocations.is_empty() && has_rows(section.index) => {
                for index in &finding.relocations {
                    let cell = single.entry((section.index, *index)).or_default();
                    let gap = if cell.is_empty() { "" } else { " " };
                    cell.push_str(gap);
                    cell.push_str(&rule);
                }
            }
            Some(section) => {
                whole.push((
                    section.index.to_string(),
                    cell(&names::bytes(&section.name)).into_owned(),
                    rule,
                ));
            }
            None => whole.push((String::new(), String::new(), rule)),
        }
    }
    (single, whole)
}

/// `object:symbol`.
fn symbol(object: &[u8], name: &[u8]) -> Cow<'static, str> {
    cell(&[object, b":", name].concat()).into_owned().into()
}

/// One row a file.
pub(super) fn summary(sink: &mut LineSink, found: &Inspected<'_, '_>) -> Result<(), SinkError> {
    let module = found.module;
    let file = names::path(module.path());
    let livepatch = module.is_livepatch();
    let number = |n: Option<usize>| n.map(|n| n.to_string()).unwrap_or_default();
    let objects = number(found.objects.as_ref().map(|o| o.list.len()));
    let functions = number(found.function_count());
    let sections = number(livepatch.then(|| module.klp_sections().len()));
    let relocations = if livepatch { module.relocation_count().to_string() } else { String::new() };
    let info = |key: &[u8]| cell(module.info(key).unwrap_or_default().trim_ascii_end());
    let build_id = module.build_id().map(notes::hex).unwrap_or_default();
    let counted = |severity| {
        number(found.lint.map(|report| report.counted().filter(|f| f.severity == severity).count()))
    };
    write(sink, |out| {
        out.write_record([
            cell(file.as_bytes()).as_ref(),
            &cell(&found.name),
            found.machine(),
            yes(livepatch),
            found.built_by.as_ref().map_or("", |b| b.tool.name()),
            &objects,
            &functions,
            &sections,
            &relocations,
            &info(b"vermagic"),
            &info(b"srcversion"),
            &build_id,
            &counted(Severity::Error),
            &counted(Severity::Warning),
        ])
    })
}

const fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// A name as a cell: escaped, and no formula.
fn cell(name: &[u8]) -> Cow<'_, str> {
    table::cell(escape(name))
}
