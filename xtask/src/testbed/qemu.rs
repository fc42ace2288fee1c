//! One run of QEMU: its command line, its console, its end.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::Boot;
use super::console::{self, Sign};

/// Init's first line comes after 3 to 12 seconds on an idle machine; without it by then, it never will.
const START_LIMIT: Duration = Duration::from_secs(150);

/// The processor of every guest: all that TCG has, without cmpxchg16b. QEMU 7.2 (Debian 12) delivers an interrupt right after
/// that instruction with garbage in EFLAGS: a double fault of the guest's kernel, mostly on a busy machine.
pub const CPU: &str = "max,-cx16";

/// How long a guest may go on after the kernel's complaint, so that the trace is in the log.
const GRACE: Duration = Duration::from_secs(15);

/// What one run of QEMU showed.
#[derive(Debug, Default)]
pub struct Run {
    /// Init's first line came.
    pub started: bool,
    /// Init's last line, with the exit code.
    pub exit: Option<i32>,
    /// The worst complaint of the kernel and its line.
    pub complaint: Option<(Sign, String)>,
    /// Lines of kernel warnings.
    pub warnings: Vec<String>,
    /// It was killed because time was up.
    pub timed_out: bool,
}

/// Runs the guest once, until it ends or its time is up.
pub fn run(boot: &Boot, token: &str, initramfs: &Path, disk: &Path, log: &Path) -> anyhow::Result<Run> {
    let mut child = command(boot, initramfs, disk).spawn().context("cannot start qemu-system-x86_64")?;
    let output = child.stdout.take().context("QEMU has no standard output")?;
    let file = File::options().create(true).append(true).open(log);
    let mut log = BufWriter::new(file.with_context(|| format!("cannot write {}", log.display()))?);
    let (send, lines) = mpsc::channel();
    let echo = boot.echo;
    let reader = thread::spawn(move || {
        let mut output = output;
        let mut line = Vec::new();
        let mut bytes = [0; 4096];
        // A closed standard output of ours must not stop the guest: its verdict still counts.
        while let Ok(count @ 1..) = output.read(&mut bytes) {
            let chunk = bytes.get(..count).unwrap_or_default();
            let _ = log.write_all(chunk);
            if echo {
                let mut out = std::io::stdout().lock();
                let _ = out.write_all(chunk).and_then(|()| out.flush());
            }
            for byte in chunk {
                line.push(*byte);
                if *byte == b'\n' {
                    let _ = send.send(String::from_utf8_lossy(&line).trim_end().to_owned());
                    line.clear();
                }
            }
        }
        let _ = send.send(String::from_utf8_lossy(&line).into_owned());
        let _ = log.flush();
    });
    let run = watch(boot, token, &lines, &mut child);
    // Killing one that has ended already is no harm; not reaping it would be.
    let _ = child.kill();
    let ended = child.wait().context("cannot wait for QEMU");
    let _ = reader.join();
    ended.map(|_| run)
}

fn watch(boot: &Boot, token: &str, lines: &Receiver<String>, child: &mut Child) -> Run {
    let mut run = Run::default();
    let begun = Instant::now();
    let mut deadline = begun + START_LIMIT.min(boot.timeout);
    loop {
        let now = Instant::now();
        if now >= deadline {
            run.timed_out = true;
            let _ = child.kill();
            return run;
        }
        match lines.recv_timeout(deadline - now) {
            Err(RecvTimeoutError::Disconnected) => return run,
            Err(RecvTimeoutError::Timeout) => {}
            Ok(line) => match console::read(&line, token) {
                None => {}
                Some(Sign::Started) => {
                    run.started = true;
                    deadline = begun + boot.timeout;
                }
                Some(Sign::Exit(code)) => {
                    run.exit = Some(code);
                    // Everything is on the disk; what remains is the reset.
                    deadline = deadline.min(Instant::now() + GRACE);
                }
                Some(Sign::Warning) => run.warnings.push(line),
                Some(complaint) => {
                    let limit = Instant::now() + GRACE;
                    if complaint != Sign::SoftLockup {
                        deadline = deadline.min(limit);
                    }
                    note(&mut run, complaint, line);
                }
            },
        }
    }
}

/// The first complaint is the cause and stays, unless a panic follows: that is how it ended.
fn note(run: &mut Run, complaint: Sign, line: String) {
    let worse = complaint == Sign::Panic && !matches!(run.complaint, Some((Sign::Panic, _)));
    if run.complaint.is_none() || worse {
        run.complaint = Some((complaint, line));
    }
}

fn command(boot: &Boot, initramfs: &Path, disk: &Path) -> Command {
    let interactive = boot.command.is_empty();
    // no_timer_check: the IO-APIC timer test is a matter of luck under emulation, and its failure panics.
    // watchdog_thresh: a lockup is one after a minute; after the usual 20 seconds it may be this machine's load.
    let append =
        format!("console=ttyS0 quiet loglevel=5 panic=-1 no_timer_check watchdog_thresh=30 {}", boot.append);
    // thread=single: where each processor has a thread of its own, one may still run the int3 by which the kernel changes
    // another's code (text_poke_bp) when the kernel no longer expects it, and that is an oops.
    // setpriv: however this process ends, the guest does not outlive it.
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--", "qemu-system-x86_64"])
        .args(["-accel", "tcg,thread=single", "-cpu", boot.cpu, "-no-reboot"])
        .args(boot.icount.then_some(["-icount", "shift=0,sleep=off"]).into_iter().flatten())
        .args(["-nodefaults", "-no-user-config", "-display", "none"])
        .args(["-m", &format!("{}M", boot.memory_mib), "-smp", &boot.smp.to_string()])
        .args(["-serial", if interactive { "mon:stdio" } else { "stdio" }])
        .arg("-kernel")
        .arg(&boot.kernel.image)
        .arg("-initrd")
        .arg(initramfs)
        .args(["-append", append.trim_end()])
        .arg("-drive")
        // In this option a comma ends a value, unless it is doubled.
        .arg(format!(
            "file={},if=none,id=out,format=raw,cache=unsafe",
            disk.display().to_string().replace(',', ",,")
        ))
        .args(["-device", "virtio-blk-pci,drive=out"])
        .stdin(if interactive { Stdio::inherit() } else { Stdio::null() })
        .stdout(Stdio::piped());
    command
}
