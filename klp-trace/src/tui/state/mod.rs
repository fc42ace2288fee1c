//! What the person at the keyboard has chosen: pure, updated by keys, sizes and pictures.

mod act;
pub mod list;
pub mod node;
mod prompt;
pub mod rows;
mod search;

use super::keymap::Keymap;
use super::panes::{self, Panes};
use super::picture::Picture;
use super::theme::Theme;
use crate::output::filter::Filter;
use list::List;
use node::Node;
pub use prompt::Prompt;
use ratatui::layout::Size;
use rows::Rows;
use std::collections::BTreeSet;

/// A relocation: its section, its index.
pub type RelocKey = (Node, u32);

/// Where the keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Focus {
    /// To the tree.
    #[default]
    Tree,
    /// To the relocations.
    Relocs,
    /// To the tabs.
    Tabs,
}

/// The tabs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tab {
    /// What is wrong.
    #[default]
    Findings,
    /// The latest events.
    Events,
    /// What was when.
    Timeline,
    /// What is watched.
    Hooks,
}

impl Tab {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Findings, Self::Events, Self::Timeline, Self::Hooks];

    /// Its title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Findings => "Findings",
            Self::Events => "Events",
            Self::Timeline => "Timeline",
            Self::Hooks => "Hooks",
        }
    }
}

/// The order of relocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// As in the patch.
    #[default]
    Place,
    /// The worst first.
    Verdict,
    /// By symbol.
    Symbol,
    /// By type.
    Type,
}

impl Sort {
    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Place => Self::Verdict,
            Self::Verdict => Self::Symbol,
            Self::Symbol => Self::Type,
            Self::Type => Self::Place,
        }
    }

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Place => "place",
            Self::Verdict => "verdict",
            Self::Symbol => "symbol",
            Self::Type => "type",
        }
    }
}

/// What covers the panes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// The keys.
    Help,
    /// A relocation.
    Reloc(RelocKey),
    /// A finding, by number.
    Finding(u64),
    /// An event, by number.
    Event(u64),
}

/// Where the events come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The running kernel.
    Live,
    /// A recording.
    Replay(Tape),
}

/// A recording: how long it is, where in it the picture stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tape {
    /// Evidence in it.
    pub events: u64,
    /// How much of it is in the picture.
    pub position: u64,
    /// First and last time (CLOCK_MONOTONIC, nanoseconds).
    pub span: (u64, u64),
    /// The time at the position.
    pub now_ns: u64,
    /// What is worth going to: the position after which it is in the picture, its time, and whether it is a finding.
    pub news: Vec<(u64, u64, bool)>,
    /// The recording is damaged: that in a few words, and what its first line of warning says.
    pub damage: Option<(String, String)>,
}

/// What a key asks of the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Nothing but a new frame.
    Draw,
    /// End.
    Quit,
    /// Stop, until the shell goes on with it.
    Suspend,
    /// Clear the terminal, then draw.
    Redraw,
    /// Hold the picture, or let it go.
    Pause(bool),
    /// Read everything again.
    Audit,
    /// Write a journal.
    Journal,
    /// Copy this.
    Copy(String),
    /// Go to a place in the recording.
    Seek(u64),
}

/// What was chosen, and what is listed because of it.
#[derive(Debug, Clone)]
pub struct State {
    /// Of the terminal.
    pub size: Size,
    /// Where the events come from.
    pub source: Source,
    /// The picture is held.
    pub paused: bool,
    /// Where the keys go.
    pub focus: Focus,
    /// The tab that is seen.
    pub tab: Tab,
    /// What covers the panes.
    pub page: Option<Page>,
    /// First line of the page that is seen.
    pub scroll: usize,
    /// The filter that is being typed.
    pub prompt: Option<Prompt>,
    /// What is shown.
    pub filter: Filter,
    /// As it was typed.
    pub filter_text: String,
    /// The order of relocations.
    pub sort: Sort,
    /// Every event, not only what matters.
    pub verbose: bool,
    /// The events follow what comes.
    pub follow: bool,
    /// The selected branch.
    pub node: Node,
    /// Branches whose members are not shown.
    pub folded: BTreeSet<Node>,
    /// The selected relocation.
    pub selected_reloc: Option<RelocKey>,
    /// Lines of the tree.
    pub tree: List,
    /// Lines of the relocations.
    pub relocs: List,
    /// Lines of the findings.
    pub findings: List,
    /// Lines of the events.
    pub events: List,
    /// Lanes of the time line.
    pub lanes: List,
    /// Lines of the hooks.
    pub hooks: List,
    /// What is listed.
    pub rows: Rows,
    /// Said until the next key.
    pub notice: Option<String>,
    /// The time that ages are counted from (CLOCK_MONOTONIC, nanoseconds).
    pub now_ns: u64,
    /// When everything was last read.
    pub audit_ns: Option<u64>,
    /// Which keys do what.
    pub keymap: Keymap,
    /// How it looks.
    pub theme: Theme,
}

