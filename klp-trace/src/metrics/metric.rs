//! The closed list of metrics.

/// Whether a metric only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A state, as it is now.
    Gauge,
    /// A count since the start of the process.
    Counter,
}

impl Kind {
    /// Its word in the text format.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

macro_rules! labels {
    ($($(#[doc = $doc:literal])* $id:ident = $name:literal: $values:literal,)*) => {
        /// The labels there are. Each has a closed set of values, or one bounded by what is loaded.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Label { $($(#[doc = $doc])* $id,)* }

        impl Label {
            /// Every label.
            pub const ALL: &'static [Self] = &[$(Self::$id,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$id => $name,)* }
            }

            /// What its values are.
            pub const fn values(self) -> &'static str {
                match self { $(Self::$id => $values,)* }
            }
        }
    };
}

labels! {
    /// A kernel's architecture.
    Arch = "arch": "uname's machine",
    /// What a patch's module was built as.
    BuildId = "build_id": "the loaded module's build-id in hex, as /sys/module/PATCH/notes has it; empty where it has none",
    /// How records came to be lost.
    Cause = "cause": "`ring-full`, `recursion`, `missed-exit`, `map-full`, `calls-full`, `helper-refused`, `blind-window`, `ftrace-disabled`, `incomplete`",
    /// An HTTP answer's status.
    Code = "code": "`200`, `4xx`, `5xx`",
    /// The witness of what a patch asks for.
    Elf = "elf": "`file`: the .ko, which agrees with the kernel; `memory`: the kernel's own copy, a weaker witness; `differs`: the .ko is not what was loaded, and no verdict rests on it; `none`: the patch has no livepatch relocations, or they could not be read",
    /// A finding's id.
    Finding = "finding": "`KLP001` and so on: docs/findings has a page for each",
    /// A place in the kernel that is watched.
    Hook = "hook": "the kernel's own name of the function or tracepoint",
    /// How a hook is attached.
    Mechanism = "mechanism": "`fentry`, `kprobe`, `tracepoint`; `none`: it is not",
    /// The object that gates relocations.
    Object = "object": "a module's name, or `vmlinux`; at most 64 a patch",
    /// A livepatch.
    Patch = "patch": "the livepatch module's name; at most 16",
    /// A kernel's release.
    Release = "release": "uname's release",
    /// What klp-trace was built from.
    Revision = "revision": "what `klp-trace --version` names as its commit",
    /// What is said of a relocation.
    Verdict = "verdict": "verified: `applied`, `cleared`, `pending`; wrong: `missing`, `orphaned`, `stale`, `mismatch`; cannot tell: `unknown`",
    /// A version of klp-trace.
    Version = "version": "its version",
}

macro_rules! metrics {
    ($($(#[doc = $doc:literal])* $id:ident = $name:literal $kind:ident [$($label:ident),*] $help:literal, $nonzero:literal;)*) => {
        /// The metrics there are. The exposition, METRICS.md, rules and dashboards take names, types and labels from here.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Metric { $($(#[doc = $doc])* $id,)* }

        impl Metric {
            /// Every metric.
            pub const ALL: &'static [Self] = &[$(Self::$id,)*];

            /// Its whole name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$id => $name,)* }
            }

            /// Gauge or counter.
            pub const fn kind(self) -> Kind {
                match self { $(Self::$id => Kind::$kind,)* }
            }

            /// Its labels, in the order of a sample's values.
            pub const fn labels(self) -> &'static [Label] {
                match self { $(Self::$id => &[$(Label::$label),*],)* }
            }

            /// One sentence: the text format's HELP.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$id => $help,)* }
            }

            /// What it takes to be more than 0, or to be there.
            pub const fn nonzero(self) -> &'static str {
                match self { $(Self::$id => $nonzero,)* }
            }
        }
    };
}

