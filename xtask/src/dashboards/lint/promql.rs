//! The words of a PromQL expression. promtool parses every expression; this only knows what is a metric, and which labels it is given.

/// A piece of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A name: of a metric, a function, a label, a keyword.
    Name(String),
    /// A string, a number, a duration, a variable of Grafana.
    Value,
    /// Anything else, character by character.
    Sign(char),
}

/// The pieces.
pub fn tokens(expr: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = expr;
    while let Some(first) = rest.chars().next() {
        let length = if first == '"' {
            tokens.push(Token::Value);
            string(rest)
        } else if first.is_ascii_alphabetic() || matches!(first, '_' | ':') {
            let length = run(rest, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':'));
            tokens.push(Token::Name(rest[..length].to_owned()));
            length
        } else if first.is_ascii_digit() || first == '$' {
            tokens.push(Token::Value);
            1 + run(&rest[1..], |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Sign(first));
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

fn run(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(|c| !wanted(c)).unwrap_or(text.len())
}

/// The length of the string that the text begins with, its quotes included.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A metric in an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Its name.
    pub metric: String,
    /// The labels of its matchers.
    pub labels: Vec<String>,
    /// The function that is applied to it over a range; none where it is not.
    pub over_range: Option<String>,
}

/// What an expression uses: its metrics, and the labels that it groups or matches by.
pub fn used(expr: &str) -> (Vec<Used>, Vec<String>) {
    const GROUPING: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
    const WORDS: [&str; 5] = ["or", "and", "unless", "bool", "offset"];
    let tokens = tokens(expr);
    let (mut metrics, mut grouped) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        let next = tokens.get(at + 1);
        match &tokens[at] {
            Token::Name(name) if GROUPING.contains(&name.as_str()) => {
                let end = at + tokens[at..].iter().position(|token| *token == Token::Sign(')')).unwrap();
                grouped.extend(tokens[at + 1..end].iter().filter_map(|token| match token {
                    Token::Name(label) => Some(label.clone()),
                    _ => None,
                }));
                at = end;
            }
            Token::Name(name) if WORDS.contains(&name.as_str()) => {}
            // A function, or an operator before its grouping.
            Token::Name(_) if next == Some(&Token::Sign('(')) => {}
            Token::Name(name) if matches!(next, Some(Token::Name(next)) if GROUPING.contains(&next.as_str()) && OPERATORS.contains(&name.as_str())) =>
                {}
            Token::Name(name) => {
                let opened = at.checked_sub(1).is_some_and(|before| tokens[before] == Token::Sign('('));
                let before = at.checked_sub(2).filter(|_| opened).map(|before| &tokens[before]);
                let mut labels = Vec::new();
                if next == Some(&Token::Sign('{')) {
                    let end = at + tokens[at..].iter().position(|token| *token == Token::Sign('}')).unwrap();
                    labels.extend(tokens[at + 2..end].iter().filter_map(|token| match token {
                        Token::Name(label) => Some(label.clone()),
                        _ => None,
                    }));
                    at = end;
                }
                let ranged = tokens.get(at + 1) == Some(&Token::Sign('['));
                let over_range = match before {
                    Some(Token::Name(function)) if ranged => Some(function.clone()),
                    _ => ranged.then(String::new),
                };
                metrics.push(Used { metric: name.clone(), labels, over_range });
            }
            _ => {}
        }
        at += 1;
    }
    (metrics, grouped)
}

const OPERATORS: [&str; 6] = ["sum", "count", "max", "min", "topk", "avg"];

#[test]
fn metrics_labels_and_ranges_are_told_apart() {
    let (metrics, grouped) = used(
        r#"sum without (cause) (increase(a_total{b="x{y}\"", c=~"$c"}[$__rate_interval])) > 0 or on (job) d unless e[5m]"#,
    );
    let used = |metric: &str, labels: &[&str], over: Option<&str>| Used {
        metric: metric.to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        over_range: over.map(str::to_owned),
    };
    assert_eq!(
        metrics,
        [used("a_total", &["b", "c"], Some("increase")), used("d", &[], None), used("e", &[], Some(""))]
    );
    assert_eq!(grouped, ["cause", "job"]);
}
