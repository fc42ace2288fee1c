//! What is in a policy, in one line.

use super::Policy;
use jiff::civil::Date;

impl Policy {
    /// Its parts by number, and what ends when: `2 allowances (next expiry 2027-06-30), 1 denial`. `today` is UTC's.
    pub fn summary(&self, today: Date) -> String {
        let ends = || self.allow.iter().filter_map(|allow| allow.expires).map(|day| day.0);
        let expired = ends().filter(|last| *last < today).count();
        let next = ends().filter(|last| *last >= today).min();
        let remarks = [
            (expired > 0).then(|| format!("{expired} expired")),
            next.map(|next| format!("next expiry {next}")),
        ];
        let remarks = remarks.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let mut parts = Vec::new();
        let mut part = |number: usize, one: &str, many: &str| match number {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            _ => parts.push(format!("{number} {many}")),
        };
        part(self.allow.len(), "allowance", "allowances");
        part(self.deny.len(), "denial", "denials");
        part(self.patch.len(), "demand on a patch", "demands on patches");
        part(self.object.len(), "demand on an object", "demands on objects");
        part(self.count.len(), "demand on counts", "demands on counts");
        part(self.order.len(), "demand on order", "demands on order");
        if let (Some(first), false) =
            (parts.first_mut().filter(|_| !self.allow.is_empty()), remarks.is_empty())
        {
            *first = format!("{first} ({remarks})");
        }
        if self.limits != super::Limits::default() {
            parts.push("limits".to_owned());
        }
        if let Some(fail_on) = self.findings.fail_on {
            parts.push(format!("fails on {fail_on} and worse"));
        }
        if self.findings.fail_on_open {
            parts.push("fails on findings that hold at the end alone".to_owned());
        }
        if parts.is_empty() {
            parts.push("no demands beyond the defaults".to_owned());
        }
        let damaged =
            if self.source.is_some() { "; made of a damaged journal: inconclusive at best" } else { "" };
        format!("{}{damaged}", parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_summed_up() {
        let today = jiff::civil::date(2026, 11, 28);
        let said = |text: &str| Policy::parse(text).unwrap().summary(today);
        assert_eq!(said(""), "no demands beyond the defaults");
        let allow = |expires: &str| format!("[[allow]]\nid = \"KLP012\"\nreason = \"r\"\n{expires}\n");
        let two =
            allow("expires = 2027-06-30") + &allow("expires = 2028-01-01") + "[[deny]]\nid = \"KLP006\"\n";
        assert_eq!(said(&two), "2 allowances (next expiry 2027-06-30), 1 denial");
        let last_day = allow("expires = 2026-11-28") + &allow("expires = 2026-11-27");
        assert_eq!(said(&last_day), "2 allowances (1 expired, next expiry 2026-11-28)");
        assert_eq!(said(&allow("")), "1 allowance");
        let rest =
            "order = [\"object o: coming, apply\"]\n[findings]\nfail-on = \"warning\"\n[limits]\nloss = 1\n";
        assert_eq!(said(rest), "1 demand on order, limits, fails on warning and worse");
        assert!(said("[source]\ndamaged = \"x\"").contains("inconclusive at best"));
    }
}