metrics! {
    /// The tool.
    BuildInfo = "klp_trace_build_info" Gauge [Version, Revision]
        "The klp-trace that answers; always 1.", "always";
    /// The kernel.
    KernelInfo = "klp_trace_kernel_info" Gauge [Release, Arch]
        "The kernel that is watched; always 1.", "always";
    /// Whether it clears.
    KernelClears = "klp_trace_kernel_clears" Gauge []
        "Whether this kernel clears relocations when their object goes; a stale one refuses the object's next load where it does not.",
        "it has the clear: from 6.3 on, and not on every architecture; absent before the probes are attached";
    /// Whether the states are those of now.
    Up = "klp_trace_up" Gauge []
        "Whether the hooks are attached, fire, and all that is known has been read; at 0 the states below are absent.",
        "nothing has broken off; at 0 `/healthz` says why";
    /// Relocations by verdict.
    Relocations = "klp_trace_relocations" Gauge [Verdict]
        "Livepatch relocations of the loaded patches by verdict; their sum is all there are.",
        "a livepatch with relocations is loaded; absent while `klp_trace_up` is 0";
    /// Bad ones of an object.
    ObjectRelocationsBad = "klp_trace_object_relocations_bad" Gauge [Patch, Object]
        "Relocations that are mismatch, stale, missing or orphaned; 0 when each was verified, absent when none is known to be bad and some are unknown.",
        "a relocation gated on the object is not what it should be";
    /// Unknown ones of an object.
    ObjectRelocationsUnknown = "klp_trace_object_relocations_unknown" Gauge [Patch, Object]
        "Relocations of which nothing can be told.",
        "records were lost, a symbol or a file was not found, or a section could not be read";
    /// A patch.
    PatchInfo = "klp_trace_patch_info" Gauge [Patch, BuildId, Elf]
        "A loaded livepatch, and the witness that its verdicts rest on; always 1.", "a livepatch is loaded";
    /// Whether it is in use.
    PatchEnabled = "klp_trace_patch_enabled" Gauge [Patch]
        "Whether a loaded livepatch is enabled, as sysfs says.",
        "it is enabled; 0: it was disabled or replaced, or is being disabled, and is still loaded; absent: sysfs could not be read";
    /// How much there is to check.
    PatchRelocations = "klp_trace_patch_relocations" Gauge [Patch]
        "Livepatch relocations of a patch; 0: there is nothing to check, absent: they could not be read.",
        "the patch has `.klp.rela.*` sections";
    /// Patches that cannot be judged.
    PatchesUnread = "klp_trace_patches_unread" Gauge []
        "Loaded livepatches whose sections could not be read: nothing is known of their relocations.",
        "the kernel refused the read";
    /// A transition.
    PatchTransitionSeconds = "klp_trace_patch_transition_seconds" Gauge [Patch]
        "How long a patch has been seen in transition; 0: it is in none.",
        "tasks are being moved to or from the patch; absent: sysfs could not be read";
    /// Findings that hold.
    Findings = "klp_trace_findings" Gauge [Finding]
        "Findings that hold now.", "a finding was made, and nothing has ended it: its page says what does; absent while `klp_trace_up` is 0";
    /// Findings made.
    FindingsTotal = "klp_trace_findings_total" Counter [Finding]
        "Findings made since the start of the process.", "a finding was made";
    /// The hooks.
    HookInfo = "klp_trace_hook_info" Gauge [Hook, Mechanism]
        "A hook, and how it is attached; always 1.", "the probes are attached";
    /// Records.
    RecordsTotal = "klp_trace_records_total" Counter []
        "Records taken from the ring buffer.", "a module was loaded or unloaded, or sections were read";
    /// Losses.
    EventsLostTotal = "klp_trace_events_lost_total" Counter [Cause]
        "Records known to be lost; a loss that cannot be counted adds 1. Everything is read again after each.",
        "the buffer ran full, or the kernel did not run a program";
    /// The ring.
    RingBytes = "klp_trace_ring_bytes" Gauge []
        "Size of the ring buffer in bytes.", "the probes are attached";
    /// The last full look.
    LastLookTimestampSeconds = "klp_trace_last_look_timestamp_seconds" Gauge []
        "When the last full look ended, in seconds since 1970; absent before the first.", "a full look has ended";
    /// The last record.
    LastRecordTimestampSeconds = "klp_trace_last_record_timestamp_seconds" Gauge []
        "When the last record was taken from the ring buffer, in seconds since 1970; absent before the first.", "a record was taken";
    /// Between looks.
    LookIntervalSeconds = "klp_trace_look_interval_seconds" Gauge []
        "How often everything is read again.", "always";
    /// How long a look takes.
    LookDurationSeconds = "klp_trace_look_duration_seconds" Gauge []
        "How long the last full look took; absent before the first.", "a full look has ended";
    /// Whether evidence is kept.
    JournalWritable = "klp_trace_journal_writable" Gauge []
        "Whether the journal is being written; absent where none is kept.", "no write has failed since the journal was opened";
    /// How much there is.
    JournalBytes = "klp_trace_journal_bytes" Gauge []
        "What the journal's files take, in bytes.", "records were written";
    /// How far back it reaches.
    JournalOldestTimestampSeconds = "klp_trace_journal_oldest_timestamp_seconds" Gauge []
        "When the oldest of the journal's files was written to last, in seconds since 1970.", "a file is there";
    /// The last record's number.
    JournalSeq = "klp_trace_journal_seq" Gauge []
        "The number of the session's last record.", "records were written";
    /// Records written.
    JournalRecordsTotal = "klp_trace_journal_records_total" Counter []
        "Records written to the journal since the start of the process.", "records were written";
    /// Failures.
    JournalWriteErrorsTotal = "klp_trace_journal_write_errors_total" Counter []
        "Times that the journal could not be opened or written.", "the disk is full, or the folder is not writable";
    /// What is missing.
    JournalRecordsUnwrittenTotal = "klp_trace_journal_records_unwritten_total" Counter []
        "Events that the journal lacks, since it could not be written.", "something happened while the journal was not writable";
    /// Deleted files.
    JournalFilesDeletedTotal = "klp_trace_journal_files_deleted_total" Counter []
        "Files of the journal that were deleted to keep its size.", "the journal reached `rotate-keep`";
    /// Requests.
    HttpRequestsTotal = "klp_trace_http_requests_total" Counter [Code]
        "Requests answered over HTTP; those whose head was refused are not among them.", "somebody asked";
    /// What the caps cut.
    SeriesOmitted = "klp_trace_series_omitted" Gauge []
        "Series of patches and objects that are not listed, the worst ones being kept; no total lacks them.",
        "more than 16 patches, 64 objects of one, or 96 objects in all have relocations";
    /// The process.
    ProcessCpuSecondsTotal = "process_cpu_seconds_total" Counter []
        "Time that the process was run, in seconds.", "always";
    /// Its memory.
    ProcessResidentMemoryBytes = "process_resident_memory_bytes" Gauge []
        "Resident memory of the process in bytes.", "always";
    /// Its start.
    ProcessStartTimeSeconds = "process_start_time_seconds" Gauge []
        "When the process was started, in seconds since 1970.", "always";
    /// Its files.
    ProcessOpenFds = "process_open_fds" Gauge []
        "Open file descriptors of the process.", "always";
    /// Its limit of files.
    ProcessMaxFds = "process_max_fds" Gauge []
        "How many file descriptors the process may open.", "always";
    /// Its threads.
    ProcessThreads = "process_threads" Gauge []
        "Threads of the process.", "always";
}
