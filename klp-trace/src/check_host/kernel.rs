//! The patch as a module: what the kernel's loader asks of any.

use super::{Answer, Check, Host, Patch};

pub(super) fn livepatching(host: &Host) -> Check {
    const ABOUT: &str = "livepatching";
    match &host.livepatch {
        Ok(true) => Check::new(ABOUT, Answer::Yes, "this kernel has it"),
        Ok(false) => Check::new(ABOUT, Answer::No, "this kernel has none: there is no /sys/kernel/livepatch")
            .remedy("boot a kernel with CONFIG_LIVEPATCH=y; klp-trace doctor says what else it needs"),
        Err(why) => Check::new(ABOUT, Answer::Unknown, why.clone()).remedy("mount sysfs at /sys"),
    }
}

pub(super) fn machine(patch: &Patch, host: &Host) -> Check {
    const ABOUT: &str = "architecture";
    if patch.machine == host.machine {
        return Check::new(ABOUT, Answer::Yes, format!("both are {}", host.machine));
    }
    let what = format!("the patch is for {}, this host is {}", patch.machine, host.machine);
    Check::new(ABOUT, Answer::No, what).remedy("build it for this architecture")
}

/// `same_magic()` (kernel/module/version.c): the strings are equal; of a module with `__versions` on a kernel with
/// CONFIG_MODVERSIONS, what follows the release is.
pub(super) fn vermagic(patch: &Patch, host: &Host) -> Check {
    const ABOUT: &str = "vermagic";
    let refused = "insmod fails with -ENOEXEC (\"version magic … should be …\")";
    let rebuild = format!("build the patch for {}, with its own headers and compiler", host.release);
    let Some(own) = &patch.vermagic else {
        let what = "the file has none: the kernel refuses it with -ENOEXEC, unless modules may be forced";
        return Check::new(ABOUT, Answer::No, what).remedy(rebuild);
    };
    let (release, rest) = parts(own);
    match &host.vermagic {
        Ok((theirs, file)) => {
            let (their_release, their_rest) = parts(theirs);
            let by_sums = patch.versions && their_rest.split(' ').any(|word| word == "modversions");
            let same = rest == their_rest && (by_sums || release == their_release);
            if same {
                let what = if release == their_release {
                    format!("the same as that of {file}: {}", own.trim_end())
                } else {
                    format!(
                        "the release differs ({release}, here {their_release}), which the kernel does not mind: both have \
                         checksums of symbols (modversions), which are compared instead, and were not here"
                    )
                };
                let answer = if release == their_release { Answer::Yes } else { Answer::Unknown };
                let check = Check::new(ABOUT, answer, what);
                return if answer == Answer::Yes { check } else { check.remedy(rebuild) };
            }
            let what = format!(
                "the patch was built for \"{}\", modules of this kernel have \"{}\" ({file}): {refused}",
                own.trim_end(),
                theirs.trim_end()
            );
            Check::new(ABOUT, Answer::No, what).remedy(rebuild)
        }
        Err(_) if release != host.release && !patch.versions => {
            let what =
                format!("the patch was built for {release}, this kernel is {}: {refused}", host.release);
            Check::new(ABOUT, Answer::No, what).remedy(rebuild)
        }
        Err(why) => {
            let what = format!(
                "the patch was built for {release}, this kernel is {}; what follows the release cannot be compared: {why}",
                host.release
            );
            Check::new(ABOUT, Answer::Unknown, what).remedy("install the modules of the running kernel")
        }
    }
}

/// The release, and what follows it.
fn parts(vermagic: &str) -> (&str, &str) {
    vermagic.split_once(' ').unwrap_or((vermagic, ""))
}

