//! Wire types shared by the eBPF programs and user space: what travels through the ring buffer and the maps.
#![no_std]
#![forbid(unsafe_code)]
