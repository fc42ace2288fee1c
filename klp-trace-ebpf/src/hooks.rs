//! The programs: for each hooked function an fentry and fexit pair, and a kprobe and kretprobe pair with the same body.
//! User space loads one pair of each. Signatures are those of 6.1 to 7.3 (kernel/livepatch/core.c,
//! arch/x86/kernel/module.c, include/trace/events/module.h).

use aya_ebpf::{
    macros::{fentry, fexit, kprobe, kretprobe, raw_tracepoint},
    programs::{FEntryContext, FExitContext, ProbeContext, RawTracePointContext, RetProbeContext},
};
use klp_trace_ebpf::Hook;

use crate::calls::{self, Relocate};

/// A function of a `struct module *`, which is its argument number 0; its return value, if it has one, is `int`.
macro_rules! module_hook {
    ($hook:expr, $returns:expr, $fentry:ident, $fexit:ident, $kprobe:ident, $kretprobe:ident) => {
        #[fentry]
        pub fn $fentry(ctx: FEntryContext) -> i32 {
            calls::enter_module($hook, ctx.arg(0));
            0
        }

        #[fexit]
        pub fn $fexit(ctx: FExitContext) -> i32 {
            // The return value follows the arguments.
            let ret: i32 = if $returns { ctx.arg(1) } else { 0 };
            calls::exit_module(&ctx, $hook, ctx.arg(0), i64::from(ret));
            0
        }

        #[kprobe]
        pub fn $kprobe(ctx: ProbeContext) -> u32 {
            if let Some(module) = ctx.arg(0) {
                calls::enter_module($hook, module);
            }
            0
        }

        #[kretprobe]
        pub fn $kretprobe(ctx: RetProbeContext) -> u32 {
            if let Some(args) = calls::stashed($hook) {
                let ret: i32 = if $returns { ctx.ret() } else { 0 };
                calls::exit_module(&ctx, $hook, args.module, i64::from(ret));
            }
            0
        }
    };
}

/// A function of (sechdrs, strtab, symindex, relsec, module).
macro_rules! relocate_hook {
    ($hook:expr, $returns:expr, $fentry:ident, $fexit:ident, $kprobe:ident, $kretprobe:ident) => {
        #[fentry]
        pub fn $fentry(ctx: FEntryContext) -> i32 {
            let args = Relocate {
                sechdrs: ctx.arg(0),
                symindex: ctx.arg(2),
                relsec: ctx.arg(3),
                module: ctx.arg(4),
            };
            calls::enter_relocate($hook, args, false);
            0
        }

        #[fexit]
        pub fn $fexit(ctx: FExitContext) -> i32 {
            let args = Relocate {
                sechdrs: ctx.arg(0),
                symindex: ctx.arg(2),
                relsec: ctx.arg(3),
                module: ctx.arg(4),
            };
            let ret: i32 = if $returns { ctx.arg(5) } else { 0 };
            calls::exit_relocate(&ctx, $hook, args, i64::from(ret));
            0
        }

        #[kprobe]
        pub fn $kprobe(ctx: ProbeContext) -> u32 {
            if let (Some(sechdrs), Some(symindex), Some(relsec), Some(module)) =
                (ctx.arg(0), ctx.arg(2), ctx.arg(3), ctx.arg(4))
            {
                calls::enter_relocate($hook, Relocate { sechdrs, symindex, relsec, module }, true);
            }
            0
        }

        #[kretprobe]
        pub fn $kretprobe(ctx: RetProbeContext) -> u32 {
            if let Some(args) = calls::stashed($hook) {
                let ret: i32 = if $returns { ctx.ret() } else { 0 };
                calls::exit_relocate(&ctx, $hook, args, i64::from(ret));
            }
            0
        }
    };
}

module_hook!(Hook::Coming, true, coming_fentry, coming_fexit, coming_kprobe, coming_kretprobe);
module_hook!(Hook::Going, false, going_fentry, going_fexit, going_kprobe, going_kretprobe);
module_hook!(Hook::Cleanup, false, cleanup_fentry, cleanup_fexit, cleanup_kprobe, cleanup_kretprobe);
relocate_hook!(Hook::Apply, true, apply_fentry, apply_fexit, apply_kprobe, apply_kretprobe);
relocate_hook!(Hook::Clear, false, clear_fentry, clear_fexit, clear_kprobe, clear_kretprobe);

/// Static tracepoints need neither ftrace nor tracefs: they see a load that `kernel.ftrace_enabled=0` hides.
#[raw_tracepoint(tracepoint = "module_load")]
pub fn module_load(ctx: RawTracePointContext) -> i32 {
    calls::module_load(ctx.arg(0));
    0
}

#[raw_tracepoint(tracepoint = "module_free")]
pub fn module_free(ctx: RawTracePointContext) -> i32 {
    calls::module_free(ctx.arg(0));
    0
}
