//! One patch of one object, with answers and ends that agree or do not.

use super::*;

fn case() -> Case {
    Case { name: "lp".to_owned(), gates: vec!["tmod".to_owned()], ..Case::default() }
}

fn seen(order: Order, answer: &str, about: &str, works: bool) -> Seen {
    let check = serde_json::json!({ "about": about, "answer": answer, "what": "the reason" });
    Seen {
        case: "lp".to_owned(),
        order: Some(order),
        with: true,
        report: serde_json::json!({ "answer": answer, "checks": [check] }).to_string(),
        inserted: true,
        patched: [("tmod".to_owned(), works)].into(),
        ..Seen::default()
    }
}

/// With the same answer in both orders, how many complaints there are.
fn judged(answer: &str, about: &str, works: (bool, bool), table: &str) -> Vec<String> {
    let both =
        [seen(Order::ObjectFirst, answer, about, works.0), seen(Order::PatchFirst, answer, about, works.1)];
    judge(&[case()], &both, &toml::from_str(table).unwrap(), "7").0
}

#[test]
fn agreement_is_asked_for_both_ways() {
    for (answer, works, right) in [
        ("yes", (true, true), true),
        ("warning", (true, true), true),
        ("yes", (true, false), false),
        ("warning", (false, true), false),
        ("no", (false, true), true),
        ("no", (false, false), true),
        ("no", (true, true), false),
    ] {
        assert_eq!(judged(answer, "file", works, "").is_empty(), right, "{answer} {works:?}");
    }
    // What was said of one order must be so of that order.
    assert!(judged("no", "symbols, patch first", (true, false), "").is_empty());
    assert!(!judged("no", "symbols, patch first", (false, true), "").is_empty());
}

#[test]
fn what_is_unknown_is_in_the_table_and_the_table_holds_nothing_else() {
    let row = |case: &str, series: &str, reason: &str| {
        format!("[[unknown]]\ncase = '{case}'\nseries = ['{series}']\nreason = '{reason}'\nwhy = 'x'\n")
    };
    let with = |table: &str| judged("unknown", "file", (true, true), table);
    assert!(with(&row("lp", "7", "the reason")).is_empty());
    for other in [
        String::new(),
        row("lp", "7", "another"),
        row("lp", "6.1", "the reason"),
        row("lp2", "7", "the reason"),
    ] {
        assert!(!with(&other).is_empty(), "{other}");
    }
    let over = judged("yes", "file", (true, true), &row("lp", "7", "the reason"));
    assert!(over[0].contains("unknown no more"), "{over:?}");
    assert!(judged("yes", "file", (true, true), &row("lp", "6.1", "the reason")).is_empty());
}

#[test]
fn each_way_of_not_being_in_use_counts() {
    let table: Table = toml::from_str(
        "[proof.lp]\nread = '/proc/x'\nhas = 'lp'\nhas_not = 'null'\n[spared.lp]\nwhy = 'it would oops'\n",
    )
    .unwrap();
    let good = Seen { proof: Some("lp 1".to_owned()), ..seen(Order::ObjectFirst, "yes", "file", true) };
    assert_eq!(fault(&case(), &good, &table), None);
    let refused = vec![("lp.ko".to_owned(), "no".to_owned())];
    for bad in [
        Seen { inserted: false, ..good.clone() },
        Seen { refused, ..good.clone() },
        Seen { patched: [("tmod".to_owned(), false)].into(), ..good.clone() },
        Seen { patched: [("other".to_owned(), true)].into(), ..good.clone() },
        Seen { patched: BTreeMap::new(), ..good.clone() },
        Seen { proof: Some("lp null".to_owned()), ..good.clone() },
        Seen { proof: None, ..good.clone() },
    ] {
        assert!(fault(&case(), &bad, &table).is_some(), "{bad:?}");
    }
}

#[test]
fn a_round_that_was_not_run_is_told() {
    let only = [seen(Order::ObjectFirst, "yes", "file", true)];
    assert!(!judge(&[case()], &only, &Table::default(), "7").0.is_empty());
}
