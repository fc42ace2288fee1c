//! JSON: one object a file, on one line, written piece by piece (docs/inspect.md).

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::Path;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::ser::{Serialize, SerializeSeq as _, SerializeStruct as _, Serializer};

use super::{Inspected, NO_SYMBOL, Target, escape, target, type_name};
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

impl JsonSchema for Text<'_> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

/// A number as "0x…".
struct Hex(u64);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(hex(self.0, &mut [0; 18]))
    }
}

impl JsonSchema for Hex {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Hex".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^0x[0-9a-f]{1,16}$" })
    }
}

/// A number in hexadecimal: "0x" and sixteen digits at most. Formatting would take longer than the rest of a relocation.
fn hex(number: u64, text: &mut [u8; 18]) -> &str {
    let mut digits = number;
    let mut start = text.len();
    for place in text.iter_mut().rev() {
        *place = b"0123456789abcdef"[(digits & 15) as usize];
        digits >>= 4;
        start -= 1;
        if digits == 0 {
            break;
        }
    }
    let start = start.saturating_sub(2);
    for (place, byte) in text.iter_mut().skip(start).zip(*b"0x") {
        *place = byte;
    }
    text.get(start..).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default()
}

#[derive(serde::Serialize, schemars::JsonSchema)]
struct Record<'m, 'a> {
    #[schemars(extend("const" = SCHEMA))]
    schema: &'static str,
    file: String,
    module: Info<'m>,
    elf: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    built_by: Option<BuiltBy<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<Objects<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relocations: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sections: Option<Vec<Klp<'m, 'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unmarked: Vec<Ref<'m>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    arch_leftovers: Vec<Ref<'m>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lint: Option<&'m crate::lint::Report>,
}

/// What is written of a file.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[serde(untagged)]
enum Line<'m, 'a> {
    /// A module.
    Module(Box<Record<'m, 'a>>),
    /// No module that can be read.
    Unreadable(Unreadable<'m>),
}

#[derive(serde::Serialize, schemars::JsonSchema)]
struct Unreadable<'m> {
    #[schemars(extend("const" = SCHEMA))]
    schema: &'static str,
    file: String,
    error: &'m str,
}

#[derive(serde::Serialize, schemars::JsonSchema)]
struct Kind {
    machine: String,
    byte_order: &'static str,
}

#[derive(serde::Serialize, schemars::JsonSchema)]
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

#[derive(serde::Serialize, schemars::JsonSchema)]
struct BuiltBy<'m> {
    tool: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign: Option<Text<'m>>,
}

#[derive(serde::Serialize, schemars::JsonSchema)]
struct Objects<'m> {
    from: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<&'static str>,
    list: Vec<Object<'m>>,
}

#[derive(serde::Serialize, schemars::JsonSchema)]
struct Object<'m> {
    name: Text<'m>,
    functions: Vec<Function<'m>>,
}

#[derive(serde::Serialize, schemars::JsonSchema)]
struct Function<'m> {
    name: Text<'m>,
    sympos: u64,
}

#[derive(serde::Serialize, schemars::JsonSchema)]
struct Ref<'m> {
    index: u32,
    name: Text<'m>,
}

impl<'m> Ref<'m> {
    fn new(section: &Section<'m>) -> Self {
        Self { index: section.index, name: Text(section.name) }
    }
}

#[derive(serde::Serialize, schemars::JsonSchema)]
struct Klp<'m, 'a> {
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
    #[schemars(with = "Option<Vec<RelocForm>>")]
    relocs: Option<Relocs<'m, 'a>>,
}

#[derive(serde::Serialize, schemars::JsonSchema)]
struct Changed<'m> {
    index: u32,
    name: Text<'m>,
    size: u64,
    flags: Hex,
}

/// The entries of a section, made one by one as they are written.
struct Relocs<'m, 'a> {
    module: &'m Module<'a>,
    section: &'m KlpSection<'a>,
    symbols: &'m RefCell<Symbols<'a>>,
}

impl Serialize for Relocs<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        let mut symbols = self.symbols.borrow_mut();
        for rela in self.section.relas.iter() {
            list.serialize_element(&Reloc {
                index: rela.index,
                offset: Hex(rela.offset),
                rtype: type_name(self.module, rela.rtype),
                symbol: symbols.get(self.module, &rela),
                addend: rela.addend,
            })?;
        }
        list.end()
    }
}

struct Reloc<'s> {
    index: u32,
    offset: Hex,
    rtype: Cow<'static, str>,
    symbol: Option<&'s Shown<'s>>,
    addend: i64,
}

/// The form of a [`Reloc`].
#[derive(schemars::JsonSchema)]
#[schemars(inline)]
#[allow(
    dead_code,
    reason = "a relocation is written field by field, which takes half of the time; this is its schema"
)]
struct RelocForm {
    index: u32,
    offset: Hex,
    #[serde(rename = "type")]
    rtype: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sympos: Option<u64>,
    addend: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl Serialize for Reloc<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Of JSON the number of fields is not asked.
        let mut out = serializer.serialize_struct("Reloc", 8)?;
        out.serialize_field("index", &self.index)?;
        out.serialize_field("offset", &self.offset)?;
        out.serialize_field("type", &self.rtype)?;
        if let Some(object) = self.symbol.and_then(|s| s.object.as_ref()) {
            out.serialize_field("object", object)?;
        }
        if let Some(symbol) = self.symbol.and_then(|s| s.symbol.as_ref()) {
            out.serialize_field("symbol", symbol)?;
        }
        if let Some(sympos) = self.symbol.and_then(|s| s.sympos) {
            out.serialize_field("sympos", &sympos)?;
        }
        out.serialize_field("addend", &self.addend)?;
        if let Some(problem) = self.symbol.and_then(|s| s.problem) {
            out.serialize_field("problem", problem)?;
        }
        out.end()
    }
}

