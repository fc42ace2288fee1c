//! The first line (what is shown, how it stands) and the last one (keys, notices, the filter being typed).

use super::{moment, pieces};
use crate::model::Verdict;
use crate::output::style::Tone;
use crate::tui::keymap::Action;
use crate::tui::picture::Picture;
use crate::tui::state::{Source, State};
use crate::tui::text::{age, cut, safe};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Span;

pub(super) fn draw(buffer: &mut Buffer, area: Rect, state: &State, picture: &Picture) {
    let mode = match (&state.source, state.paused) {
        (Source::Replay(_), _) => " REPLAY ",
        (Source::Live, true) => " PAUSED ",
        (Source::Live, false) => " LIVE ",
    };
    let mut texts = vec![Span::styled(mode, Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD))];
    texts.push(standing(state, picture));
    if !state.filter_text.is_empty() {
        let filter = format!("filter {}", safe(&state.filter_text));
        texts.push(Span::styled(
            cut(&filter, 40, state.theme.ascii).into_owned(),
            state.theme.tone(Tone::Notice),
        ));
    }
    texts.push(loss(state, picture));
    if let Some(transition) = transition(state, picture) {
        texts.push(transition);
    }
    let attached = picture.hooks.iter().filter(|hook| hook.info.mechanism.is_some()).count();
    texts.push(Span::raw(format!("hooks {attached}/{}", picture.hooks.len())));
    if state.source == Source::Live {
        let age = state.audit_ns.map_or("never".to_owned(), |at| age(state.now_ns.saturating_sub(at)));
        texts.push(Span::raw(format!("audit {age}")));
    }
    if let Some(origin) = &picture.origin {
        let (name, kernel) = (&origin.host.name, &origin.host.kernel);
        texts.push(Span::raw(safe(&kernel.release).into_owned()));
        texts.push(Span::raw(safe(name).into_owned()));
        if state.source == Source::Live {
            texts.push(Span::raw(moment(picture, state.now_ns).chars().take(10).collect::<String>()));
        }
    }
    if let Source::Replay(tape) = &state.source
        && let Some(damage) = &tape.damage
    {
        texts.insert(1, damaged(state, damage, area.width));
    }
    let line = pieces(texts, "  ", usize::from(area.width));
    buffer.set_line(area.x, area.y, &line, area.width);
}

/// That the recording is damaged, which there is always room for: what is shown is judged of what is left of it.
pub(super) fn damaged(state: &State, (short, long): &(String, String), room: u16) -> Span<'static> {
    // Beside it stand the mode and the worst verdict.
    let fits = crate::tui::text::width(long) + 40 <= usize::from(room);
    let text = safe(if fits { long } else { short }).into_owned();
    Span::styled(text, state.theme.tone(Tone::Bad).add_modifier(Modifier::BOLD))
}

/// The worst verdict and how many have it.
fn standing(state: &State, picture: &Picture) -> Span<'static> {
    let unsaid = picture.unknown();
    let worst = picture.counts.worst().max((unsaid > 0).then_some(Verdict::Unknown));
    match worst {
        Some(Verdict::Unknown) => {
            let text = format!("{} {unsaid}", state.theme.word(Verdict::Unknown));
            Span::styled(text, state.theme.verdict(Verdict::Unknown))
        }
        Some(worst) => {
            let text = format!("{} {}", state.theme.word(worst), picture.counts.of(worst));
            Span::styled(text, state.theme.verdict(worst))
        }
        None if !picture.begun => Span::raw("nothing seen yet"),
        None => Span::raw("no relocations"),
    }
}

fn loss(state: &State, picture: &Picture) -> Span<'static> {
    match (picture.losses, picture.lost) {
        (0, _) => Span::raw("lost 0"),
        (times, 0) => Span::styled(format!("? lost {times}x"), state.theme.tone(Tone::Unsure)),
        (_, records) => Span::styled(format!("? lost {records}"), state.theme.tone(Tone::Unsure)),
    }
}

/// A transition under way, and for how long; a stalled one is what keeps a patch from being active.
fn transition(state: &State, picture: &Picture) -> Option<Span<'static>> {
    let (since, patch) = picture.transition.as_ref()?;
    let who = patch
        .as_ref()
        .map_or("transition".to_owned(), |patch| format!("transition of {}", safe(&patch.name)));
    let text = format!("{who} {}", age(state.now_ns.saturating_sub(*since)));
    Some(Span::styled(text, state.theme.tone(Tone::Unsure)))
}

pub(super) fn hints(buffer: &mut Buffer, area: Rect, state: &State) {
    let room = usize::from(area.width);
    if let Some(prompt) = &state.prompt {
        let ascii = state.theme.ascii;
        let error = prompt.error.as_deref().map(|error| format!("  {}", safe(error))).unwrap_or_default();
        let typed = safe(&prompt.text);
        // The end of a long filter is where one types.
        let skipped = typed.chars().count().saturating_sub(room / 2);
        let typed: String = typed.chars().skip(skipped).collect();
        let text = format!("filter: {typed}_{error}");
        let style = if prompt.error.is_some() { state.theme.tone(Tone::Bad) } else { Style::new() };
        buffer.set_stringn(area.x, area.y, cut(&text, room, ascii), room, style);
        return;
    }
    if let Some(notice) = &state.notice {
        let style = state.theme.tone(Tone::Notice);
        buffer.set_stringn(area.x, area.y, cut(&safe(notice), room, state.theme.ascii), room, style);
        return;
    }
    let hint = |action, what: &str| {
        let key = state.keymap.key(action);
        (!key.is_empty()).then(|| Span::raw(format!("{key} {what}")))
    };
    let hints: Vec<_> = if state.page.is_some() {
        vec![hint(Action::Back, "back"), hint(Action::Down, "scroll"), hint(Action::Copy, "copy")]
    } else {
        let own = match &state.source {
            Source::Live => [hint(Action::Pause, "pause"), hint(Action::Audit, "audit")],
            Source::Replay(_) => [hint(Action::NewsBack, "earlier"), hint(Action::NewsForward, "later")],
        };
        let first = [
            hint(Action::NextPane, "pane"),
            hint(Action::Open, "open"),
            hint(Action::NextMatch, "next wrong"),
            hint(Action::Filter, "filter"),
        ];
        first.into_iter().chain(own).chain([hint(Action::Copy, "copy")]).collect()
    };
    let last = [hint(Action::Help, "help"), hint(Action::Quit, "quit")];
    let texts = last.into_iter().chain(hints).flatten().collect();
    buffer.set_line(area.x, area.y, &pieces(texts, "  ", room), area.width);
}
