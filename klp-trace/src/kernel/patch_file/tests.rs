//! Files in folders as distributions, kpatch and users have them.

use std::os::unix::fs::symlink;

use super::*;
use crate::elf::testing::{self, MODINFO, NOTE};

const RELEASE: &str = "6.1.0-x";

/// A root folder with files in it.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn put(&self, path: &str, contents: &[u8]) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(&path, contents).expect("written");
        path
    }

    fn finder(&self, named: &[&str]) -> Finder {
        Finder::new(self.0.path(), RELEASE, named.iter().map(|path| self.path(path)).collect())
    }

    /// Paths found, relative to the root.
    fn found(&self, finder: &Finder, module: &str, id: Option<&[u8]>) -> Vec<(String, BuildIds)> {
        let found = finder.patch(module, id);
        let relative = |path: &Path| path.strip_prefix(self.0.path()).expect("inside").display().to_string();
        found.files.iter().map(|f| (relative(&f.path), f.build_ids)).collect()
    }
}

/// A livepatch of that name, its build-id twenty times `id`; 0: none.
fn livepatch(name: &str, id: u8) -> Vec<u8> {
    let mut sections = testing::sections();
    sections[MODINFO as usize - 1].data = format!("livepatch=Y\0name={name}\0").into_bytes();
    match id {
        0 => sections[NOTE as usize - 1].name = ".note.other".to_owned(),
        id => sections[NOTE as usize - 1].data[16..].fill(id),
    }
    testing::build(sections)
}

fn gzip(data: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(data).expect("memory");
    writer.finish().expect("memory")
}

#[test]
fn every_place_is_searched_and_the_build_id_chooses() {
    let root = Root::new();
    root.put("lib/modules/6.1.0-x/updates/lp-a.ko.gz", &gzip(&livepatch("lp_a", 1)));
    root.put("var/lib/kpatch/6.1.0-x/lp_a.ko", &livepatch("lp_a", 2));
    root.put("usr/lib/kpatch/6.1.0-x/sub/lp-a.ko", &livepatch("lp_a", 0));
    root.put("var/lib/kpatch/6.1.0-x/lp_b.ko", &livepatch("lp_b", 1));
    root.put("var/lib/kpatch/6.1.0-other/lp_a.ko", &livepatch("lp_a", 1));
    root.put("elsewhere/strange.name", &livepatch("lp_a", 3));
    let finder = root.finder(&["elsewhere/strange.name"]);
    let all = root.found(&finder, "lp_a", Some(&[1; 20]));
    assert_eq!(
        all,
        [
            ("lib/modules/6.1.0-x/updates/lp-a.ko.gz".to_owned(), BuildIds::Equal),
            ("usr/lib/kpatch/6.1.0-x/sub/lp-a.ko".to_owned(), BuildIds::FileLacks),
            ("elsewhere/strange.name".to_owned(), BuildIds::Differ),
            ("var/lib/kpatch/6.1.0-x/lp_a.ko".to_owned(), BuildIds::Differ),
        ]
    );
    let first = finder.patch("lp_a", Some(&[3; 20])).best().map(|f| f.path.clone());
    assert_eq!(first, Some(root.path("elsewhere/strange.name")));
    assert!(finder.patch("lp_c", None).files.is_empty());
}

#[test]
fn a_file_that_is_of_another_module_or_unreadable_is_told() {
    let root = Root::new();
    root.put("ko/lp_a.ko", &livepatch("lp_z", 1));
    root.put("ko/sub/lp_a.ko.xz", b"\xfd7zXZ\0 damaged");
    let found = root.finder(&["ko", "missing.ko"]).patch("lp_a", None);
    assert!(found.best().is_none());
    let why: Vec<_> = found.rejected.iter().map(|r| r.why.as_str()).collect();
    assert_eq!(why.len(), 3, "{why:?}");
    assert!(why.iter().any(|w| w.contains("No such file")), "{why:?}");
    assert!(why.contains(&"it is the file of module lp_z"), "{why:?}");
    assert!(why.iter().any(|w| w.contains("xz data does not decompress")), "{why:?}");
}

#[test]
fn the_index_is_used_first_and_may_be_old() {
    let root = Root::new();
    root.put("lib/modules/6.1.0-x/a/lp-a.ko", &livepatch("lp_a", 1));
    root.put("lib/modules/6.1.0-x/b/lp_a.ko", &livepatch("lp_a", 2));
    root.put("lib/modules/6.1.0-x/modules.dep", b"a/lp-a.ko: b/other.ko\ngone/lp_a.ko:\nb/x.ko:\n");
    let finder = root.finder(&[]);
    assert_eq!(root.found(&finder, "lp_a", Some(&[1; 20])).len(), 1, "the index answered");
    let both = root.found(&finder, "lp_a", Some(&[2; 20]));
    assert_eq!(both.len(), 2, "the index did not");
    assert_eq!(both[0], ("lib/modules/6.1.0-x/b/lp_a.ko".to_owned(), BuildIds::Equal));
    assert_eq!(root.found(&finder, "lp_a", None).len(), 2, "without a build-id all are shown");
}