impl State {
    /// At the start.
    pub fn new(source: Source, size: Size) -> Self {
        Self {
            size,
            source,
            paused: false,
            focus: Focus::default(),
            tab: Tab::default(),
            page: None,
            scroll: 0,
            prompt: None,
            filter: Filter::default(),
            filter_text: String::new(),
            sort: Sort::default(),
            verbose: false,
            follow: true,
            node: Node::Host,
            folded: BTreeSet::new(),
            selected_reloc: None,
            tree: List::default(),
            relocs: List::default(),
            findings: List::default(),
            events: List::default(),
            lanes: List::default(),
            hooks: List::default(),
            rows: Rows::default(),
            notice: None,
            now_ns: 0,
            audit_ns: None,
            keymap: Keymap::default(),
            theme: Theme::default(),
        }
    }

    /// Where everything stands; none when the terminal is too small.
    pub fn panes(&self) -> Option<Panes> {
        panes::panes(self.size, matches!(self.source, Source::Replay(_)))
    }

    /// The terminal has another size.
    pub fn resize(&mut self, size: Size, picture: &Picture) {
        self.size = size;
        self.settle(picture);
    }

    /// The picture has changed.
    pub fn sync(&mut self, picture: &Picture) {
        self.derive(picture);
        self.settle(picture);
    }

    /// Sets the filter, as it was typed.
    pub fn set_filter(&mut self, text: &str, picture: &Picture) -> Result<(), String> {
        self.filter = text.parse().map_err(|error: crate::output::filter::FilterError| error.to_string())?;
        text.clone_into(&mut self.filter_text);
        self.rows.forget();
        self.sync(picture);
        Ok(())
    }

    /// Brings every list in order: what is selected exists and is seen.
    pub(super) fn settle(&mut self, picture: &Picture) {
        let Some(panes) = self.panes() else { return };
        let rows = &self.rows;
        let tabs = usize::from(panes::inner(panes.tabs).height);
        self.tree.settle(rows.tree.len(), usize::from(panes::inner(panes.tree).height));
        self.relocs.settle(rows.relocs.len(), panes::relocs_height(&panes));
        let findings = rows.findings.len();
        self.findings.settle(findings, panes::findings_height(&panes, findings));
        self.events.settle(rows.events.len(), tabs);
        self.lanes.settle(picture.story.lanes.len(), panes::lanes_height(&panes));
        self.hooks.settle(picture.hooks.len(), tabs.saturating_sub(1));
        self.note_selection(picture);
        if let Some(page) = &self.page {
            let inner = panes::inner(panes.page);
            let lines = super::pages::lines(page, self, picture, inner.width).len();
            self.scroll = self.scroll.min(lines.saturating_sub(usize::from(inner.height)));
        }
    }

    /// Remembers which branch and which relocation are selected, so that they stay so when rows move.
    fn note_selection(&mut self, picture: &Picture) {
        if let Some(row) = self.rows.tree.get(self.tree.selected) {
            self.node = row.node.clone();
        }
        self.selected_reloc = self
            .rows
            .reloc(picture, self.relocs.selected)
            .and_then(|(place, _, _, _, reloc)| Some((Node::section(picture, place)?, reloc.r.index)));
    }
}
