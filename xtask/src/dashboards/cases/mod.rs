//! What the rules are tested with: hosts in each state, and exactly the alerts that fire then.

mod host;
mod matrix;
mod promtool;
mod states;
mod witness;

use host::Host;

pub use promtool::document;

/// An alert as somebody reads it: its labels beside `alertname` and `severity`, and its description.
#[derive(Debug, Clone)]
struct Says {
    alert: &'static str,
    at: u32,
    labels: Vec<(&'static str, String)>,
    description: String,
}

/// What is recorded of a host: its instance, state and rank.
type Recorded = (&'static str, &'static str, i32);

/// One test.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is tested.
    pub name: String,
    series: Vec<(String, String)>,
    /// At which minute which alerts fire, and no other.
    fires: Vec<(u32, Vec<&'static str>)>,
    says: Vec<Says>,
    /// At which minute what is recorded of each host.
    worst: Vec<(u32, Vec<Recorded>)>,
    /// Whether it goes on for hours: the rules are evaluated each 10 minutes then, not each minute.
    hours: bool,
}

impl Case {
    fn new(name: impl Into<String>, hosts: impl IntoIterator<Item = Host>) -> Self {
        let series = hosts.into_iter().flat_map(Host::series).collect();
        Self {
            name: name.into(),
            series,
            fires: Vec::new(),
            says: Vec::new(),
            worst: Vec::new(),
            hours: false,
        }
    }

    /// It goes on for hours.
    fn hours(mut self) -> Self {
        self.hours = true;
        self
    }

    /// These fire at this minute, and no other.
    fn fires(mut self, at: u32, alerts: &[&'static str]) -> Self {
        self.fires.push((at, alerts.to_vec()));
        self
    }

    /// This one fires at this minute, with these labels and words.
    fn says(
        mut self,
        at: u32,
        alert: &'static str,
        labels: &[(&'static str, &str)],
        description: &str,
    ) -> Self {
        let labels = labels.iter().map(|(label, value)| (*label, (*value).to_owned())).collect();
        self.says.push(Says { alert, at, labels, description: description.to_owned() });
        self
    }

    fn worst(mut self, at: u32, states: &[Recorded]) -> Self {
        self.worst.push((at, states.to_vec()));
        self
    }
}

#[cfg(test)]
impl Case {
    /// Whether it fires here at some time.
    pub fn has(&self, alert: &str) -> bool {
        self.fires.iter().any(|(_, alerts)| alerts.contains(&alert))
    }

    /// Whether its words are compared here.
    pub fn reads(&self, alert: &str) -> bool {
        self.says.iter().any(|says| says.alert == alert)
    }

    /// Whether it does not fire here yet, and then does.
    pub fn waits(&self, alert: &str) -> bool {
        let first = self.fires.iter().position(|(_, alerts)| alerts.contains(&alert));
        first.is_some_and(|first| first > 0)
    }
}

/// A file of cases.
pub struct File {
    /// Its name.
    pub name: &'static str,
    /// Its cases.
    pub cases: Vec<Case>,
    /// How many minutes lie between two evaluations.
    pub every: u32,
}

/// All of them.
pub fn files() -> Vec<File> {
    let all = [
        ("verdicts.yml", matrix::cases()),
        ("livepatches.yml", states::cases()),
        ("klp-trace.yml", witness::cases()),
    ];
    let mut files = Vec::new();
    let mut hours = Vec::new();
    for (name, cases) in all {
        let (slow, quick): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.hours);
        hours.extend(slow);
        files.push(File { name, cases: quick, every: 1 });
    }
    files.push(File { name: "hours.yml", cases: hours, every: 10 });
    files
}
