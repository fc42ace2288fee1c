//! The packages: what they hold, how they are made, how they are checked.

mod build;
pub mod check;
mod contents;
mod links;
mod pack;
mod stage;
#[cfg(test)]
mod tests;
mod tools;
mod tree;
pub mod twice;

pub use tree::Tree;
