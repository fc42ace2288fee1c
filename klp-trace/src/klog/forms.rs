//! The messages that livepatch and the module loader print, and what they mean.
//!
//! The forms are those of kernel/livepatch/*.c and arch/x86/kernel/module.c, as they stand in the images of Debian's 6.1.0-56,
//! 6.12.117 and 7.3.4. They differ by version: up to 6.2 "Skipping", later "Invalid relocation target"; in 7.3 the place is named
//! by section, index and address, where earlier kernels hash the address (`%p`).

use super::Line;
use crate::{
    arch::LOG_PREFIX,
    elf::names::display,
    journal::{KernelMessage, Says},
    model::Address,
};
use std::sync::Arc;

/// What stands where a form has `{}`.
#[derive(Clone, Copy)]
enum Part {
    Patch,
    Object,
    Symbol,
    Sympos,
    Section,
    Index,
    Type,
    Address,
    Value,
    Error,
    /// Of no use: a hashed address, a word, the same name again.
    Other,
}

/// Text before the first part, and after each.
type Form = (Says, &'static str, &'static [Part]);

use Part::{Address as Place, Error, Index, Object, Other, Patch, Section, Symbol, Sympos, Type, Value};

/// Of the module loader (arch/x86/kernel/module.c; `KBUILD_MODNAME` is `module`).
const LOADER: &[Form] = &[
    (
        Says::TargetNotZero,
        "{} relocation target, existing value is nonzero for type {}, loc {}, val {}",
        &[Other, Type, Other, Value],
    ),
    (
        Says::TargetNotZero,
        "{} relocation target, existing value is nonzero for sec {}, idx {}, type {}, loc {}, val {}",
        &[Other, Section, Index, Type, Place, Value],
    ),
    (
        Says::TargetChanged,
        "{} relocation target, existing value does not match expected value for type {}, loc {}, val {}",
        &[Other, Type, Other, Value],
    ),
    (
        Says::TargetChanged,
        "{} relocation target, existing value does not match expected value for sec {}, idx {}, type {}, loc {}, val {}",
        &[Other, Section, Index, Type, Place, Value],
    ),
    (Says::Overflow, "overflow in relocation type {} val {} sec {} idx {}", &[Type, Value, Section, Index]),
    (Says::Overflow, "overflow in relocation type {} val {}", &[Type, Value]),
    (Says::UnknownType, "{}: Unknown rela relocation: {}", &[Other, Type]),
];

/// Of livepatch (kernel/livepatch/core.c, patch.c, transition.c).
const LIVEPATCH: &[Form] = &[
    (Says::SymbolNotFound, "symbol '{}' not found in symbol table", &[Symbol]),
    (Says::SymbolAmbiguous, "unresolvable ambiguity for symbol '{}' in object '{}'", &[Symbol, Object]),
    (
        Says::PositionNotFound,
        "symbol position {} for symbol '{}' in object '{}' not found",
        &[Sympos, Symbol, Object],
    ),
    (
        Says::SymbolMalformed,
        "symbol {} at rela sec {} idx {} is not marked as a livepatch symbol",
        &[Symbol, Section, Index],
    ),
    (Says::SymbolMalformed, "symbol {} is not marked as a livepatch symbol", &[Symbol]),
    (Says::SymbolMalformed, "symbol {} has an incorrectly formatted name", &[Symbol]),
    (
        Says::SymbolMalformed,
        "invalid access to vmlinux symbol '{}' from module-specific livepatch relocation section",
        &[Symbol],
    ),
    (Says::SectionMalformed, "section {} has an incorrectly formatted name", &[Other]),
    (Says::NotInitialized, "failed to initialize patch '{}' for module '{}' ({})", &[Patch, Object, Error]),
    (Says::CallbackFailed, "pre-patch callback failed for object '{}'", &[Object]),
    (Says::NotPatched, "failed to patch object '{}'", &[Object]),
    (Says::NotPatched, "failed to find location for function '{}'", &[Symbol]),
    (Says::NotPatched, "failed to set ftrace filter for function '{}' ({})", &[Symbol, Error]),
    (Says::NotPatched, "failed to register ftrace handler for function '{}' ({})", &[Symbol, Error]),
    (Says::NotApplied, "failed to apply patch '{}' to module '{}' ({})", &[Patch, Object, Error]),
    (Says::NotEnabled, "failed to enable patch '{}'", &[Patch]),
    (
        Says::Refused,
        "patch '{}' failed for module '{}', refusing to load module '{}'",
        &[Patch, Object, Other],
    ),
    (Says::Enabling, "enabling patch '{}'", &[Patch]),
    (Says::Applying, "applying patch '{}' to loading module '{}'", &[Patch, Object]),
    (Says::Reverting, "reverting patch '{}' on unloading module '{}'", &[Patch, Object]),
    (Says::Transition, "'{}': canceling patching transition, going to unpatch", &[Patch]),
    (Says::Transition, "'{}': starting {} transition", &[Patch, Other]),
    (Says::Transition, "'{}': {} complete", &[Patch, Other]),
    (Says::Signaling, "signaling remaining tasks", &[]),
    (Says::Forcing, "forcing remaining tasks to the patched state", &[]),
];

