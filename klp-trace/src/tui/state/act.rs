//! Keys: what each does to what is chosen.

use super::node::Node;
use super::prompt::{Prompt, Typed};
use super::{Effect, Focus, Page, Source, State, Tab};
use crate::tui::keymap::{Action, Key};
use crate::tui::panes;
use crate::tui::picture::Picture;

impl State {
    /// Takes a key; what it asks of the outside.
    pub fn key(&mut self, key: Key, picture: &Picture) -> Effect {
        self.notice = None;
        let effect = if self.prompt.is_some() {
            self.type_key(key, picture)
        } else {
            match self.keymap.action(key) {
                Some(action) => self.act(action, picture),
                None => Effect::Draw,
            }
        };
        self.sync(picture);
        effect
    }

    fn type_key(&mut self, key: Key, picture: &Picture) -> Effect {
        let Some(mut prompt) = self.prompt.take() else { return Effect::Draw };
        let (code, ctrl) = key.code();
        match prompt.key(code, ctrl, key.typed()) {
            Typed::On => self.prompt = Some(prompt),
            Typed::Cancel => {}
            Typed::Enter => {
                if let Err(error) = self.set_filter(prompt.text.trim(), picture) {
                    prompt.error = Some(error);
                    self.prompt = Some(prompt);
                }
            }
        }
        Effect::Draw
    }

    fn act(&mut self, action: Action, picture: &Picture) -> Effect {
        match action {
            Action::Quit => return Effect::Quit,
            Action::Suspend => return Effect::Suspend,
            Action::Redraw => return Effect::Redraw,
            Action::Copy => return self.copy(picture),
            Action::Pause => return self.pause(),
            Action::Audit => return self.of_live(Effect::Audit, "a recording is not read again"),
            Action::Journal => return Effect::Journal,
            Action::StepBack | Action::StepForward | Action::NewsBack | Action::NewsForward => {
                return self.seek(action);
            }
            Action::Help => self.turn(if self.page == Some(Page::Help) { None } else { Some(Page::Help) }),
            Action::Back => self.back(picture),
            Action::Filter => self.prompt = Some(Prompt { text: self.filter_text.clone(), error: None }),
            _ if self.page.is_some() => self.scroll(action),
            Action::Open => self.open(picture),
            Action::NextMatch | Action::PreviousMatch => self.search(action == Action::NextMatch, picture),
            Action::Sort => {
                self.sort = self.sort.next();
                self.rows.forget();
            }
            Action::Verbose => {
                self.verbose = !self.verbose;
                self.rows.forget();
            }
            Action::Findings | Action::Events | Action::Timeline | Action::Hooks => {
                self.tab = match action {
                    Action::Findings => Tab::Findings,
                    Action::Events => Tab::Events,
                    Action::Timeline => Tab::Timeline,
                    _ => Tab::Hooks,
                };
                self.focus = Focus::Tabs;
            }
            Action::NextPane | Action::PreviousPane => self.turn_focus(action == Action::NextPane),
            Action::Left | Action::Right => self.sideways(action == Action::Right),
            Action::Up | Action::Down | Action::PageUp | Action::PageDown | Action::First | Action::Last => {
                self.travel(action, picture);
            }
        }
        Effect::Draw
    }

    fn of_live(&mut self, effect: Effect, otherwise: &str) -> Effect {
        if self.source == Source::Live {
            return effect;
        }
        self.notice = Some(otherwise.to_owned());
        Effect::Draw
    }

    fn pause(&mut self) -> Effect {
        let effect = self
            .of_live(Effect::Pause(!self.paused), "a recording holds still by itself; [ and ] move in it");
        if let Effect::Pause(paused) = effect {
            self.paused = paused;
        }
        effect
    }

    /// Opens or closes a page.
    fn turn(&mut self, page: Option<Page>) {
        self.page = page;
        self.scroll = 0;
    }

    fn back(&mut self, picture: &Picture) {
        if self.page.is_some() {
            self.turn(None);
        } else if !self.filter.is_empty() {
            // An empty filter is always one.
            let _ = self.set_filter("", picture);
        }
    }

    fn open(&mut self, picture: &Picture) {
        let page = match (self.focus, self.tab) {
            (Focus::Tree, _) => {
                self.focus = Focus::Relocs;
                return;
            }
            (Focus::Relocs, _) => self.selected_reloc.clone().map(Page::Reloc),
            (Focus::Tabs, Tab::Findings) => {
                let place = self.rows.findings.get(self.findings.selected);
                let found = place.and_then(|place| picture.findings.list().get(*place));
                found.map(|found| Page::Finding(found.number))
            }
            (Focus::Tabs, Tab::Events) => {
                self.rows.events.get(self.events.selected).copied().map(Page::Event)
            }
            (Focus::Tabs, Tab::Timeline | Tab::Hooks) => None,
        };
        if page.is_some() {
            self.turn(page);
        }
        self.settle(picture);
    }

