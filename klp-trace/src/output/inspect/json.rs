//! JSON: one object a file, on one line, written piece by piece (docs/inspect.md).

use std::path::Path;

use serde::ser::{Serialize, Serializer};
use serde_json::json;

use super::{Inspected, Target, escape, target, type_name};
use crate::elf::module::{KlpSection, Module, Rela, Section};
use crate::elf::{names, notes};
use crate::output::sink::{LineSink, SinkError};

/// Names the form; see docs/inspect.md for what may change within it.
const SCHEMA: &str = "klp-trace.inspect/1";

/// Bytes as text, escaped.
struct Text<'a>(&'a [u8]);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&escape(self.0))
    }
}

/// A number as "0x…".
struct Hex(u64);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:#x}", self.0))
    }
}

#[derive(serde::Serialize)]
struct Record<'m> {
    schema: &'static str,
    file: String,
    module: Info<'m>,
    elf: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    built_by: Option<BuiltBy<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<Objects<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relocations: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sections: Option<Vec<Klp<'m>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unmarked: Vec<Ref<'m>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    arch_leftovers: Vec<Ref<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lint: Option<&'m crate::lint::Report>,
}

#[derive(serde::Serialize)]
struct Info<'m> {
    name: Text<'m>,
    livepatch: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    vermagic: Option<Text<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    srcversion: Option<Text<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_id: Option<String>,
    depends: Vec<Text<'m>>,
}

#[derive(serde::Serialize)]
struct BuiltBy<'m> {
    tool: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign: Option<Text<'m>>,
}

#[derive(serde::Serialize)]
struct Objects<'m> {
    from: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<&'static str>,
    list: Vec<Object<'m>>,
}

#[derive(serde::Serialize)]
struct Object<'m> {
    name: Text<'m>,
    functions: Vec<Function<'m>>,
}

#[derive(serde::Serialize)]
struct Function<'m> {
    name: Text<'m>,
    sympos: u64,
}

#[derive(serde::Serialize)]
struct Ref<'m> {
    index: u32,
    name: Text<'m>,
}

impl<'m> Ref<'m> {
    fn new(section: &Section<'m>) -> Self {
        Self { index: section.index, name: Text(section.name) }
    }
}

#[derive(serde::Serialize)]
struct Klp<'m> {
    index: u32,
    name: Text<'m>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Text<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Changed<'m>>,
    relocations: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relocs: Option<Relocs<'m>>,
}

#[derive(serde::Serialize)]
struct Changed<'m> {
    index: u32,
    name: Text<'m>,
    size: u64,
    flags: Hex,
}

/// The entries of a section, made one by one as they are written.
struct Relocs<'m> {
    module: &'m Module<'m>,
    section: &'m KlpSection<'m>,
}

impl Serialize for Relocs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.section.relas.iter().map(|rela| Reloc::new(self.module, &rela)))
    }
}

#[derive(serde::Serialize)]
struct Reloc<'m> {
    index: u32,
    offset: Hex,
    #[serde(rename = "type")]
    rtype: std::borrow::Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<Text<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<Text<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sympos: Option<u64>,
    addend: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'static str>,
}

impl<'m> Reloc<'m> {
    fn new(module: &Module<'m>, rela: &Rela) -> Self {
        let (object, symbol, sympos, problem) = match target(module, rela) {
            Target::Klp(s) => (Some(Text(s.object)), Some(Text(s.name)), Some(s.sympos), None),
            Target::Odd(name, why) => (None, Some(Text(name)), None, Some(why)),
            Target::Nameless(why) => (None, None, None, Some(why)),
        };
        let rtype = type_name(module, rela.rtype);
        Self {
            index: rela.index,
            offset: Hex(rela.offset),
            rtype,
            object,
            symbol,
            sympos,
            addend: rela.addend,
            problem,
        }
    }
}

/// One module's record; `summary` leaves the single relocations out.
pub(super) fn record(sink: &mut LineSink, found: &Inspected<'_, '_>, summary: bool) -> Result<(), SinkError> {
    let module = found.module;
    let order = if module.is_big_endian() { "big" } else { "little" };
    let info = |key: &[u8]| module.info(key).map(Text);
    let sections = || {
        module.klp_sections().iter().map(|section| Klp {
            index: section.index,
            name: Text(section.name),
            object: section.object.map(Text),
            target: section.target.and_then(|index| module.section(index)).map(|target| Changed {
                index: target.index,
                name: Text(target.name),
                size: target.size,
                flags: Hex(target.flags),
            }),
            relocations: section.relas.len(),
            problems: section.problems.iter().map(ToString::to_string).collect(),
            relocs: (!summary).then_some(Relocs { module, section }),
        })
    };
    let record = Record {
        schema: SCHEMA,
        file: names::path(module.path()),
        module: Info {
            name: Text(&found.name),
            livepatch: module.is_livepatch(),
            vermagic: info(b"vermagic"),
            srcversion: info(b"srcversion"),
            build_id: module.build_id().map(notes::hex),
            depends: module.depends().map(Text).collect(),
        },
        elf: json!({ "machine": found.machine(), "byte_order": order }),
        built_by: found.built_by.as_ref().map(|b| BuiltBy { tool: b.tool.name(), sign: b.sign.map(Text) }),
        objects: found.objects.as_ref().map(objects),
        relocations: module.is_livepatch().then(|| module.relocation_count()),
        sections: module.is_livepatch().then(|| sections().collect()),
        unmarked: module.unmarked().map(Ref::new).collect(),
        arch_leftovers: module.arch_leftovers().map(Ref::new).collect(),
        lint: found.lint,
    };
    write(sink, &record)
}

fn objects<'m>(objects: &'m crate::elf::module::Objects<'m>) -> Objects<'m> {
    let list = objects.list.iter().map(|object| Object {
        name: Text(object.name),
        functions: object
            .functions
            .iter()
            .map(|f| Function { name: Text(f.name), sympos: f.sympos })
            .collect(),
    });
    Objects { from: objects.origin.name(), incomplete: objects.incomplete, list: list.collect() }
}

/// What late patching costs, with the file's name.
pub(super) fn late_cost(
    sink: &mut LineSink,
    path: &Path,
    report: &crate::late_cost::Report,
) -> Result<(), SinkError> {
    #[derive(serde::Serialize)]
    struct Named<'m> {
        file: String,
        #[serde(flatten)]
        report: &'m crate::late_cost::Report,
    }
    write(sink, &Named { file: names::path(path), report })
}

/// The record of a file that cannot be read.
pub(super) fn unreadable(sink: &mut LineSink, path: &Path, why: &str) -> Result<(), SinkError> {
    write(sink, &json!({ "schema": SCHEMA, "file": names::path(path), "error": why }))
}

fn write(sink: &mut LineSink, record: &impl Serialize) -> Result<(), SinkError> {
    if serde_json::to_writer(&mut *sink, record).is_err() {
        // Only the sink can fail here; it knows how.
        sink.flush()?;
    }
    sink.line(b"")
}
