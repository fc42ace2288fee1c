//! Any bytes as a journal: an answer or an error, never a panic; what is judged from it can be written down and judged
//! again to the same end.
#![no_main]

use std::ops::ControlFlow;

use klp_trace::arch::Arch;
use klp_trace::journal::{EndReason, Event, Journal, Origin};
use klp_trace::output::{filter::Filter, style::Style, text::Text};
use klp_trace::journal::recording::{RecordingError, replay_from};
use klp_trace::verify::{Outcome, Verifier};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(first) = judge(data) else { return };
    // Written anew, a session leads to the same verdicts. (Several sessions in one file are written as one here.)
    if first.sessions <= 1
        && let Some(again) = judge(&first.journal)
    {
        assert_eq!(first.outcome, again.outcome, "the same evidence, another verdict");
    }
});

/// What became of a journal.
struct Judged {
    outcome: Outcome,
    sessions: usize,
    journal: Vec<u8>,
}

fn judge(mut data: &[u8]) -> Option<Judged> {
    let mut verifier = Verifier::new(Arch::X86_64);
    let mut text = Text::new(Style::PLAIN, Filter::default()).verbose(true);
    let mut written: Option<(Journal, Vec<u8>)> = None;
    let mut sessions = 0;
    let mut last = 0;
    let taken = replay_from(&mut data, "fuzz-input", &mut |origin: &Origin, event: Event| {
        sessions += usize::from(matches!(event.body, klp_trace::journal::Body::Session(_)));
        last = event.mono_ns;
        let (journal, bytes) =
            written.get_or_insert_with(|| (Journal::new(origin.clone()), Vec::new()));
        verifier.feed(event, &mut |event| {
            show(&mut text, &event);
            journal.append(&event, bytes);
        });
        ControlFlow::Continue(())
    });
    match taken {
        Ok(_) => {}
        Err(RecordingError::NotAJournal { source, .. }) => {
            plain(&source.to_string());
            return None;
        }
        Err(error) => unreachable!("bytes in memory can be read: {error}"),
    }
    let (mut journal, mut bytes) = written?;
    verifier.finish(&mut |event| {
        show(&mut text, &event);
        journal.append(&event, &mut bytes);
    });
    let end = Event {
        mono_ns: last,
        task: None,
        body: klp_trace::journal::Body::SessionEnd(verifier.end(EndReason::EndOfRecording)),
    };
    journal.append(&end, &mut bytes);
    Some(Judged { outcome: verifier.outcome(), sessions, journal: bytes })
}

fn show(text: &mut Text, event: &Event) {
    let mut lines = Vec::new();
    text.event(event, &mut lines);
    text.flush(&mut lines);
    lines.iter().for_each(|line| plain(line));
}

/// What may be shown on a terminal.
fn plain(text: &str) {
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}
