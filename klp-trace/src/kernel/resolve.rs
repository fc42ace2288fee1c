//! Where a livepatch symbol really is, by the kernel's own rules but without asking the kernel what it took.
//!
//! The rules are those of `klp_find_object_symbol` and `klp_find_callback` (kernel/livepatch/core.c, 6.1 to 7.3):
//! position 0 means that there must be exactly one; position n means the n-th, counted in address order in vmlinux and
//! in symbol table order in a module, SHN_UNDEF skipped. Which symbols are counted depends on when: while the object
//! is COMING, its whole symbol table, .init included; later, only the core symbols that stay loaded. So a duplicate in
//! .init moves the count, and the same relocation can resolve differently by load order.

use thiserror::Error;

pub use crate::journal::{SymbolSet, SymbolSource};
use crate::model::Reason;

/// One occurrence of the name in the object's file, in symbol table order, SHN_UNDEF left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileOccurrence {
    /// Whether it stays when the object is live: its section has SHF_ALLOC and is not .init*
    /// (kernel/module/kallsyms.c, `is_core_symbol`; absolute and common symbols do not stay).
    pub core: bool,
    /// Its address, where the load address of its section is known.
    pub address: Option<u64>,
}

/// What /proc/kallsyms says of the name in the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed<'a> {
    /// The object is listed; these are the name's addresses, in the kernel's order of counting; maybe none. To be read
    /// while the object is live: while it is COMING the list is longer, and only the file can tell.
    Here(&'a [u64]),
    /// The object is not listed: not loaded any more, or not yet.
    Gone,
    /// Addresses are hidden (kptr_restrict, or no CAP_SYSLOG).
    Hidden,
    /// Modules came and went each time the list was read.
    Unsettled,
}

/// A symbol to resolve.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The position asked for; 0: the only one.
    pub sympos: u64,
    /// The set that the kernel counted: [`SymbolSet::Full`] while the object was COMING. vmlinux has but one set:
    /// [`SymbolSet::Core`].
    pub set: SymbolSet,
    /// The symbols that the kernel lists.
    pub listed: Listed<'a>,
    /// The symbols of the object's .ko; `None` without a .ko that matches, and for vmlinux.
    pub file: Option<&'a [FileOccurrence]>,
}

/// Where the symbol is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// Its address.
    pub address: u64,
    /// The set that was counted.
    pub set: SymbolSet,
    /// Where the address came from.
    pub source: SymbolSource,
}

/// Why there is no answer. The first three are the kernel's own refusals; the rest are ours: not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ResolveError {
    /// No such symbol in the set.
    #[error("no such symbol in the object")]
    NotFound,
    /// Position 0, and more than one.
    #[error("{0} symbols of that name, and no position to tell them apart")]
    Ambiguous(usize),
    /// Fewer than the position asks for.
    #[error("only {count} symbols of that name, the patch asks for number {sympos}")]
    PositionNotFound {
        /// The position asked for.
        sympos: u64,
        /// How many there are.
        count: usize,
    },
    /// The object is not listed, or the symbol was in memory freed after init, and no load address is known.
    #[error("the object's symbols are gone")]
    SymbolsGone,
    /// /proc/kallsyms hides its addresses.
    #[error("the kernel hides symbol addresses")]
    Hidden,
    /// The list of symbols kept changing.
    #[error("modules come and go while their symbols are read")]
    Unsettled,
    /// Resolved while COMING, and without the object's .ko nobody can tell how many .init symbols were counted.
    #[error("resolved while the object was loading: its .ko is needed to count .init symbols of that name")]
    InitUncertain,
}

impl ResolveError {
    /// The reason of the verdict that rests on this.
    pub const fn reason(self) -> Reason {
        match self {
            Self::NotFound | Self::PositionNotFound { .. } => Reason::SymbolNotFound,
            Self::Ambiguous(_) => Reason::SymbolAmbiguous,
            Self::SymbolsGone => Reason::SymbolsGone,
            Self::Hidden => Reason::SymbolsHidden,
            Self::Unsettled => Reason::Unsettled,
            Self::InitUncertain => Reason::InitSymbols,
        }
    }
}

/// Resolves a symbol.
pub fn resolve(question: &Question<'_>) -> Result<Resolved, ResolveError> {
    let found = |(address, source)| Resolved { address, set: question.set, source };
    let answer = match (question.listed, question.file) {
        (Listed::Hidden, None) => Err(ResolveError::Hidden),
        (Listed::Gone, None) => Err(ResolveError::SymbolsGone),
        (Listed::Unsettled, None) => Err(ResolveError::Unsettled),
        (Listed::Hidden, Some(file)) => by_file(question, file, ResolveError::Hidden),
        (Listed::Unsettled, Some(file)) => by_file(question, file, ResolveError::Unsettled),
        (Listed::Gone, Some(file)) => by_file(question, file, ResolveError::SymbolsGone),
        (Listed::Here(listed), Some(file)) => by_both(question, listed, file),
        (Listed::Here(listed), None) => by_list(question, listed),
    };
    match answer {
        // The kernel takes address 0 for "not found" (klp_find_object_symbol: `args.addr == 0`).
        Ok((0, _)) => Err(ResolveError::NotFound),
        other => other.map(found),
    }
}

