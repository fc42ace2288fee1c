//! A host made of files.

use std::fs;

use super::*;
use crate::check_host::Answer;
use crate::elf::testing::{self, Made};

/// The small livepatch, with nothing wrong in it.
fn patch() -> Vec<u8> {
    let mut sections = testing::sections();
    sections[0].data = vec![0; 64];
    testing::build(sections)
}

fn note(byte: u8) -> Vec<u8> {
    [&[4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0][..], b"GNU\0", &[byte; 20]].concat()
}

fn object() -> Vec<u8> {
    let (table, strings) =
        testing::symbols(&[("", 0, 0), ("secret", 1, 0), ("twice", 1, 4), ("twice", 1, 8)]);
    testing::build(vec![
        testing::section(".text", 1, 6, vec![0x90; 32]),
        testing::section(".modinfo", 1, 2, b"name=tmod\0vermagic=6.1 SMP\0".to_vec()),
        testing::section(".note.gnu.build-id", 7, 2, note(7)),
        Made { link: 5, entsize: 24, ..testing::section(".symtab", 2, 0, table) },
        testing::section(".strtab", 3, 0, strings),
    ])
}

const SYMBOLS: &str = "\
0000000000000000 T printk
0000000000000000 T clear_relocate_add
0000000000000000 r __ksymtab_klp_enable_patch
0000000000000000 r __ksymtab_ordinary
0000000000000000 t secret\t[tmod]
0000000000000000 t twice\t[tmod]
0000000000000000 t twice\t[tmod]
";

/// A question whose answer is no yes.
type Other = (&'static str, Option<String>, Answer);

struct FakeHost {
    root: tempfile::TempDir,
}

impl FakeHost {
    fn new() -> Self {
        let made = Self { root: tempfile::tempdir().unwrap() };
        made.put("proc/modules", b"tmod 16384 0 - Live 0x0000000000000000\n");
        // As a kernel shows it to those who may not see addresses.
        made.put("proc/kallsyms", SYMBOLS.as_bytes());
        made.put("sys/kernel/livepatch/.keep", b"");
        made.put("sys/module/tmod/notes/.note.gnu.build-id", &note(7));
        made.put("lib/modules/6.1/kernel/tmod.ko", &object());
        made
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn take(&self, path: &str) {
        fs::remove_file(self.root.path().join(path)).unwrap();
    }

    /// What is no yes, with the object; the exit code.
    fn asked(&self) -> (Vec<Other>, Exit) {
        let bytes = patch();
        let module = Module::parse(&bytes, Path::new("lp.ko"), false).unwrap();
        let host = Where {
            root: self.root.path().to_owned(),
            release: "6.1".to_owned(),
            machine: "x86_64".to_owned(),
        };
        let list = Objects {
            origin: crate::elf::module::Origin::KlpPatch,
            list: vec![crate::elf::module::PatchedObject {
                name: b"tmod",
                is_kernel: false,
                functions: Vec::new(),
            }],
            incomplete: None,
        };
        let report = ask(&module, Some(&list), &LintArgs::default(), &host).unwrap();
        let other = report.checks.iter().filter(|c| c.answer != Answer::Yes);
        let other = other.map(|c| (c.about, c.object.clone(), c.answer)).collect();
        (other, exit(&report, &LintArgs::default()))
    }
}

#[test]
fn a_host_that_takes_it_needs_no_root() {
    let host = FakeHost::new();
    assert_eq!(host.asked(), (vec![], Exit::Clean));
}

#[test]
fn each_file_is_read_and_its_lack_is_said() {
    let tmod = || Some("tmod".to_owned());
    let host = FakeHost::new();
    host.put("sys/module/tmod/notes/.note.gnu.build-id", &note(8));
    assert_eq!(host.asked(), (vec![("build", tmod(), Answer::Unknown)], Exit::Inconclusive));

    let host = FakeHost::new();
    host.put("proc/kallsyms", SYMBOLS.replace("secret", "other").as_bytes());
    assert_eq!(host.asked(), (vec![("symbols, object first", tmod(), Answer::No)], Exit::Finding));

    let host = FakeHost::new();
    host.put("proc/kallsyms", SYMBOLS.replace("clear_relocate_add", "other").as_bytes());
    assert_eq!(host.asked(), (vec![("next load", tmod(), Answer::Warning)], Exit::Clean));

    let host = FakeHost::new();
    host.take("proc/kallsyms");
    assert_eq!(host.asked().1, Exit::Inconclusive);

    let host = FakeHost::new();
    host.take("lib/modules/6.1/kernel/tmod.ko");
    let lacks = host.asked();
    assert_eq!(lacks.1, Exit::Inconclusive);
    let about: Vec<_> = lacks.0.iter().map(|(about, ..)| *about).collect();
    assert_eq!(about, ["vermagic", "build", "symbols, patch first"]);

    let host = FakeHost::new();
    fs::remove_dir_all(host.root.path().join("sys/kernel/livepatch")).unwrap();
    assert_eq!(host.asked(), (vec![("livepatching", None, Answer::No)], Exit::Precondition));
}