/// `add_unformed_module()`: one module of a name.
pub(super) fn name(patch: &Patch, host: &Host) -> Check {
    const ABOUT: &str = "name";
    let name = &patch.name;
    match &host.modules {
        Ok(modules) if modules.contains_key(name) => {
            let what = format!("a module {name} is loaded already: insmod fails with -EEXIST");
            Check::new(ABOUT, Answer::No, what).remedy(
                "if it is this patch, klp-trace audit says how it does; if it is an older one, disable and unload it, or \
                 give the new one another name",
            )
        }
        Ok(_) => Check::new(ABOUT, Answer::Yes, format!("no module {name} is loaded")),
        Err(why) => Check::new(ABOUT, Answer::Unknown, format!("whether {name} is loaded: {why}"))
            .remedy("mount procfs at /proc"),
    }
}

/// Those of the modules that it depends on that are not loaded.
pub(super) fn absent<'p>(patch: &'p Patch, host: &'p Host) -> impl Iterator<Item = &'p str> {
    let here = |name: &&String| host.objects.get(*name).is_some_and(|object| object.loaded.is_some());
    patch.depends.iter().filter(move |name| !here(name)).map(String::as_str)
}

/// The modules that it depends on.
pub(super) fn depends(patch: &Patch, host: &Host) -> Option<Check> {
    const ABOUT: &str = "depends";
    if patch.depends.is_empty() {
        return None;
    }
    let missing: Vec<&str> = absent(patch, host).collect();
    if missing.is_empty() {
        return Some(Check::new(ABOUT, Answer::Yes, format!("loaded: {}", patch.depends.join(", "))));
    }
    if let Err(why) = &host.modules {
        let what = format!("whether {} are loaded: {why}", missing.join(", "));
        return Some(Check::new(ABOUT, Answer::Unknown, what).remedy("mount procfs at /proc"));
    }
    let without = missing.iter().filter(|name| host.objects.get(**name).is_none_or(|o| o.file.is_err()));
    let without: Vec<&str> = without.copied().collect();
    let refused = "insmod fails with -ENOENT (\"Unknown symbol\")";
    Some(if without.is_empty() {
        Check::new(ABOUT, Answer::No, format!("not loaded: {}; {refused}", missing.join(", "))).remedy(format!(
            "load first: modprobe -a {}; or install the patch, run depmod, and load it by modprobe, which does so",
            missing.join(" ")
        ))
    } else {
        let what = format!("neither loaded nor found: {}; {refused}", without.join(", "));
        Check::new(ABOUT, Answer::No, what).remedy("install them, then load them first")
    })
}

/// `init_module()` and `register_ftrace_function()`: two switches that refuse every patch (kernel/module/main.c,
/// kernel/trace/ftrace.c).
pub(super) fn switches(host: &Host) -> Option<Check> {
    const ABOUT: &str = "switches";
    if host.modules_disabled {
        let what = "kernel.modules_disabled is 1: insmod fails with -EPERM until the next boot";
        return Some(Check::new(ABOUT, Answer::No, what).remedy("boot without it"));
    }
    if host.ftrace_disabled {
        let what = "kernel.ftrace_enabled is 0: no function can be patched (-EBUSY)";
        return Some(Check::new(ABOUT, Answer::No, what).remedy("sysctl kernel.ftrace_enabled=1"));
    }
    None
}

/// `__klp_enable_patch()`: one transition at a time.
pub(super) fn transition(host: &Host) -> Check {
    const ABOUT: &str = "transition";
    match &host.patches {
        Err(why) => Check::new(ABOUT, Answer::Unknown, format!("whether one is under way: {why}"))
            .remedy("run as root"),
        Ok(patches) => match patches.iter().find(|patch| patch.transition) {
            Some(patch) => {
                let what =
                    format!("one of {} is under way: insmod fails with -EBUSY until it ends", patch.name);
                Check::new(ABOUT, Answer::No, what).remedy(
                    "wait until /sys/kernel/livepatch/*/transition is 0; klp-trace watch shows when that is",
                )
            }
            None => Check::new(ABOUT, Answer::Yes, "none is under way"),
        },
    }
}
