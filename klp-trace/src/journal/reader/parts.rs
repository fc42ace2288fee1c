//! Brings the records of a `section_read` together, where it takes several, and sees to it that none of them is missing.

use super::Fault;
use super::regroup::{MAX_ENTRIES, padded};
use crate::journal::record::{EntryPart, Kind, Malformed, Record};
use crate::journal::writer::ReadKey;
use crate::journal::{Body, EntryRead, Event, SectionRead};

/// What was read of the records that belong together.
#[derive(Debug, Default)]
pub(super) struct Parts {
    read: Option<Open>,
    /// The part of a `section_state` that is due, and how many it has.
    state: Option<(u32, u32)>,
}

/// A `section_read` whose last part is to come.
#[derive(Debug)]
struct Open {
    event: Event,
    key: ReadKey,
    /// As the read says.
    listed: u32,
    /// The part that is due.
    due: u32,
    parts: u32,
    /// No part is missing so far.
    whole: bool,
}

impl Parts {
    /// What a record cuts off that is not part of it: a read whose last part will not come. Nothing of it can be judged.
    pub(super) fn cut_by(&mut self, record: &Record) -> Option<(Event, Fault)> {
        let goes_on = |open: &Open| match record.event.kind {
            // It may stand anywhere: files are full when they are full.
            Kind::Continued => true,
            Kind::SectionRead => key_of(record) == Some(open.key) && record.part.unwrap_or(1) > 1,
            _ => false,
        };
        if self.read.as_ref().is_none_or(goes_on) {
            return None;
        }
        let open = self.read.take()?;
        let fault = Fault::Unfinished { due: open.due, parts: open.parts };
        Some((open.close().0, fault))
    }

    /// Takes a `section_read`, and gives it if this was its last part. A part that is missing makes all of it lost.
    pub(super) fn read(&mut self, mut record: Record) -> Result<(Option<Event>, Vec<Fault>), Fault> {
        let lacks = |part| Malformed { kind: Kind::SectionRead, part };
        let (part, parts) = numbers(&record);
        let entries = record.entries.take().unwrap_or_default();
        let listed = record.walk.as_ref().map_or(0, |walk| walk.listed);
        let key = key_of(&record).ok_or(lacks("patch"))?;
        let event = record.into_event()?;
        let mut faults = Vec::new();
        let (mut open, later) = match self.read.take() {
            Some(open) => (open, Some(event)),
            None => (Open { event, key, listed, due: 1, parts, whole: true }, None),
        };
        let wrong = part != open.due || parts != open.parts;
        if wrong {
            faults.push(Fault::Part { kind: Kind::SectionRead.name(), part, parts, due: open.due });
            if part < open.due || part > parts || parts != open.parts {
                // It was there, or is none of these.
                self.read = Some(open);
                return Ok((None, faults));
            }
            open.whole = false;
        }
        if let Body::SectionRead(of) = &mut open.event.body {
            if let Some(Body::SectionRead(SectionRead { rewrites: Some(rewrites), .. })) =
                later.map(|event| event.body)
            {
                of.rewrites = Some(rewrites);
            }
            if of.entries.len().saturating_add(entries.len()) > MAX_ENTRIES {
                faults.push(Fault::TooMany);
            } else {
                of.entries.extend(entries.iter().map(entry));
            }
        }
        open.due = part.saturating_add(1);
        if part < parts {
            self.read = Some(open);
            return Ok((None, faults));
        }
        let (event, unlisted) = open.close();
        faults.extend(unlisted);
        Ok((Some(event), faults))
    }

    /// Takes note of a `section_state`, of which nothing is evidence.
    pub(super) fn state(&mut self, record: &Record) -> Option<Fault> {
        let (part, parts) = numbers(record);
        let (due, of) = self.state.take().unwrap_or((1, parts));
        if part < parts {
            self.state = Some((part.saturating_add(1), parts));
        }
        let wrong = part != due || parts != of || part > parts;
        wrong.then_some(Fault::Part { kind: Kind::SectionState.name(), part, parts, due })
    }
}

impl Open {
    /// The event, with the entries that should be in it and are not as lost: they must not pass for unchanged. An entry beyond
    /// the section's last is none.
    fn close(self) -> (Event, Option<Fault>) {
        let Self { mut event, listed, whole, due, parts, .. } = self;
        let whole = whole && due > parts;
        let Body::SectionRead(read) = &mut event.body else { return (event, None) };
        read.entries.retain(|entry| entry.index < read.total);
        let found = u32::try_from(read.entries.len()).unwrap_or(u32::MAX);
        if whole && found == listed {
            return (event, None);
        }
        let missing = listed.saturating_sub(found).max(u32::from(!whole));
        read.lost = read.lost.saturating_add(missing).min(read.total.max(1));
        // That parts are missing was said.
        (event, whole.then_some(Fault::Unlisted { listed, found }))
    }
}

fn numbers(record: &Record) -> (u32, u32) {
    (record.part.unwrap_or(1), record.parts.unwrap_or(1))
}

fn key_of(record: &Record) -> Option<ReadKey> {
    Some(ReadKey::new(record.patch.as_ref()?.address, record.section.as_ref()?.index, record.read?))
}

fn entry(part: &EntryPart) -> EntryRead {
    EntryRead {
        index: part.index,
        address: part.address,
        bytes: part.bytes.map(padded),
        recorded: part.recorded,
    }
}

#[cfg(test)]
mod tests;
