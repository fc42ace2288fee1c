use super::facts::{BPF_LOOP, HOOKS, Symbols};
use super::unit::Place;
use super::*;
use crate::kernel::capabilities::{Capability, NEEDED};
use crate::kernel::settings::{Lockdown, Settings};
use crate::kernel::tasks::Hindrance;
use crate::output::style::Style;

/// A host where everything is as it should be: 6.12 and newer.
fn fit() -> Facts {
    Facts {
        release: "6.12.107".to_owned(),
        arch: "x86_64".to_owned(),
        settings: Settings {
            lockdown: Lockdown::Off,
            kptr_restrict: Ok(Some(1)),
            ftrace_enabled: Ok(Some(1)),
            perf_event_paranoid: Ok(Some(2)),
            sys_mounted: true,
        },
        livepatch: true,
        livepatch_built: Some(true),
        patches: Ok(1),
        capabilities: NEEDED.map(|c| (c, Ok(true))).into(),
        sys_admin: false,
        tasks: Ok(()),
        stacks: true,
        symbols: Symbols::Shown,
        kernel_log: Ok(()),
        attachment: Attachment::Attached(
            HOOKS
                .iter()
                .map(|(hook, _)| (hook.name(), Ok("fentry")))
                .chain([("module_load", Ok("tracepoint"))])
                .collect(),
        ),
        module_files: Ok(()),
        place: Place::Elsewhere,
        functions: Ok(HOOKS.iter().map(|(hook, _)| hook.name()).chain([BPF_LOOP]).collect()),
    }
}

fn without(name: &str) -> Facts {
    let mut facts = fit();
    if let Attachment::Attached(hooks) = &mut facts.attachment {
        hooks.retain(|(function, _)| *function != name);
    }
    facts.functions = facts.functions.map(|all| all.into_iter().filter(|f| *f != name).collect());
    facts
}

/// The ids of the lacks; each must say what to do, and each check why it matters.
fn lacks(facts: &Facts) -> Vec<String> {
    let report = Report::new(facts);
    for check in &report.checks {
        assert!(!check.found.is_empty() && !check.why.is_empty(), "{check:?}");
        assert!(check.status != Status::Lack || check.remedy.is_some(), "{check:?}");
    }
    let lacks: Vec<String> =
        report.checks.into_iter().filter(|c| c.status == Status::Lack).map(|c| c.id).collect();
    assert_eq!(report.ready, lacks.is_empty());
    lacks
}

#[test]
fn a_fit_host_is_ready_without_a_note() {
    let report = Report::new(&fit());
    assert!(report.ready);
    assert!(report.checks.iter().all(|check| check.status == Status::Ok), "{report:?}");
}

