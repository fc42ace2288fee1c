//! The real proof: the probes attached, for a moment.

use crate::cli::attach::Attach;
use crate::probe::{Mechanism, Options, Probes};

/// What came of attaching the probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attachment {
    /// Not tried, and why.
    NotTried(&'static str),
    /// The kernel or the object refused: what a mandatory hook needs is missing.
    Refused(String),
    /// Every mandatory hook is attached; of each hook its function's name, and how it is attached or why not.
    Attached(Vec<(&'static str, Result<&'static str, String>)>),
}

impl Attachment {
    /// Attaches every probe and lets go at once; nothing stays in the kernel.
    pub(super) fn attempt(how: Attach) -> Self {
        match Probes::attach(&Options { attach: how.into(), ..Options::default() }) {
            Ok(probes) => Self::Attached(
                probes
                    .hooks()
                    .iter()
                    .map(|hook| {
                        let how = hook.mechanism.map(Mechanism::name);
                        (hook.name, how.ok_or_else(|| hook.reason.clone().unwrap_or_default()))
                    })
                    .collect(),
            ),
            Err(error) => Self::Refused(error.to_string()),
        }
    }

    /// How the function is hooked, where that was found out.
    pub(super) fn of(&self, function: &str) -> Option<&Result<&'static str, String>> {
        match self {
            Self::Attached(hooks) => hooks.iter().find(|(name, _)| *name == function).map(|(_, how)| how),
            _ => None,
        }
    }
}
