//! klp-trace's eBPF programs.
//!
//! They decide nothing: they read what the kernel's structures and the relocations' targets hold at the moments that
//! matter, and send it. Habits that the verifier rewards: no branch on a helper's result inside a loop, writes straight
//! into the ring buffer's memory, loops through `bpf_loop`.
#![no_std]
#![no_main]

mod calls;
mod demand;
mod diag;
mod emit;
mod gated;
mod hooks;
mod layout;
mod maps;
mod sample;
mod section;
mod transition;

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