    fn turn_focus(&mut self, forward: bool) {
        self.focus = match (self.focus, forward) {
            (Focus::Tree, true) | (Focus::Tabs, false) => Focus::Relocs,
            (Focus::Relocs, true) | (Focus::Tree, false) => Focus::Tabs,
            (Focus::Tabs, true) | (Focus::Relocs, false) => Focus::Tree,
        };
    }

    fn sideways(&mut self, right: bool) {
        match self.focus {
            Focus::Tree => self.fold(right),
            Focus::Relocs if right => {}
            Focus::Relocs => self.focus = Focus::Tree,
            Focus::Tabs => {
                let at = Tab::ALL.iter().position(|tab| *tab == self.tab).unwrap_or(0);
                let at = if right { at + 1 } else { at + Tab::ALL.len() - 1 };
                self.tab = Tab::ALL.get(at % Tab::ALL.len()).copied().unwrap_or_default();
            }
        }
    }

    fn fold(&mut self, right: bool) {
        let Some(row) = self.rows.tree.get(self.tree.selected).cloned() else { return };
        match (row.open, right) {
            (Some(false), true) => {
                self.folded.remove(&row.node);
                self.rows.forget();
            }
            (Some(true), false) => {
                self.folded.insert(row.node);
                self.rows.forget();
            }
            (_, true) => self.focus = Focus::Relocs,
            (_, false) => {
                self.choose(row.node.parent());
            }
        }
    }

    /// Selects a branch.
    fn choose(&mut self, node: Node) {
        if self.node != node {
            self.node = node;
            self.relocs = super::List::default();
            self.selected_reloc = None;
            self.rows.forget();
        }
    }

    fn scroll(&mut self, action: Action) {
        let page = self.panes().map_or(1, |panes| usize::from(panes::inner(panes.page).height));
        self.scroll = match action {
            Action::Up => self.scroll.saturating_sub(1),
            Action::Down => self.scroll.saturating_add(1),
            Action::PageUp => self.scroll.saturating_sub(page),
            Action::PageDown => self.scroll.saturating_add(page),
            Action::First => 0,
            Action::Last => usize::MAX,
            Action::Open => {
                self.page = None;
                0
            }
            _ => self.scroll,
        };
    }

    fn travel(&mut self, action: Action, picture: &Picture) {
        let panes = self.panes().unwrap_or_default();
        let tabs = usize::from(panes::inner(panes.tabs).height);
        let rows = &self.rows;
        let (list, len, page) = match (self.focus, self.tab) {
            (Focus::Tree, _) => {
                (&mut self.tree, rows.tree.len(), usize::from(panes::inner(panes.tree).height))
            }
            (Focus::Relocs, _) => (&mut self.relocs, rows.relocs.len(), panes::relocs_height(&panes)),
            (Focus::Tabs, Tab::Findings) => (&mut self.findings, rows.findings.len(), tabs),
            (Focus::Tabs, Tab::Events) => (&mut self.events, rows.events.len(), tabs),
            (Focus::Tabs, Tab::Timeline) => (&mut self.lanes, picture.story.lanes.len(), tabs),
            (Focus::Tabs, Tab::Hooks) => (&mut self.hooks, picture.hooks.len(), tabs),
        };
        let page = isize::try_from(page.max(2) - 1).unwrap_or(isize::MAX);
        match action {
            Action::Up => list.by(-1, len),
            Action::Down => list.by(1, len),
            Action::PageUp => list.by(-page, len),
            Action::PageDown => list.by(page, len),
            Action::First => list.selected = 0,
            _ => list.selected = len.saturating_sub(1),
        }
        match (self.focus, self.tab) {
            (Focus::Tree, _) => {
                if let Some(row) = self.rows.tree.get(self.tree.selected).cloned() {
                    self.choose(row.node);
                }
            }
            (Focus::Relocs, _) => self.note_selection(picture),
            // Whoever goes up in the tail wants to read; at its end, to follow it.
            (Focus::Tabs, Tab::Events) => self.follow = self.events.selected + 1 >= self.rows.events.len(),
            (Focus::Tabs, _) => {}
        }
    }

    fn seek(&mut self, action: Action) -> Effect {
        let Source::Replay(tape) = &self.source else {
            self.notice = Some("only a recording can be moved in: klp-trace tui --from JOURNAL".to_owned());
            return Effect::Draw;
        };
        let at = tape.position;
        let to = match action {
            Action::StepBack => at.saturating_sub(1),
            Action::StepForward => at.saturating_add(1),
            Action::NewsBack => {
                tape.news.iter().rev().map(|news| news.0).find(|news| *news < at).unwrap_or(0)
            }
            _ => tape.news.iter().map(|news| news.0).find(|news| *news > at).unwrap_or(tape.events),
        };
        let to = to.min(tape.events);
        if to == at { Effect::Draw } else { Effect::Seek(to) }
    }

    fn copy(&mut self, picture: &Picture) -> Effect {
        let text = crate::tui::pages::copied(self, picture);
        if text.is_empty() {
            self.notice = Some("nothing is selected here".to_owned());
            return Effect::Draw;
        }
        self.notice = Some("copied, if this terminal knows OSC 52".to_owned());
        Effect::Copy(text)
    }
}
