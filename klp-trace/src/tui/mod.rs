//! The live picture of a host: which livepatches, what is applied, what is stale, what just happened, what to do.
//!
//! [`picture`] is what is known, updated by events; [`state`] what the person at the keyboard has chosen, updated by keys;
//! [`view`] turns both into cells. All three are pure. Threads, the terminal and the clock are `cli`'s.
#![forbid(unsafe_code)]

pub mod config;
pub mod keymap;
pub mod pages;
pub mod panes;
pub mod picture;
pub mod replay;
pub mod state;
pub mod text;
pub mod theme;
pub mod view;

#[cfg(test)]
mod tests;