/// What is written of a symbol.
#[derive(Default)]
struct Shown<'a> {
    object: Option<Cow<'a, str>>,
    symbol: Option<Cow<'a, str>>,
    sympos: Option<u64>,
    problem: Option<&'static str>,
}

/// Symbols as they are written, each made once: relocations are many, symbols are few.
struct Symbols<'a> {
    /// By the symbol's index, one more than its place among those shown; 0: not met yet.
    places: Vec<u32>,
    shown: Vec<Shown<'a>>,
}

impl<'a> Symbols<'a> {
    fn new(module: &Module<'_>) -> Self {
        let places = vec![0; usize::try_from(module.symbol_count()).unwrap_or(0)];
        // The first is the one that the table does not have.
        Self { places, shown: vec![Shown::of(&Target::Nameless(NO_SYMBOL))] }
    }

    fn get(&mut self, module: &Module<'a>, rela: &Rela) -> Option<&Shown<'a>> {
        let met = usize::try_from(rela.symbol).ok().and_then(|at| self.places.get_mut(at));
        let place = met.map_or(0, |place| {
            if *place == 0 {
                // No more than the symbol table has, whose indices are of 32 bits.
                *place = u32::try_from(self.shown.len()).unwrap_or(0);
                self.shown.push(Shown::of(&target(module, rela)));
            }
            *place
        });
        self.shown.get(usize::try_from(place).ok()?)
    }
}

impl<'a> Shown<'a> {
    fn of(target: &Target<'a>) -> Self {
        match *target {
            Target::Klp(s) => Self {
                object: Some(escape(s.object)),
                symbol: Some(escape(s.name)),
                sympos: Some(s.sympos),
                problem: None,
            },
            Target::Odd(name, why) => {
                Self { symbol: Some(escape(name)), problem: Some(why), ..Self::default() }
            }
            Target::Nameless(why) => Self { problem: Some(why), ..Self::default() },
        }
    }
}

/// One module's record; `summary` leaves the single relocations out.
pub(super) fn record(sink: &mut LineSink, found: &Inspected<'_, '_>, summary: bool) -> Result<(), SinkError> {
    let module = found.module;
    let symbols = RefCell::new(Symbols::new(module));
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
            relocs: (!summary).then_some(Relocs { module, section, symbols: &symbols }),
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
        elf: Kind { machine: found.machine().to_string(), byte_order: order },
        built_by: found.built_by.as_ref().map(|b| BuiltBy { tool: b.tool.name(), sign: b.sign.map(Text) }),
        objects: found.objects.as_ref().map(objects),
        relocations: module.is_livepatch().then(|| module.relocation_count()),
        sections: module.is_livepatch().then(|| sections().collect()),
        unmarked: module.unmarked().map(Ref::new).collect(),
        arch_leftovers: module.arch_leftovers().map(Ref::new).collect(),
        lint: found.lint,
    };
    write(sink, &Line::Module(Box::new(record)))
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

/// With the file's name.
#[derive(serde::Serialize, schemars::JsonSchema)]
struct Named<'m, T> {
    file: String,
    #[serde(flatten)]
    report: &'m T,
}

/// A report of another kind (what late patching costs, whether this host takes it), with the file's name.
pub(super) fn report(sink: &mut LineSink, path: &Path, report: &impl Serialize) -> Result<(), SinkError> {
    write(sink, &Named { file: names::path(path), report })
}

/// The record of a file that cannot be read.
pub(super) fn unreadable(sink: &mut LineSink, path: &Path, why: &str) -> Result<(), SinkError> {
    write(sink, &Line::Unreadable(Unreadable { schema: SCHEMA, file: names::path(path), error: why }))
}

fn write(sink: &mut LineSink, record: &impl Serialize) -> Result<(), SinkError> {
    if serde_json::to_writer(&mut *sink, record).is_err() {
        // Only the sink can fail here; it knows how.
        sink.flush()?;
    }
    sink.line(b"")
}

/// The JSON Schema of a line.
pub(super) fn schema() -> serde_json::Value {
    crate::journal::schema::of::<Line<'_, '_>>(
        "urn:klp-trace:inspect:1",
        format!("What klp-trace inspect --json writes of a file, {SCHEMA}"),
    )
}

/// The JSON Schema of a line of `--check-host`.
pub(super) fn check_host_schema() -> serde_json::Value {
    crate::journal::schema::of::<Named<'_, crate::check_host::Report>>(
        "urn:klp-trace:check-host:1",
        format!(
            "What klp-trace inspect --check-host --json writes of a patch, {}",
            crate::check_host::SCHEMA
        ),
    )
}

#[cfg(test)]
mod tests {
    use crate::journal::schema::tests::assert_committed;

    #[test]
    fn the_committed_schemas_are_those_of_the_types() {
        assert_committed("klp-trace.inspect-1.json", &super::schema());
        assert_committed("klp-trace.check-host-1.json", &super::check_host_schema());
    }
}