#[test]
fn loops_and_links() {
    let root = Root::new();
    let real = root.put("store/lp_a.ko", &livepatch("lp_a", 1));
    let modules = root.path("lib/modules/6.1.0-x");
    fs::create_dir_all(modules.join("weak-updates")).expect("folders");
    symlink(&real, modules.join("weak-updates/lp_a.ko")).expect("a link");
    symlink(&modules, modules.join("build")).expect("a loop");
    symlink("lp_a.ko", modules.join("lp_a.ko")).expect("a link to itself");
    fs::create_dir_all(modules.join("sub/lp_a.ko")).expect("a folder of that name");
    // /lib and /usr/lib are the same on most systems.
    fs::create_dir_all(root.path("usr")).expect("usr");
    symlink(root.path("lib"), root.path("usr/lib")).expect("a link");
    let found = root.found(&root.finder(&[]), "lp_a", Some(&[1; 20]));
    assert_eq!(found, [("lib/modules/6.1.0-x/weak-updates/lp_a.ko".to_owned(), BuildIds::Equal)]);
}

#[test]
fn folders_that_go_too_deep_are_told() {
    let root = Root::new();
    let deep = "d/".repeat(40);
    root.put(&format!("ko/{deep}lp_a.ko"), &livepatch("lp_a", 1));
    let found = root.finder(&["ko"]).patch("lp_a", None);
    assert!(found.files.is_empty());
    assert!(found.rejected.iter().any(|r| r.why.contains("too deep")), "{:?}", found.rejected);
}

#[test]
fn a_release_cannot_lead_out_of_its_folder() {
    let root = Root::new();
    root.put("lib/modules/lp_a.ko", &livepatch("lp_a", 1));
    root.put("lib/lp_a.ko", &livepatch("lp_a", 1));
    for release in ["", ".", "..", "../x", "a/b"] {
        let finder = Finder::new(root.0.path(), release, Vec::new());
        assert!(finder.patch("lp_a", None).files.is_empty(), "{release}");
    }
}

#[test]
fn objects_are_found_the_same_way() {
    let root = Root::new();
    let (table, strings) = testing::symbols(&[("", 0, 0), ("secret", 1, 16)]);
    let module = testing::build(vec![
        testing::section(".text", 1, 6, vec![0; 32]),
        testing::section(".modinfo", 1, 2, b"name=t_mod\0".to_vec()),
        testing::Made { link: 4, entsize: 24, ..testing::section(".symtab", 2, 0, table) },
        testing::section(".strtab", 3, 0, strings),
    ]);
    root.put("usr/lib/modules/6.1.0-x/kernel/t-mod.ko.gz", &gzip(&module));
    let found = root.finder(&[]).object("t_mod", None, &BTreeSet::from(["secret".to_owned()]));
    let best = found.best().expect("found");
    assert_eq!(best.build_ids, BuildIds::NeitherHas);
    assert_eq!(best.file.occurrences("secret").len(), 1);
}

#[test]
fn a_folder_that_was_named_is_searched_for_what_the_files_hold() {
    let root = Root::new();
    root.put("ko/lp.ko", &livepatch("livepatch_two", 7));
    root.put("ko/other.ko", &livepatch("lp_other", 7));
    root.put("ko/damaged.ko", b"\x7fELF");
    let finder = root.finder(&["ko"]);
    assert_eq!(
        root.found(&finder, "livepatch_two", Some(&[7; 20])),
        [("ko/lp.ko".to_owned(), BuildIds::Equal)]
    );
    // One that is called so and is another build does not hide it.
    root.put("ko/livepatch-two.ko", &livepatch("livepatch_two", 8));
    let all = root.found(&finder, "livepatch_two", Some(&[7; 20]));
    assert_eq!(all[0], ("ko/lp.ko".to_owned(), BuildIds::Equal));
    assert_eq!(all.len(), 2);
    let found = finder.patch("livepatch_three", None);
    assert!(found.files.is_empty() && found.rejected.is_empty(), "what is of others is no news: {found:?}");
}

#[test]
fn folders_with_very_many_files_are_told() {
    let root = Root::new();
    for n in 0..=ANY {
        root.put(&format!("ko/lp{n}.ko"), b"");
    }
    let found = root.finder(&["ko"]).patch("lp_x", None);
    assert!(found.rejected.iter().any(|r| r.why.contains("more than 256 module files")), "{found:?}");
}

#[test]
fn what_is_built_in_is_listed() {
    let root = Root::new();
    root.put("lib/modules/6.1.0-x/modules.builtin", b"kernel/net/unix/unix.ko\nkernel/fs/x-y.ko\n");
    let finder = root.finder(&["nowhere"]);
    let list = Some(root.path("lib/modules/6.1.0-x/modules.builtin"));
    assert_eq!(finder.built_in("unix"), list);
    assert_eq!(finder.built_in("x_y"), list);
    assert_eq!(finder.built_in("unix2"), None);
    assert_eq!(finder.built_in(""), None);
}
