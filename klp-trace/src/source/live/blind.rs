//! When the hooks go blind: with kernel.ftrace_enabled at 0 neither fentry nor kprobe fires (accepted on 6.1 and 6.12
//! while no function is patched).

use super::{Live, Out, Reader};
use crate::{
    journal::{EventsLost, LossCause},
    kernel::settings::ftrace_enabled,
    model::Hook,
};

/// What is known of the hooks' sight.
#[derive(Debug, Default)]
pub(super) struct Blindness {
    /// ftrace was found disabled at the last look.
    disabled: bool,
}

impl<R: Reader> Live<R> {
    /// Looks whether ftrace is enabled. While it is not, everything is read again at every look; when it is back,
    /// whatever happened since the last look is unknown once more.
    pub(super) fn watch_ftrace(&mut self, out: Out) {
        let disabled = ftrace_enabled(&self.root) == Some(false);
        let was = std::mem::replace(&mut self.blind.disabled, disabled);
        if disabled != was {
            let cause = LossCause::FtraceDisabled;
            self.lost(EventsLost { hook: Hook::KlpModuleComing, cause, count: 0 }, out);
        } else if disabled {
            self.verifier.want_all();
            self.look(out);
        }
    }

    /// A module was loaded and its klp_module_coming was not seen.
    pub(super) fn blind_window(&mut self, out: Out) {
        let lost = EventsLost { hook: Hook::KlpModuleComing, cause: LossCause::BlindWindow, count: 0 };
        self.lost(lost, out);
    }
}
