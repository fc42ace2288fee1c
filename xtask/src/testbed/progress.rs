//! What is being done and how far it is, for whoever waits.

use std::time::Instant;

/// Numbered steps of a longer piece of work, with the time each took, on standard error.
#[derive(Debug)]
pub struct Steps {
    total: usize,
    begun: usize,
    start: Instant,
}

impl Steps {
    /// `total` steps are to come.
    pub fn new(total: usize) -> Self {
        Self { total, begun: 0, start: Instant::now() }
    }

    /// Announces the next step, runs it, and says how long everything has taken so far.
    pub fn step<T>(&mut self, what: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.begun += 1;
        eprintln!("[{}/{}] {what}", self.begun, self.total);
        let done = work()?;
        eprintln!("[{}/{}] done, {} s so far", self.begun, self.total, self.start.elapsed().as_secs());
        Ok(done)
    }
}

/// One line about something that takes a while.
pub fn note(what: &str) {
    eprintln!("      {what}");
}
