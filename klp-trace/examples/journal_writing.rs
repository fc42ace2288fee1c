//! For `cargo xtask bench journal`: writes COUNT events as a journal (`chained`), or as the same records without hashes
//! (`unchained`), and prints the milliseconds that it took. The events are those that judging a recorded JOURNAL gives,
//! over and over.
//!
//! `journal_writing chained|unchained COUNT JOURNAL OUTPUT`
#![forbid(unsafe_code)]

use std::{io::Write as _, ops::ControlFlow, path::Path, time::Instant};

use anyhow::{Context as _, bail};
use klp_trace::{
    arch::Arch,
    journal::recording::replay,
    journal::{Body, Event, Journal, Origin},
    output::sink::LineSink,
    verify::Verifier,
};

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [how, count, journal, output] = &words[..] else {
        bail!("give chained or unchained, a number of events, a journal and an output");
    };
    let count = count.parse().context("COUNT is no number")?;
    let (origin, events) = events(Path::new(journal))?;
    let begun = Instant::now();
    let mut sink = LineSink::journal(Path::new(output), true)?;
    let all = events.iter().take(1).chain(events.iter().skip(1).cycle()).take(count);
    let mut journal = match &**how {
        "chained" => Journal::new(origin),
        "unchained" => Journal::unchained(origin),
        other => bail!("{other}: give chained or unchained"),
    };
    for event in all {
        journal.event(event);
        while let Some(line) = journal.next_line() {
            sink.line(line)?;
        }
    }
    sink.flush()?;
    writeln!(std::io::stdout(), "{}", begun.elapsed().as_millis())?;
    Ok(())
}

/// Everything that is said when the journal is judged again, its end left out.
fn events(journal: &Path) -> anyhow::Result<(Origin, Vec<Event>)> {
    let (mut verifier, mut said, mut from) = (Verifier::new(Arch::X86_64), Vec::new(), None);
    replay(journal, &mut |origin, event| {
        from = Some(origin.clone());
        verifier.feed(event, &mut |event| said.push(event));
        ControlFlow::Continue(())
    })?;
    // Its command line is of no interest, and first once.
    anyhow::ensure!(matches!(said.first(), Some(Event { body: Body::Session(_), .. })), "no session");
    Ok((from.context("no record")?, said))
}
