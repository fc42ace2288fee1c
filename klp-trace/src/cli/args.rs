//! Options that mean the same on every command, and the values they take.

use std::path::PathBuf;
use std::time::Duration;

use super::exit::Exit;
use super::failure::Failure;
use crate::model::Severity;
use crate::output::filter::Filter;
use crate::output::style::{ColorWhen, Style};

/// How text looks.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct LookArgs {
    /// When to colour text
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, hide_possible_values = true)]
    #[arg(help = "When to colour text: auto (a terminal, and NO_COLOR not set), always, never")]
    pub color: ColorWhen,

    /// Draw with ASCII characters only; so it is without a UTF-8 locale, and with TERM=dumb
    #[arg(long)]
    pub ascii: bool,
}

/// How text looks, and how much of it there is.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TextArgs {
    /// How text looks
    #[command(flatten)]
    pub look: LookArgs,

    /// Break lines at this many cells instead of the terminal's width (20 to 1000)
    ///
    /// What goes to a pipe or a file is not broken unless this is given.
    #[arg(long, value_name = "CELLS", value_parser = clap::value_parser!(u16).range(20..=1000))]
    pub width: Option<u16>,

    /// Text: only what is wrong or cannot be told; nothing when all is well
    ///
    /// The exit code says the rest. Other formats are always whole.
    #[arg(short, long)]
    pub quiet: bool,
}

impl TextArgs {
    /// The style for where the text goes.
    pub fn style(&self, output: &OutputArgs) -> Style {
        let LookArgs { color, ascii } = self.look;
        let style = match &output.output {
            Some(path) if path.as_os_str() != "-" => Style::for_file(color, ascii),
            _ => Style::for_stdout(color, ascii),
        };
        style.with_width(self.width)
    }
}

/// Where the result goes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct OutputArgs {
    /// Write to FILE instead of standard output; an existing file is replaced
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Whether addresses are shown.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct RedactArgs {
    /// Show no address of this boot: all are moved to where they would be without KASLR
    ///
    /// For what leaves the host: kernel addresses defeat KASLR. Verdicts are the same, and symbols are where System.map
    /// has them. docs/journal.md says what stays visible.
    #[arg(long)]
    pub redact_addresses: bool,
}

/// What is shown.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct FilterArgs {
    /// Show only what matches, such as 'patch=lp* verdict=stale,mismatch'
    ///
    /// Terms are separated by spaces and must all match; a comma separates alternatives, `*` stands for anything,
    /// `!=` excludes. The filter limits what is shown, never what is judged nor the exit code.
    #[arg(long, value_name = "EXPR")]
    pub filter: Option<String>,
}

impl FilterArgs {
    /// The filter. A journal is kept whole: one would make it useless as evidence.
    pub fn filter(&self, of_a_journal: bool) -> Result<Filter, Failure> {
        let Some(text) = &self.filter else { return Ok(Filter::default()) };
        if of_a_journal {
            let what = anyhow::anyhow!("--filter limits what is shown, and a journal is kept whole");
            return Err(Failure::new(Exit::Usage, what)
                .hint("filter when you read it: klp-trace watch --from JOURNAL --filter EXPR"));
        }
        text.parse().map_err(|error| Failure::new(Exit::Usage, anyhow::Error::new(error).context("--filter")))
    }
}

/// From which severity on a finding makes the exit code 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum FailOn {
    /// Any finding
    Info,
    /// Warnings and errors
    Warning,
    /// Errors only
    #[default]
    Error,
}

/// Which findings of a session make the exit code 1.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct FailArgs {
    /// Exit with 1 when there is a finding of this severity or worse: info, warning, error
    #[arg(long, value_name = "SEVERITY", value_enum, default_value_t, hide_possible_values = true)]
    pub fail_on: FailOn,

    /// Exit with 1 only for findings that still hold at the end: not for those that are over by then
    #[arg(long)]
    pub fail_on_open: bool,
}

impl From<FailOn> for Severity {
    fn from(fail_on: FailOn) -> Self {
        match fail_on {
            FailOn::Info => Self::Info,
            FailOn::Warning => Self::Warning,
            FailOn::Error => Self::Error,
        }
    }
}

impl From<Severity> for FailOn {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Warning => Self::Warning,
            Severity::Error => Self::Error,
        }
    }
}

/// Parses a length of time: a whole number and `ms`, `s`, `m` or `h`; without a unit, seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split_unit(text);
    let millis = match unit {
        "ms" => 1,
        "s" | "" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(format!("unknown unit '{unit}': use ms, s, m or h, as in 30s")),
    };
    match number.parse::<u64>().ok().and_then(|n| n.checked_mul(millis)) {
        Some(0) => Err("must be greater than zero".to_owned()),
        Some(total) => Ok(Duration::from_millis(total)),
        None => Err("not a whole number with a unit, such as 500ms, 10s, 2m or 1h".to_owned()),
    }
}

/// The smallest ring buffer that the kernel accepts: one page.
pub const RING_MIN: u32 = 4096;

/// The largest ring buffer on offer, in bytes.
pub const RING_MAX: u32 = 1 << 30;

/// Parses the size of the ring buffer, in bytes or with `k` or `M` (powers of 1024). The kernel wants a power of two
/// of at least a page (kernel/bpf/ringbuf.c, `ringbuf_map_alloc`).
pub fn ring_size(text: &str) -> Result<u32, String> {
    let (number, unit) = split_unit(text);
    let scale = match unit {
        "" => 1,
        "k" | "K" => 1024,
        "m" | "M" => 1024 * 1024,
        "g" | "G" => 1024 * 1024 * 1024,
        _ => return Err(format!("unknown unit '{unit}': use k or M, as in 4M")),
    };
    number
        .parse::<u32>()
        .ok()
        .and_then(|n| n.checked_mul(scale))
        .filter(|size| size.is_power_of_two() && (RING_MIN..=RING_MAX).contains(size))
        .ok_or_else(|| "must be a power of two from 4k to 1024M".to_owned())
}

/// Parses a size of files, in bytes or with `k`, `M` or `G` (powers of 1024); at least 4k.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split_unit(text);
    let scale = match unit {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return Err(format!("unknown unit '{unit}': use k, M or G, as in 64M")),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|n| n.checked_mul(scale))
        .filter(|size| *size >= 4096)
        .ok_or_else(|| "must be a whole number of at least 4k, such as 64M".to_owned())
}

fn split_unit(text: &str) -> (&str, &str) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(digits).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("10"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(duration("1h"), Ok(Duration::from_hours(1)));
        for wrong in
            ["", "s", "-1s", "1.5s", "10x", "0s", "99999999999999999999h", "18446744073709551615h", "1 s"]
        {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("64M"), Ok(64 << 20));
        assert_eq!(size("3G"), Ok(3 << 30));
        for wrong in ["", "0", "4095", "1.5M", "-1M", "64x", "M", "99999999999999999999G"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ring_sizes() {
        assert_eq!(ring_size("4k"), Ok(4096));
        assert_eq!(ring_size("4096"), Ok(4096));
        assert_eq!(ring_size("16M"), Ok(16 << 20));
        assert_eq!(ring_size("1G"), Ok(1 << 30));
        for wrong in ["", "0", "2048", "3M", "2G", "8G", "4x", "k", "5000", "4kB"] {
            assert!(ring_size(wrong).is_err(), "{wrong}");
        }
    }
}
