//! What a finding's remedy is in commands: with the real names, to be pasted into a root shell of that host.

use super::{
    section::{Patch, Reloc},
    verifier::Verifier,
};
use crate::{
    journal::{Elf, Finding},
    model::{FindingId, Severity},
};

impl Verifier {
    /// Adds the commands that do what the finding's action says, and what they cost. None where there is no command for it, or
    /// where a name is none that a shell takes as it is: a journal may hold anything.
    pub(super) fn remedied(&self, mut finding: Finding) -> Finding {
        let Some(patch) = finding.patch.as_ref().and_then(|of| self.patches.get(&of.address.0)) else {
            return finding;
        };
        if finding.commands.is_empty() {
            finding.commands = steps(&finding, patch).unwrap_or_default();
        }
        if finding.commands.iter().any(|step| step.starts_with("echo 0")) {
            finding.action = format!(
                "{}; until {} is loaded again, its fix is not on this host",
                finding.action, patch.r.name
            );
        }
        finding
    }
}

fn steps(finding: &Finding, patch: &Patch) -> Option<Vec<String>> {
    let name = plain(&patch.r.name)?;
    let object = finding.object.as_ref().map(|object| &*object.name);
    let unload = unload(name, patch);
    match finding.id {
        // Less than an error where the kernel writes over what is left: nothing need be done then.
        FindingId::Klp001 | FindingId::Klp002 | FindingId::Klp003 if finding.severity != Severity::Error => {
            None
        }
        FindingId::Klp001 | FindingId::Klp002 | FindingId::Klp003 => {
            Some([unload?, vec![load(object?)?, again(name, patch)]].concat())
        }
        // Forced: the kernel never lets it go.
        FindingId::Klp004 if finding.severity == Severity::Error => None,
        FindingId::Klp004 | FindingId::Klp005 | FindingId::Klp006 | FindingId::Klp007 | FindingId::Klp012 => {
            unload
        }
        FindingId::Klp009 => {
            // No value is in the way: what to do is in the kernel's log.
            let stopped_at = stopped_at(finding, patch)?;
            let mut steps = [unload?, vec![load(object?)?]].concat();
            // A value of its own file is in the way at each load; one that a load left is not.
            steps.extend(stopped_at.leftover.then(|| again(name, patch)));
            Some(steps)
        }
        // Back to where the transition came from.
        FindingId::Klp010 => Some(vec![enabled(name, !patch.enabled || patch.unpatching)]),
        FindingId::Klp014 => Some([unload?, vec![load(object?)?]].concat()),
        _ => None,
    }
}

/// Takes the patch out of the kernel: disabled, its folder awaited to go (the transition has ended then, and the kernel has
/// let go of it), its module removed. None where it was never enabled: its load has failed.
fn unload(name: &str, patch: &Patch) -> Option<Vec<String>> {
    let remove = format!("rmmod {name}");
    if patch.detached.is_some() {
        return (!patch.referenced).then(|| vec![remove]);
    }
    if !patch.enabled {
        return None;
    }
    // The reference to the module is dropped a moment after the folder (kernel/livepatch/core.c, klp_free_patch_finish).
    let wait = format!("while [ -d /sys/kernel/livepatch/{name} ]; do sleep 1; done; sleep 1");
    let disable = (!patch.unpatching).then(|| enabled(name, false));
    Some(disable.into_iter().chain([wait, remove]).collect())
}

/// Takes a patch out of the kernel.
pub(super) fn out(patch: &Patch) -> Option<Vec<String>> {
    unload(plain(&patch.r.name)?, patch)
}

/// A symbol's module is gone, and nothing else is wrong: the patch is loaded anew behind it.
pub(super) fn behind(third: &str, patch: &Patch) -> Option<Vec<String>> {
    let name = plain(&patch.r.name)?;
    Some([unload(name, patch)?, vec![load(third)?, again(name, patch)]].concat())
}

/// Loads modules one after the other, and then a patch that was never enabled.
pub(super) fn in_order(modules: &[&str], patch: Option<&Patch>) -> Option<Vec<String>> {
    let mut steps: Vec<String> = modules.iter().map(|module| load(module)).collect::<Option<_>>()?;
    if let Some(patch) = patch {
        steps.push(again(plain(&patch.r.name)?, patch));
    }
    Some(steps)
}

fn load(module: &str) -> Option<String> {
    plain(module).map(|module| format!("modprobe {module}"))
}

fn enabled(name: &str, on: bool) -> String {
    format!("echo {} > /sys/kernel/livepatch/{name}/enabled", u8::from(on))
}

/// Loads the patch again: from its file, where that is known and modprobe would not find it.
fn again(name: &str, patch: &Patch) -> String {
    let files = patch.sections.values().filter_map(|section| match &section.elf {
        Elf::File { path, .. } => Some(path.as_str()),
        _ => None,
    });
    let own = files
        .into_iter()
        .find(|path| !path.starts_with("/lib/modules/") && !path.starts_with("/usr/lib/modules/"));
    match own.and_then(plain) {
        Some(path) => format!("insmod {path}"),
        None => format!("modprobe {name}"),
    }
}

fn stopped_at<'a>(finding: &Finding, patch: &'a Patch) -> Option<&'a Reloc> {
    let (section, first) = (finding.section.as_ref()?, finding.first.as_ref()?);
    patch.sections.get(&section.index)?.relocs.get(&first.index)
}

/// A word that a shell takes as it is, and no option.
fn plain(word: &str) -> Option<&str> {
    let taken = |byte: u8| byte.is_ascii_alphanumeric() || b"_-+.,:@%/".contains(&byte);
    (!word.is_empty() && !word.starts_with('-') && word.bytes().all(taken)).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_words_that_a_shell_leaves_alone_are_put_into_commands() {
        for good in ["lp_one", "/var/lib/kpatch/6.12.90+deb13.1-amd64/kpatch-veth.ko.xz", "kpatch_5:1.2"] {
            assert_eq!(plain(good), Some(good));
        }
        for bad in [
            "", "-r", "a b", "a;reboot", "$(x)", "`x`", "a\nb", "a\\x0ab", "ü", "a'b", "a\"b", "*", "~",
            "a>b", "a&b",
        ] {
            assert_eq!(plain(bad), None, "{bad:?}");
        }
    }
}