#[test]
fn ids_are_unique() {
    let mut ids: Vec<_> = Report::new(&fit()).checks.into_iter().map(|check| check.id).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn every_check_is_documented() {
    let page = include_str!("../../../../docs/doctor.md");
    for check in Report::new(&fit()).checks {
        let id = if check.id.starts_with("hook-") { "hook-FUNCTION" } else { &check.id };
        assert!(page.contains(&format!("`{id}`")), "{id}");
    }
    assert!(page.contains(SCHEMA));
}

#[test]
fn each_capability_is_a_lack_of_its_own() {
    for (index, (capability, id)) in [
        (Capability::Bpf, "cap-bpf"),
        (Capability::Perfmon, "cap-perfmon"),
        (Capability::Syslog, "cap-syslog"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut facts = fit();
        assert_eq!(facts.capabilities[index].0, capability);
        facts.capabilities[index].1 = Ok(false);
        assert_eq!(lacks(&facts), [id]);
    }
}

#[test]
fn in_a_service_a_lack_names_the_settings_of_the_unit_that_can_be_its_cause() {
    let mut facts = fit();
    facts.symbols = Symbols::Hidden;
    facts.module_files = Err("cannot read it".to_owned());
    let remedy = |facts: &Facts, id: &str| check(facts, id).remedy.unwrap_or_default();
    assert!(!remedy(&facts, "kallsyms").contains("ProtectKernelTunables"));
    facts.place = Place::Service;
    assert!(remedy(&facts, "kallsyms").contains("in this unit it can be ProtectKernelTunables=yes"));
    assert!(remedy(&facts, "module-files").contains("ProtectKernelModules=yes"));
    facts.attachment = Attachment::Refused("EPERM".to_owned());
    assert!(remedy(&facts, "attach").contains("SystemCallFilter="));
    assert_eq!(check(&facts, "kernel-log").remedy, None, "what is as it should be needs none");
}

/// The check of this id.
fn check(facts: &Facts, id: &str) -> Check {
    Report::new(facts).checks.into_iter().find(|check| check.id == id).unwrap()
}

#[test]
fn what_could_not_be_seen_is_never_ok() {
    let unseen = || "cannot read it: Permission denied".to_owned();
    let mut all: Vec<(&str, Facts)> = Vec::new();
    let mut with = |id, change: &dyn Fn(&mut Facts)| {
        let mut facts = fit();
        change(&mut facts);
        all.push((id, facts));
    };
    with("livepatch", &|facts| facts.patches = Err(unseen()));
    with("lockdown", &|facts| facts.settings.lockdown = Lockdown::NotShown(unseen()));
    with("kptr-restrict", &|facts| facts.settings.kptr_restrict = Err(unseen()));
    with("kptr-restrict", &|facts| facts.settings.kptr_restrict = Ok(None));
    with("ftrace-enabled", &|facts| facts.settings.ftrace_enabled = Err(unseen()));
    with("ftrace-enabled", &|facts| facts.settings.ftrace_enabled = Ok(None));
    with("perf-event-paranoid", &|facts| facts.settings.perf_event_paranoid = Err(unseen()));
    with("perf-event-paranoid", &|facts| facts.settings.perf_event_paranoid = Ok(None));
    with("cap-bpf", &|facts| facts.capabilities[0].1 = Err(unseen()));
    with("kallsyms", &|facts| facts.symbols = Symbols::Unreadable(unseen()));
    with("kernel-log", &|facts| facts.kernel_log = Err(unseen()));
    with("module-files", &|facts| facts.module_files = Err(unseen()));
    with("btf", &|facts| facts.functions = Err(unseen()));
    with("bpf-loop", &|facts| facts.functions = Err(unseen()));
    with("clearing", &|facts| facts.functions = Err(unseen()));
    with("attach", &|facts| facts.attachment = Attachment::NotTried("--no-attach"));
    with("tasks", &|facts| facts.stacks = false);
    for hindrance in [Hindrance::Denied, Hindrance::Hidden, Hindrance::Namespace, Hindrance::NoProc] {
        with("tasks", &|facts| facts.tasks = Err(hindrance));
    }
    for (id, facts) in all {
        let check = check(&facts, id);
        assert_ne!(check.status, Status::Ok, "{check:?}");
    }
}

#[test]
fn who_may_not_look_at_tasks_is_told_the_right() {
    let remedy = |facts: &Facts| check(facts, "tasks").remedy.unwrap();
    let denied = Facts { tasks: Err(Hindrance::Denied), ..fit() };
    assert!(remedy(&denied).contains("CAP_DAC_READ_SEARCH") && !remedy(&denied).contains("PTRACE"));
    assert!(lacks(&denied).is_empty(), "watch can do without");
    let hidden = Facts { tasks: Err(Hindrance::Hidden), ..fit() };
    assert!(remedy(&hidden).contains("CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE"));
    assert!(remedy(&Facts { tasks: Err(Hindrance::Namespace), ..fit() }).contains("PID namespace"));
    assert!(remedy(&Facts { stacks: false, ..fit() }).contains("CAP_SYS_ADMIN and CAP_SYS_PTRACE"));
}

#[test]
fn a_kernel_without_lockdown_is_told_from_one_that_does_not_show_it() {
    let mut facts = fit();
    facts.settings.lockdown = Lockdown::Unknown;
    assert_eq!(check(&facts, "lockdown").status, Status::Ok);
    facts.settings.lockdown = Lockdown::NotShown("securityfs is not mounted".to_owned());
    let check = check(&facts, "lockdown");
    assert_eq!(check.status, Status::Note);
    assert!(check.remedy.unwrap().contains("mount -t securityfs"));
}

#[test]
fn settings_that_blind() {
    let mut facts = fit();
    facts.settings.lockdown = Lockdown::Confidentiality;
    assert_eq!(lacks(&facts), ["lockdown"]);
    let mut facts = fit();
    facts.settings.lockdown = Lockdown::Integrity;
    assert!(lacks(&facts).is_empty());
    let mut facts = fit();
    facts.settings.ftrace_enabled = Ok(Some(0));
    assert_eq!(lacks(&facts), ["ftrace-enabled"]);
    let mut facts = Facts { symbols: Symbols::Hidden, ..fit() };
    facts.settings.kptr_restrict = Ok(Some(2));
    assert_eq!(lacks(&facts), ["kptr-restrict", "kallsyms"]);
}

#[test]
fn no_livepatching_is_told_from_no_sysfs() {
    let none =
        Facts { livepatch: false, livepatch_built: Some(false), functions: Ok(vec![BPF_LOOP]), ..fit() };
    let report = Report::new(&none);
    assert!(report.checks[0].found.contains("CONFIG_LIVEPATCH"), "{:?}", report.checks[0]);
    assert_eq!(lacks(&none), ["livepatch"], "the hooks follow from it");
    let mut unmounted = Facts { livepatch: false, ..fit() };
    unmounted.settings.sys_mounted = false;
    assert!(Report::new(&unmounted).checks[0].found.contains("/sys is not mounted"));
    let failed = Facts { livepatch: false, ..fit() };
    assert!(Report::new(&failed).checks[0].found.contains("failed to start"));
}

#[test]
fn hooks_are_mandatory_or_not() {
    assert_eq!(lacks(&without("apply_relocate_add")), ["hook-apply_relocate_add"]);
    assert_eq!(lacks(&without("bpf_loop")), ["bpf-loop"]);
    assert!(lacks(&without("klp_write_object_relocs")).is_empty());
}

#[test]
fn attaching_is_the_proof() {
    let report = Report::new(&fit());
    let found =
        |id: &str| report.checks.iter().find(|check| check.id == id).map(|check| check.found.as_str());
    assert_eq!(found("hook-klp_module_coming"), Some("attached by fentry"));
    assert_eq!(found("hook-module_load"), Some("attached by tracepoint"));
    let refused = Facts { attachment: Attachment::Refused("the verifier refuses".to_owned()), ..fit() };
    assert_eq!(lacks(&refused), ["attach"]);
    let untried = Facts { attachment: Attachment::NotTried("--no-attach"), ..fit() };
    assert!(lacks(&untried).is_empty());
    let mut partly = fit();
    partly.attachment = Attachment::Attached(vec![("klp_force_transition", Err("in use".to_owned()))]);
    let report = Report::new(&partly);
    let check = report.checks.iter().find(|check| check.id == "hook-klp_force_transition").unwrap();
    assert_eq!((check.status, check.found.as_str()), (Status::Note, "cannot be attached: in use"));
}

#[test]
fn paranoia_that_refuses_kprobes_alone_is_a_note_until_they_are_refused() {
    let mut facts = fit();
    facts.settings.perf_event_paranoid = Ok(Some(3));
    assert!(lacks(&facts).is_empty());
    let report = Report::new(&facts);
    let check = report.checks.iter().find(|check| check.id == "perf-event-paranoid").unwrap();
    assert_eq!(check.status, Status::Note);
    assert!(judge(&facts).is_ok());
    facts.attachment = Attachment::Refused("Permission denied".to_owned());
    let report = Report::new(&facts);
    let check = report.checks.iter().find(|check| check.id == "attach").unwrap();
    assert!(check.remedy.as_deref().unwrap().contains("kernel.perf_event_paranoid=2"), "{check:?}");
    facts.sys_admin = true;
    let report = Report::new(&facts);
    assert!(report.checks.iter().all(|check| check.status != Status::Note));
}

#[test]
fn a_kernel_that_never_clears_is_a_note_with_its_consequence() {
    let report = Report::new(&without("clear_relocate_add"));
    let check = report.checks.iter().find(|check| check.id == "clearing").unwrap();
    assert_eq!(check.status, Status::Note);
    assert!(check.why.contains("refused") && report.ready);
}

#[test]
fn without_btf_nothing_is_claimed_about_hooks() {
    let facts = Facts {
        functions: Err("/sys/kernel/btf/vmlinux is not there".to_owned()),
        attachment: Attachment::NotTried("something else is missing"),
        ..fit()
    };
    assert_eq!(lacks(&facts), ["btf"]);
    let report = Report::new(&facts);
    let hooks = report.checks.iter().filter(|check| check.id.starts_with("hook-"));
    assert!(hooks.into_iter().all(|check| check.status == Status::Note));
}

#[test]
fn other_architectures_are_refused_by_name() {
    let facts = Facts { arch: "riscv64".to_owned(), ..fit() };
    assert_eq!(lacks(&facts), ["architecture"]);
}

#[test]
fn text_is_aligned_escaped_and_says_what_to_do() {
    let mut facts = fit();
    facts.release = "6.12\u{1b}[2J".to_owned();
    facts.settings.kptr_restrict = Ok(Some(2));
    let text = text::render(&Report::new(&facts), Style::PLAIN);
    assert!(text.is_ascii() && !text.contains('\u{1b}'), "{text}");
    let is_check = |l: &&str| l.starts_with(['+', 'x', '!']) && !l.contains(" hook-");
    let lines: Vec<&str> = text.lines().filter(is_check).collect();
    let column = lines[0].find("supported").unwrap();
    assert!(lines.iter().all(|l| l.as_bytes()[column - 1] == b' ' && l.as_bytes()[column] != b' '), "{text}");
    assert!(text.contains("x missing  kptr-restrict"), "{text}");
    let end =
        "Not ready: 1 requirement is missing.\n  kptr-restrict:\n      sysctl -w kernel.kptr_restrict=1";
    assert!(text.trim_end().ends_with(end), "{text}");
    assert_eq!(text::render_quietly(&Report::new(&facts), Style::PLAIN).trim_end(), end);
    assert_eq!(text::render_quietly(&Report::new(&fit()), Style::PLAIN), "");
}

#[test]
fn what_follows_from_one_lack_is_told_in_one_line_and_one_remedy_once() {
    let mut facts = fit();
    facts.livepatch = false;
    facts.livepatch_built = Some(false);
    facts.functions = Ok(Vec::new());
    for (_, held) in &mut facts.capabilities {
        *held = Ok(false);
    }
    let text = text::render(&Report::new(&facts), Style::PLAIN);
    assert_eq!(text.matches("not checked: no livepatching").count(), 1, "{text}");
    assert!(text.contains("and so: ") && text.contains("hook-klp_module_going"), "{text}");
    assert_eq!(text.matches("setcap").count(), 1, "{text}");
    let end = text.lines().skip_while(|line| !line.starts_with("Not ready: ")).collect::<Vec<_>>().join("\n");
    assert!(
        end.contains("  livepatch:\n      boot a kernel")
            && end.contains("  cap-bpf, cap-perfmon, cap-syslog:\n      "),
        "{text}"
    );
}

#[test]
fn preflight_names_every_lack_and_the_first_remedy() {
    assert!(judge(&fit()).is_ok());
    let mut facts = Facts { symbols: Symbols::Hidden, ..fit() };
    facts.capabilities[2].1 = Ok(false);
    let failure = judge(&facts).unwrap_err();
    assert_eq!(failure.exit(), Exit::Precondition);
    let text = failure.to_string();
    assert!(text.contains("CAP_SYSLOG is missing; /proc/kallsyms hides its addresses"), "{text}");
    assert!(text.contains("setcap cap_bpf,cap_perfmon,cap_syslog=ep"), "{text}");
    // The kernel's types are not looked at: the probes themselves say what they miss.
    assert!(judge(&Facts { functions: Err("not looked at".to_owned()), ..fit() }).is_ok());
}

#[test]
fn json_has_its_schema_and_the_documented_words() {
    let json = serde_json::to_value(Report::new(&without("clear_relocate_add"))).unwrap();
    assert_eq!(json["schema"], "klp-trace.doctor/1");
    crate::journal::schema::tests::assert_committed("klp-trace.doctor-1.json", &report::schema());
    crate::journal::schema::tests::assert_described(report::schema(), &json);
    let lacking = serde_json::to_value(Report::new(&without("klp_module_coming"))).unwrap();
    crate::journal::schema::tests::assert_described(report::schema(), &lacking);
    assert_eq!(json["ready"], true);
    assert_eq!(json["capabilities"], serde_json::json!(["CAP_BPF", "CAP_PERFMON", "CAP_SYSLOG"]));
    let clearing = json["checks"].as_array().unwrap().iter().find(|c| c["id"] == "clearing").unwrap();
    assert_eq!(clearing["status"], "note");
    assert!(clearing["remedy"].is_string());
    assert!(json["checks"][0].get("remedy").is_none());
}

#[test]
fn a_kernel_log_that_cannot_be_read_is_noted_and_no_lack() {
    let facts = Facts { kernel_log: Err("cannot read /dev/kmsg: EPERM".to_owned()), ..fit() };
    assert_eq!(lacks(&facts), [""; 0]);
    let report = Report::new(&facts);
    let check = report.checks.iter().find(|check| check.id == "kernel-log").unwrap();
    assert_eq!(check.status, Status::Note);
    assert!(check.found.contains("EPERM") && check.remedy.as_ref().unwrap().contains("CAP_SYSLOG"));
}
