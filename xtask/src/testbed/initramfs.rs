//! What the guest finds: busybox, kmod, the asked programs and files, and an init that runs the command.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::cpio::Archive;
use super::{Boot, modules, run};

/// Debian's kmod rather than busybox's applets: busybox's insmod tries a second system call when the first
/// fails, and the kernel then sees two loads where a user's machine has one.
const KMOD: [&str; 6] = ["depmod", "insmod", "lsmod", "modinfo", "modprobe", "rmmod"];

/// Guest side of the hand-over disk; loaded by init before the command runs.
const DISK_MODULES: [&str; 2] = ["virtio_pci", "virtio_blk"];

/// Writes the initramfs of `boot` to `path`; `token` marks the lines that init writes for the host.
pub fn write(boot: &Boot, token: &str, path: &Path) -> anyhow::Result<()> {
    let mut archive = Archive::default();
    system(&mut archive)?;
    if boot.command.is_empty() {
        program(&mut archive, Path::new("/bin/bash"), &run::which("bash").context("bash is missing")?)?;
    }
    for (guest, host) in &boot.programs {
        program(&mut archive, guest, host)?;
    }
    let mut own_modules = Vec::new();
    for file in &boot.files {
        tree(&mut archive, &file.guest, &file.host, file.mode, &mut own_modules)?;
    }
    let mut wanted: Vec<&str> = DISK_MODULES.to_vec();
    wanted.extend(boot.modules.iter().map(String::as_str));
    modules::add(&mut archive, boot, &wanted, &own_modules)?;
    archive.bytes("/init", init(token), 0o755);
    archive.bytes("/etc/testbed/command", command(&boot.command), 0o755);
    archive.write(path)
}

fn system(archive: &mut Archive) -> anyhow::Result<()> {
    for folder in ["/dev", "/proc", "/sys", "/run", "/mnt", "/root", "/out", "/var/tmp"] {
        archive.folder(folder, 0o755);
    }
    archive.folder("/tmp", 0o1777);
    archive.bytes(
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n",
        0o644,
    );
    archive.bytes("/etc/group", "root:x:0:\nnogroup:x:65534:\n", 0o644);
    archive.bytes("/etc/hostname", "testbed\n", 0o644);
    // A fixed, made-up identity: what is derived from it can be compared between runs.
    archive.bytes("/etc/machine-id", "6b6c7074726163657465737462656400\n", 0o444);
    let busybox = run::which("busybox").context("busybox is missing")?;
    program(archive, Path::new("/bin/busybox"), &busybox)?;
    let applets = run::output(Command::new(&busybox).arg("--list"), "list busybox's applets")?;
    for applet in applets.lines().filter(|applet| *applet != "busybox" && !KMOD.contains(applet)) {
        archive.link(Path::new("/bin").join(applet), "busybox");
    }
    // Not busybox's shell: it runs its own applets, insmod among them, whatever PATH says. So do its timeout,
    // xargs and the like: they are to be given /sbin/insmod in full.
    program(archive, Path::new("/bin/sh"), &run::which("sh").context("sh is missing")?)?;
    program(archive, Path::new("/bin/kmod"), &run::which("kmod").context("kmod is missing")?)?;
    for name in KMOD {
        archive.link(Path::new("/sbin").join(name), "/bin/kmod");
    }
    Ok(())
}

/// A program and the shared libraries it needs, each where the loader looks for it.
fn program(archive: &mut Archive, guest: &Path, host: &Path) -> anyhow::Result<()> {
    let host = host.canonicalize().with_context(|| format!("no program {}", host.display()))?;
    archive.file(guest, &host, 0o755);
    // ldd fails for a static program, which then needs nothing.
    let listed = Command::new("ldd").arg(&host).output().context("cannot run ldd")?;
    for library in libraries(&String::from_utf8_lossy(&listed.stdout)) {
        if !archive.holds(&library) {
            let real = library.canonicalize().with_context(|| format!("no library {}", library.display()))?;
            archive.file(&library, &real, 0o755);
        }
    }
    Ok(())
}

fn libraries(listed: &str) -> Vec<PathBuf> {
    listed
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .collect()
}

fn tree(
    archive: &mut Archive,
    guest: &Path,
    host: &Path,
    mode: u32,
    own: &mut Vec<(PathBuf, PathBuf)>,
) -> anyhow::Result<()> {
    // A package's link to what another package or its setup would bring leads nowhere, here as in the guest.
    if fs::symlink_metadata(host).is_ok_and(|link| link.is_symlink()) && !host.exists() {
        return Ok(());
    }
    let kind = fs::metadata(host).with_context(|| format!("cannot read {}", host.display()))?;
    if kind.is_dir() {
        archive.folder(guest, 0o755);
        for entry in fs::read_dir(host).with_context(|| format!("cannot list {}", host.display()))? {
            let entry = entry?;
            let inner =
                fs::metadata(entry.path()).map_or(0o644, |inner| inner.permissions().mode() & 0o111 | 0o644);
            tree(archive, &guest.join(entry.file_name()), &entry.path(), inner, own)?;
        }
    } else {
        archive.file(guest, host, mode);
        if guest.starts_with("/lib/modules") {
            own.push((guest.to_owned(), host.to_owned()));
        }
    }
    Ok(())
}

/// The command as a script: arguments reach the guest as they are, whatever they hold.
fn command(words: &[String]) -> String {
    if words.is_empty() {
        return "#!/bin/sh\necho 'A shell in the guest; leave with exit, or Ctrl-A X.'\nexec setsid cttyhack bash\n".into();
    }
    let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    format!("#!/bin/sh\nexec {}\n", quoted.join(" "))
}

fn init(token: &str) -> String {
    include_str!("init.sh").replace("@TOKEN@", token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_survive_the_guests_shell() {
        let words = ["sh", "-c", "echo \"it's $0\" > /out/x; exit 3"].map(str::to_owned);
        let script = command(&words);
        assert!(script.ends_with("exec 'sh' '-c' 'echo \"it'\\''s $0\" > /out/x; exit 3'\n"), "{script}");
    }

    #[test]
    fn ldd_names_libraries_and_the_loader() {
        let listed = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f)\n\
                      \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(
            libraries(listed),
            [PathBuf::from("/lib/x86_64-linux-gnu/libz.so.1"), PathBuf::from("/lib64/ld-linux-x86-64.so.2")]
        );
        assert!(libraries("\tnot a dynamic executable\n").is_empty());
    }

    #[test]
    fn init_carries_the_token_and_no_placeholder() {
        assert!(init("abc").contains("abc") && !init("abc").contains("@TOKEN@"));
    }
}
