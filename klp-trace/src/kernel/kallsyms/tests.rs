use super::scan::BUFFER;
use super::*;

const LIVE: &str = "\
0000000000000000 A fixed_percpu_data
ffffffff81000000 T _stext
ffffffff81000100 t dup
ffffffff81000200 t other
ffffffff81000300 t dup
ffffffff82000000 D klp_transition_patch
ffffffffc0266000 t dup\t[tmod]
ffffffffc0266010 d __this_module\t[tmod]
ffffffffc0266020 t dup\t[tmod]
ffffffffc0266008 t dup\t[tmod]
ffffffffc0802010 ? .klp.sym.tmod.tmod_secret,0\t[lp1]
0000000000000000 U dup\t[lp1]
ffffffffc0802020 t dup\t[lp1]
ffffffffc0900000 t bpf_prog_1\t[bpf]
";

fn query(wanted: &[(&str, &str)]) -> Query {
    let mut query = Query::new();
    for (object, name) in wanted {
        query.want(object, name);
    }
    query
}

fn read(query: Query, text: &[u8]) -> Symbols {
    query.read_from(text).expect("readable").expect("not hidden")
}

#[test]
fn modules_keep_symbol_table_order_and_vmlinux_is_by_address() {
    let swapped = LIVE.replace("ffffffff81000100 t dup", "ffffffff81000400 t dup");
    let found = read(query(&[("vmlinux", "dup"), ("tmod", "dup")]), swapped.as_bytes());
    assert_eq!(found.addresses("vmlinux", "dup"), [0xffff_ffff_8100_0300, 0xffff_ffff_8100_0400]);
    assert_eq!(
        found.addresses("tmod", "dup"),
        [0xffff_ffff_c026_6000, 0xffff_ffff_c026_6020, 0xffff_ffff_c026_6008]
    );
}

#[test]
fn an_object_that_is_there_differs_from_a_symbol_that_is_there() {
    let found = read(query(&[("tmod", "nonsense"), ("gone", "dup")]), LIVE.as_bytes());
    assert!(found.present("tmod") && found.addresses("tmod", "nonsense").is_empty());
    assert!(!found.present("gone") && found.addresses("gone", "dup").is_empty());
    assert!(!found.present("lp1"), "not asked for");
}

#[test]
fn freed_init_functions_that_ftrace_remembers_are_no_symbols() {
    // As 6.1 shows them, twice even.
    let remembered = LIVE.replace(
        "ffffffffc0900000 t bpf_prog_1",
        "ffffffffc0300000 T dup\t[tmod]\nffffffffc0300000 T dup\t[tmod]\nffffffffc0900000 t bpf_prog_1",
    );
    let found = read(query(&[("tmod", "dup"), ("lp1", "dup")]), remembered.as_bytes());
    assert_eq!(found.addresses("tmod", "dup").len(), 3);
    assert_eq!(found.addresses("lp1", "dup").len(), 1);
    assert!(found.present("tmod"));
}

#[test]
fn single_symbols_and_struct_module() {
    let mut wanted = query(&[("vmlinux", "klp_transition_patch"), ("vmlinux", "dup")]);
    wanted.want_module("tmod");
    let found = read(wanted, LIVE.as_bytes());
    assert_eq!(found.single("vmlinux", "klp_transition_patch"), Some(0xffff_ffff_8200_0000));
    assert_eq!(found.single("vmlinux", "dup"), None, "two of them");
    assert_eq!(found.this_module("tmod"), Some(0xffff_ffff_c026_6010));
}

#[test]
fn undefined_symbols_are_not_counted() {
    let found = read(query(&[("lp1", "dup"), ("lp1", ".klp.sym.tmod.tmod_secret,0")]), LIVE.as_bytes());
    assert_eq!(found.addresses("lp1", "dup"), [0xffff_ffff_c080_2020]);
    assert_eq!(found.single("lp1", ".klp.sym.tmod.tmod_secret,0"), Some(0xffff_ffff_c080_2010));
}

#[test]
fn all_zeros_are_hidden_and_a_missing_file_is_not() {
    let zeroed: Vec<_> =
        LIVE.lines().filter_map(|l| l.get(16..)).map(|l| ["0000000000000000", l].concat()).collect();
    let zeros = zeroed.join("\n");
    assert!(query(&[("tmod", "dup")]).read_from(zeros.as_bytes()).unwrap().is_none());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kallsyms");
    std::fs::write(&path, &zeros).unwrap();
    assert!(matches!(query(&[("tmod", "dup")]).read_file(&path), Err(KallsymsError::Hidden { .. })));
    assert!(matches!(check(&path), Err(KallsymsError::Hidden { .. })));
    std::fs::write(&path, LIVE).unwrap();
    assert!(check(&path).is_ok());
    assert!(matches!(query(&[]).read_file(&dir.path().join("none")), Err(KallsymsError::Io { .. })));
}