/// What a line of the log means; none when it is not about livepatch or relocations.
pub fn message(line: &Line<'_>) -> Option<KernelMessage> {
    let text = std::str::from_utf8(&line.text).ok()?;
    let (forms, rest) = if let Some(rest) = text.strip_prefix("livepatch: ") {
        (LIVEPATCH, rest)
    } else {
        let rest = text.strip_prefix("module: ")?;
        (LOADER, rest.strip_prefix(LOG_PREFIX).unwrap_or(rest))
    };
    let (says, found) = forms.iter().find_map(|form| Some((form.0, matched(form, rest)?)))?;
    let mut message = KernelMessage {
        number: line.number,
        logged_us: line.logged_us,
        text: Arc::from(display(text.as_bytes())),
        says: Some(says),
        patch: None,
        object: None,
        symbol: None,
        sympos: None,
        section: None,
        index: None,
        rtype: None,
        address: None,
        value: None,
        error: None,
    };
    for (part, value) in found {
        fill(&mut message, part, value)?;
    }
    Some(message)
}

/// Sets what a part says; none when it cannot be that.
fn fill(message: &mut KernelMessage, part: Part, value: &str) -> Option<()> {
    let name = || Some(Arc::from(display(value.as_bytes())));
    let hex = || u64::from_str_radix(value, 16).ok().map(Address);
    match part {
        Patch => message.patch = name(),
        Object => message.object = name(),
        Symbol => message.symbol = name(),
        Sympos => message.sympos = Some(value.parse().ok()?),
        Section => message.section = Some(value.parse().ok()?),
        Index => message.index = Some(value.parse().ok()?),
        Type => message.rtype = Some(value.parse().ok()?),
        Place => message.address = Some(hex()?),
        Value => message.value = Some(hex()?),
        Error => message.error = Some(value.parse().ok()?),
        Other => {}
    }
    Some(())
}

/// The parts of a text that has the form, each as short as it can be.
fn matched<'a>((_, form, parts): &Form, text: &'a str) -> Option<Vec<(Part, &'a str)>> {
    let mut literals = form.split("{}");
    let mut rest = text.strip_prefix(literals.next()?)?;
    let mut found = Vec::with_capacity(parts.len());
    let mut parts = parts.iter().peekable();
    while let (Some(part), Some(literal)) = (parts.next(), literals.next()) {
        let last = parts.peek().is_none();
        let end = match (literal, last) {
            ("", _) => rest.len(),
            (literal, true) => rest.strip_suffix(literal)?.len(),
            (literal, false) => rest.find(literal)?,
        };
        found.push((*part, rest.get(..end)?));
        rest = rest.get(end + literal.len()..)?;
    }
    rest.is_empty().then_some(found)
}

#[cfg(test)]
mod tests;
