//! Wire types shared by the eBPF programs and user space: what travels through the ring buffer and the maps.
//!
//! Every type is `repr(C)`, made of integers and byte arrays alone and without implicit padding, so that any bytes
//! of the right length are a valid value; user space still checks every length and every closed list.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod counters;
pub mod hook;
pub mod record;
pub mod tables;

pub use counters::Counters;
pub use hook::{Hook, Phase};
pub use record::{
    BLOCK, Begin, Block, CHUNK, Chunk, End, Head, Header, HookRecord, MODULE_NAME, ModuleFacts, SECTION_NAME,
    SYMBOL_NAME, Symbol, Task, Transition,
};
pub use tables::{InFlight, InFlightKey, SectionKey, SectionValue};