#[test]
fn odd_names_are_bytes_and_odd_lines_are_passed_over() {
    let mut text = b"ffffffff81000000 T a\n\nshort\nzzzzzzzzzzzzzzzz t bad\n".to_vec();
    text.extend_from_slice(
        b"ffffffffc0000001 t \xff\x1b [x]\t[m\xfe]\nffffffffc0000002 t ]\nffffffff81000003 t bad",
    );
    let mut wanted = query(&[("vmlinux", "bad")]);
    wanted.want(b"m\xfe", b"\xff\x1b [x]");
    let found = read(wanted, &text);
    assert_eq!(found.addresses(b"m\xfe", b"\xff\x1b [x]"), [0xffff_ffff_c000_0001]);
    assert_eq!(
        found.addresses("vmlinux", "bad"),
        [0xffff_ffff_8100_0003],
        "and a last line needs no newline"
    );
}

/// Hands out a few bytes at a time.
struct Dribble<'a>(&'a [u8], usize);
impl Read for Dribble<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(out.len()).min(self.0.len());
        let (now, later) = self.0.split_at(count);
        out[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

#[test]
fn lines_may_be_torn_anywhere_by_the_reads() {
    let whole = read(query(&[("tmod", "dup"), ("vmlinux", "dup")]), LIVE.as_bytes());
    for step in 1..64 {
        let torn = query(&[("tmod", "dup"), ("vmlinux", "dup")])
            .read_from(Dribble(LIVE.as_bytes(), step))
            .unwrap()
            .unwrap();
        for object in ["tmod", "vmlinux"] {
            assert_eq!(torn.addresses(object, "dup"), whole.addresses(object, "dup"), "step {step}");
        }
    }
}

#[test]
fn a_read_beside_a_change_is_done_again() {
    let symbols = || read(query(&[("tmod", "dup")]), LIVE.as_bytes());
    let mut reads = 0;
    // Changes during the first read, then rests.
    let mut states = [1, 2, 2, 2].into_iter();
    let settled = query(&[]).read_settled(
        |_, _| {
            reads += 1;
            Ok(symbols())
        },
        || states.next(),
    );
    assert!(settled.is_ok());
    assert_eq!(reads, 2);
    let mut state = 0;
    let restless = query(&[]).read_settled(
        |_, _| Ok(symbols()),
        || {
            state += 1;
            Some(state)
        },
    );
    assert!(matches!(restless, Err(KallsymsError::Unsettled)));
}

#[test]
fn a_change_during_the_lines_of_vmlinux_does_no_harm() {
    let modules_at = LIVE.find("ffffffffc0266000").unwrap() as u64;
    for (step, at, taken) in [
        (16, 0, true),
        (16, modules_at - 64, true),
        // The place has moved towards the modules' lines: too late to look.
        (LIVE.len(), modules_at, false),
    ] {
        let state = std::cell::Cell::new(1);
        let mut reads = 0;
        let read = |query, near: &mut dyn FnMut()| {
            reads += 1;
            // A module comes when the first read has begun.
            state.set(2);
            let mut scan = Scan::new(query);
            scan.near = Some((at, near));
            scan.run(Dribble(LIVE.as_bytes(), step)).unwrap();
            assert!(scan.before_modules.is_some_and(|before| before <= modules_at + 20), "{step}");
            Ok(scan.finish())
        };
        let found = query(&[("tmod", "dup")]).read_settled(read, || Some(state.get()));
        assert_eq!(found.unwrap().addresses("tmod", "dup").len(), 3);
        assert_eq!(reads == 1, taken, "{step} {at}");
    }
}

#[test]
fn vmlinux_is_leapt_over_only_where_nothing_of_it_is_wanted() {
    let modules: Vec<&str> = LIVE.lines().filter(|line| line.contains('\t')).collect();
    // Tabs in names, modules between, a first line with a tab: nothing is lost, nothing read twice.
    let last = "ffffffffc0266008 t dup\t[tmod]\n";
    let more = format!("{last}ffffffffc0a00000 t a\tb\tc\t[tmod]\nffffffff81000500 t dup\n{}\n", modules[0]);
    let odd = format!("{}\n{}", modules[0], LIVE.replace(last, &more));
    let mut wanted = query(&[("tmod", "dup"), ("tmod", "a\tb\tc")]);
    let lean = read(wanted.clone(), odd.as_bytes());
    wanted.want("vmlinux", "dup");
    let full = read(wanted, odd.as_bytes());
    assert_eq!(lean.addresses("tmod", "dup").len(), 5);
    assert_eq!(lean.addresses("tmod", "dup"), full.addresses("tmod", "dup"));
    assert_eq!(lean.single("tmod", "a\tb\tc"), Some(0xffff_ffff_c0a0_0000));
    assert_eq!(full.addresses("vmlinux", "dup").len(), 3);
}

#[test]
fn the_check_stops_at_the_first_address() {
    /// Fails when asked for more than the first line.
    struct Once(bool);
    impl Read for Once {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let line = b"ffffffff81000000 T _stext\n";
            assert!(!std::mem::replace(&mut self.0, true), "read on");
            out[..line.len()].copy_from_slice(line);
            Ok(line.len())
        }
    }
    assert!(Query::any_address(Once(false)).unwrap());
}

#[test]
fn a_line_without_end_is_refused_not_swallowed() {
    let endless = vec![b'a'; BUFFER + 1];
    assert_eq!(query(&[]).read_from(&endless[..]).unwrap_err().kind(), io::ErrorKind::InvalidData);
}
