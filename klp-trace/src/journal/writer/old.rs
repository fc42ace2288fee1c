//! The form of earlier versions: a record for each relocation, before the `section_read` that it came of.

use super::{Journal, ReadKey};
use crate::journal::record::{Envelope, Listed, Record};
use crate::journal::{Body, Event};

impl Journal {
    /// The line of an event, sealed, without its newline.
    pub(crate) fn line(&mut self, event: &Event) -> Result<&[u8], serde_json::Error> {
        if matches!(event.body, Body::Session(_)) {
            self.start_session(event.mono_ns);
            self.listed = None;
        }
        let listed = self.count_listed(&event.body);
        let envelope =
            Envelope { origin: &self.origin, session: self.session, seq: self.seq + 1, prev: self.prev };
        let record = Record::from_event(event, &envelope, listed);
        self.mono_ns = event.mono_ns;
        self.write(&record)?;
        Ok(&self.line)
    }

    fn count_listed(&mut self, body: &Body) -> Listed {
        match body {
            Body::RelocState(state) => {
                if let Some(key) = ReadKey::of_state(state) {
                    let before = self.listed.filter(|(of, _)| *of == key).map_or(0, |(_, count)| count);
                    self.listed = Some((key, before.saturating_add(1)));
                }
                Listed(0)
            }
            Body::SectionRead(read) => {
                let key = ReadKey::of_read(read);
                Listed(self.listed.take().filter(|(of, _)| *of == key).map_or(0, |(_, count)| count))
            }
            _ => Listed(0),
        }
    }
}
