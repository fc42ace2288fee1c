//! The patched modules: is the one that runs the one that comes next, and would the kernel take it again?

use super::{Answer, Build, Check, File, Host, Object, Patch, VMLINUX};
use crate::arch::{self, machine::CLEARING};
use crate::lint::Facts;

/// Whether what is loaded is what the file holds.
pub(super) fn build(name: &str, object: &Object, host: &Host) -> Check {
    const ABOUT: &str = "build";
    if let Err(why) = &host.modules {
        let what = format!("whether it is loaded, and which build: {why}");
        return Check::new(ABOUT, Answer::Unknown, what).remedy("mount procfs at /proc").of(name);
    }
    if object.builtin && object.loaded.is_none() {
        let what = "built into this kernel (modules.builtin): no module of this name ever comes, and nothing of it is patched";
        return Check::new(ABOUT, Answer::No, what)
            .remedy("build the patch against this kernel's own configuration: its functions are vmlinux's")
            .of(name);
    }
    let check = match (&object.loaded, &object.file) {
        (None, Ok(file)) => {
            let what = format!("not loaded; {} ({}) would be", file.path, file.build.shown());
            Check::new(ABOUT, Answer::Yes, what)
        }
        (None, Err(why)) => {
            let what = format!("not loaded; what comes when it is loaded is not known: {why}");
            Check::new(ABOUT, Answer::Unknown, what).remedy("install it, or name its file with --object-file")
        }
        (Some(loaded), Err(why)) => {
            let what = format!(
                "loaded ({}); what comes when it is loaded again is not known: {why}",
                loaded.shown()
            );
            Check::new(ABOUT, Answer::Unknown, what).remedy("install its file, or name it with --object-file")
        }
        (Some(loaded), Ok(File { path, build: file, .. })) => match loaded.same(file) {
            Some(true) => {
                Check::new(ABOUT, Answer::Yes, format!("loaded, and the same as {path} ({})", loaded.shown()))
            }
            Some(false) => {
                let what = format!(
                    "two builds: {} is loaded, {} is in {path} and comes next. The patch was built for one of them at most",
                    loaded.shown(),
                    file.shown()
                );
                Check::new(ABOUT, Answer::Unknown, what)
                    .remedy("find out for which one (its builder knows); unload and load the module, so that one is left")
            }
            None => {
                let what =
                    format!("loaded; neither build-id nor srcversion tells whether it is what {path} holds");
                Check::new(ABOUT, Answer::Unknown, what)
                    .remedy("build modules with --build-id, or with CONFIG_MODULE_SRCVERSION_ALL")
            }
        },
    };
    check.of(name)
}

impl Build {
    /// Whether two are the same build; `None` when there is nothing to compare. Equal sources may have been built in
    /// two ways, so a srcversion counts only where there is no build-id.
    pub(super) fn same(&self, other: &Self) -> Option<bool> {
        let compare = |a: &Option<String>, b: &Option<String>| Some(a.as_ref()? == b.as_ref()?);
        compare(&self.build_id, &other.build_id).or_else(|| compare(&self.srcversion, &other.srcversion))
    }

    fn shown(&self) -> String {
        match (&self.build_id, &self.srcversion) {
            (Some(id), _) => format!("build-id {id}"),
            (None, Some(version)) => format!("srcversion {version}"),
            (None, None) => "neither build-id nor srcversion".to_owned(),
        }
    }
}

/// Whether the object's next loads will be taken: the targets of patches that are here may be stale, and on a kernel
/// that does not clear, this patch's own will be.
pub(super) fn next_load(name: &str, facts: &Facts, patch: &Patch, host: &Host) -> Vec<Check> {
    const ABOUT: &str = "next load";
    let mut checks = Vec::new();
    let absent = host.objects.get(name).is_some_and(|object| object.loaded.is_none());
    let others: Vec<&str> = match &host.patches {
        Ok(patches) => patches
            .iter()
            .filter(|p| p.name != patch.name && p.objects.iter().any(|o| o.name == name))
            .map(|p| p.name.as_str())
            .collect(),
        Err(why) => {
            let what = format!("whether a livepatch that is here holds stale targets for it: {why}");
            checks.push(Check::new(ABOUT, Answer::Unknown, what).remedy("run as root"));
            Vec::new()
        }
    };
    if absent && !others.is_empty() {
        let what = format!(
            "{} is here and patches it too. What an earlier load of {name}, or one that failed, has left in its relocations \
             is in memory alone; if it is stale, the kernel refuses {name} with -ENOEXEC, whatever this patch does",
            others.join(", ")
        );
        checks.push(
            Check::new(ABOUT, Answer::Unknown, what)
                .remedy("klp-trace audit reads it (as root): KLP001, KLP009"),
        );
    }
    let late = facts.livepatch_sections().any(|s| s.module() == Some(name) && !s.entries.is_empty());
    if late && name != VMLINUX && arch::writes_over_zero_alone(&host.machine) {
        match &host.clears {
            Ok(true) => {}
            Ok(false) => checks.push(
                Check::new(
                    ABOUT,
                    Answer::Warning,
                    format!(
                        "the first one is taken. This kernel does not clear late relocations ({CLEARING}): once \
                         {name} has gone while the patch is here, its next load fails with -ENOEXEC"
                    ),
                )
                .remedy(format!("keep {name} loaded, or unload the patch before it comes again")),
            ),
            Err(why) => checks.push(
                Check::new(ABOUT, Answer::Unknown, format!("whether this kernel clears late relocations: {why}"))
                    .remedy("klp-trace doctor says so too, by the kernel's BTF"),
            ),
        }
    }
    checks.into_iter().map(|check| check.of(name)).collect()
}
