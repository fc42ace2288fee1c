//! The ordinary symbols that the patch uses: does anybody export them?
//!
//! `simplify_symbols()` (kernel/module/main.c) refuses a module over an undefined symbol that nothing exports, with -ENOENT.

use super::symbols::few;
use super::{Answer, Check, Host, Patch};

const ABOUT: &str = "exports";

/// Whether each is exported by the kernel or a module that is loaded.
pub(super) fn check(patch: &Patch, host: &Host) -> Check {
    if patch.imports.is_empty() {
        return Check::new(ABOUT, Answer::Yes, "it uses no ordinary symbol");
    }
    let exports = match &host.exports {
        Ok(exports) => exports,
        Err(why) => {
            let what = format!(
                "whether all ordinary symbols that it uses ({}) are exported: {why}",
                patch.imports.len()
            );
            return Check::new(ABOUT, Answer::Unknown, what)
                .remedy("mount procfs at /proc; the kernel needs CONFIG_KALLSYMS_ALL=y");
        }
    };
    let missing: Vec<String> =
        patch.imports.iter().filter(|name| !exports.contains_key(*name)).cloned().collect();
    if missing.is_empty() {
        let what = format!(
            "all ordinary symbols that it uses ({}) are exported; their checksums are not asked for",
            patch.imports.len()
        );
        return Check::new(ABOUT, Answer::Yes, what);
    }
    let what = format!(
        "exported neither by the kernel nor by the modules that it depends on and that are loaded: {}; insmod fails with \
         -ENOENT (\"Unknown symbol\")",
        few(&missing)
    );
    let absent: Vec<&str> = super::kernel::absent(patch, host).collect();
    let remedy = if missing.iter().any(|name| name.starts_with(".klp.sym.")) {
        "run the step that makes livepatch relocations of the symbols .klp.sym.* (klp-convert, or the builder's own)".to_owned()
    } else if absent.is_empty() {
        "build it as a livepatch: a symbol that is not exported needs a livepatch relocation".to_owned()
    } else {
        format!("load first what it depends on: modprobe -a {}", absent.join(" "))
    };
    Check::new(ABOUT, Answer::No, what).remedy(remedy)
}
