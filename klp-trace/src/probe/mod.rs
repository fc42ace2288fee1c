//! Loads and attaches the eBPF programs, and decodes what they send.
//!
//! The only room with `unsafe`: each has its SAFETY comment.
#![allow(unsafe_code, reason = "the ring buffer holds C structs")]

pub mod decode;
pub mod event;

pub use event::RawEvent;