type Answer = Result<(u64, SymbolSource), ResolveError>;

/// The kernel's list alone.
fn by_list(question: &Question<'_>, listed: &[u64]) -> Answer {
    let certain = match (question.set, question.sympos) {
        (SymbolSet::Core, _) => true,
        // The kernel found exactly one in the full set, or refused. One core symbol of the name is then that one; none
        // means that the one was in .init.
        (SymbolSet::Full, 0) => !listed.is_empty(),
        (SymbolSet::Full, _) => false,
    };
    if !certain {
        return Err(ResolveError::InitUncertain);
    }
    pick(question.sympos, listed).map(|address| (*address, SymbolSource::Kallsyms))
}

/// The file alone, with the load addresses of its sections; `unknown` when those are not known.
fn by_file(question: &Question<'_>, file: &[FileOccurrence], unknown: ResolveError) -> Answer {
    let counted: Vec<&FileOccurrence> = file.iter().filter(|o| is_counted(question.set, o)).collect();
    match pick(question.sympos, &counted)?.address {
        Some(address) => Ok((address, SymbolSource::ObjectFile)),
        None => Err(unknown),
    }
}

/// The file counts, the kernel's list says where.
fn by_both(question: &Question<'_>, listed: &[u64], file: &[FileOccurrence]) -> Answer {
    if confirms(listed, file) {
        let counted: Vec<&FileOccurrence> = file.iter().filter(|o| is_counted(question.set, o)).collect();
        let address = pick(question.sympos, &counted)?.address.ok_or(ResolveError::SymbolsGone)?;
        let shown = listed.contains(&address);
        return Ok((address, if shown { SymbolSource::Kallsyms } else { SymbolSource::ObjectFile }));
    }
    let core = file.iter().filter(|o| o.core).count();
    // A list read while the object was COMING is the full one.
    let full_list = listed.len() == file.len();
    if !full_list && listed.len() != core {
        // Not the file that was loaded: as good as none.
        return by_list(question, listed);
    }
    let zipped = file.iter().filter(|o| full_list || o.core).zip(listed);
    if zipped.into_iter().any(|(o, address)| o.address.is_some_and(|known| known != *address)) {
        // As many as there should be, and others.
        return Err(ResolveError::InitUncertain);
    }
    let mut addresses = listed.iter();
    let counted: Vec<(&FileOccurrence, Option<u64>)> = file
        .iter()
        .map(|o| (o, if full_list || o.core { addresses.next().copied() } else { None }))
        .filter(|(o, _)| is_counted(question.set, o))
        .collect();
    match *pick(question.sympos, &counted)? {
        (_, Some(address)) => Ok((address, SymbolSource::Kallsyms)),
        (FileOccurrence { address: Some(address), .. }, None) => Ok((*address, SymbolSource::ObjectFile)),
        (_, None) => Err(ResolveError::SymbolsGone),
    }
}

/// Whether the list has every symbol that stays, where the file has it, and none that the file does not have. Then it may
/// have some more than once, and in any order: those of .init that ftrace remembers, right behind the last module's own.
fn confirms(listed: &[u64], file: &[FileOccurrence]) -> bool {
    let known: Vec<u64> = file.iter().filter_map(|o| o.address).collect();
    known.len() == file.len()
        && listed.iter().all(|address| known.contains(address))
        && file.iter().filter(|o| o.core).all(|o| o.address.is_some_and(|address| listed.contains(&address)))
}

/// Which of the occurrences in an object's file the kernel takes: its place among them. Without addresses, so for
/// files that are not loaded.
pub fn place(sympos: u64, set: SymbolSet, file: &[FileOccurrence]) -> Result<usize, ResolveError> {
    let counted: Vec<usize> =
        file.iter().enumerate().filter(|(_, o)| is_counted(set, o)).map(|(at, _)| at).collect();
    pick(sympos, &counted).copied()
}

fn is_counted(set: SymbolSet, occurrence: &FileOccurrence) -> bool {
    set == SymbolSet::Full || occurrence.core
}

/// The position rule.
fn pick<T>(sympos: u64, counted: &[T]) -> Result<&T, ResolveError> {
    match (sympos, counted) {
        (_, []) => Err(ResolveError::NotFound),
        (0, [only]) => Ok(only),
        (0, many) => Err(ResolveError::Ambiguous(many.len())),
        (n, all) => usize::try_from(n)
            .ok()
            .and_then(|n| all.get(n.checked_sub(1)?))
            .ok_or(ResolveError::PositionNotFound { sympos: n, count: all.len() }),
    }
}

#[cfg(test)]
mod tests;
