//! What klp-trace wrote as text beside the journal.

use crate::scenario::exchange::TEXT;
use crate::scenario::journal::Journal;
use std::path::Path;

/// Judges it: it names every finding of the journal, and ends with the exit code.
pub fn judge(folder: &Path, exit: i32, journal: &Journal, wrong: &mut Vec<String>) {
    let text = match std::fs::read_to_string(folder.join(TEXT)) {
        Ok(text) => text,
        Err(error) => return wrong.push(format!("its text cannot be read: {error}")),
    };
    let end = format!("exit {exit}: ");
    if !text.lines().last().is_some_and(|line| line.starts_with(&end)) {
        wrong.push(format!("its text does not end with \"{end}\""));
    }
    for id in journal.findings.iter().map(|finding| &finding.id).filter(|id| !text.contains(id.as_str())) {
        wrong.push(format!("its text does not name {id}, which is in its journal"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::journal::Finding;

    #[test]
    fn every_finding_and_the_code_are_awaited() {
        let folder = std::env::temp_dir().join(format!("klp-trace-text-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let finding = Finding { id: "KLP001".to_owned(), text: String::new() };
        let journal = Journal { findings: vec![finding], ..Journal::default() };
        let judged = |text: &str| {
            std::fs::write(folder.join(TEXT), text).unwrap();
            let mut wrong = Vec::new();
            judge(&folder, 1, &journal, &mut wrong);
            wrong.len()
        };
        assert_eq!(judged("KLP001 error\nexit 1: a finding\n"), 0);
        assert_eq!(judged("exit 1: a finding\n"), 1);
        assert_eq!(judged("KLP001 error\nexit 0: clean\n"), 1);
        assert_eq!(judged("KLP001 error\n"), 1);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
