//! In which order things must happen: `object nfsd: coming, apply, going, clear, coming, apply`.

use serde::Deserialize;
use std::fmt;
use std::sync::Arc;

/// Who a story is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A patched module, or vmlinux.
    Object(Arc<str>),
    /// A livepatch.
    Patch(Arc<str>),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(name) => write!(f, "object {name}"),
            Self::Patch(name) => write!(f, "patch {name}"),
        }
    }
}

macro_rules! steps {
    ($($(#[$doc:meta])* $step:ident = $word:literal of $kind:ident,)*) => {
        /// A step of a story.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Step { $($(#[$doc])* $step,)* }

        impl Step {
            /// Every step.
            pub const ALL: &'static [Self] = &[$(Self::$step,)*];

            /// Its word in policies.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$step => $word,)* }
            }

            pub(super) const fn is_of_object(self) -> bool {
                match self { $(Self::$step => steps!(@ $kind),)* }
            }
        }
    };
    (@ object) => { true };
    (@ patch) => { false };
}

steps! {
    /// klp_module_coming was entered: the object is being loaded.
    Coming = "coming" of object,
    /// The kernel wrote a section that is gated on the object.
    Apply = "apply" of object,
    /// The kernel refused to write a section.
    ApplyFailed = "apply-failed" of object,
    /// Livepatch refused to let the object load.
    Refused = "refused" of object,
    /// klp_module_going was entered: the object is being unloaded.
    Going = "going" of object,
    /// The kernel cleared a section.
    Clear = "clear" of object,
    /// The patch's module was loaded.
    Loaded = "loaded" of patch,
    /// A transition towards the patched state began.
    Patching = "patching" of patch,
    /// A transition towards the unpatched state began.
    Unpatching = "unpatching" of patch,
    /// A transition was completed.
    Complete = "complete" of patch,
    /// A transition was forced.
    Forced = "forced" of patch,
    /// The patch was disabled or replaced and has left livepatch's list.
    Detached = "detached" of patch,
    /// The patch's module was unloaded.
    Unloaded = "unloaded" of patch,
}

/// One part of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Step(Step),
    /// `...`: any number of steps, none too.
    Any,
}

/// A demand on the order of a story. The whole story must be as written; `...` stands for any steps.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Order {
    /// Whose story.
    pub subject: Subject,
    parts: Vec<Part>,
}

impl Order {
    /// Whether a story is as the order says. Takes time in proportion to the product of the two lengths at most.
    pub fn matches(&self, story: &[Step]) -> bool {
        // The places in the order that the story read so far may have led to.
        let mut at: Vec<bool> = vec![false; self.parts.len() + 1];
        let skip = |at: &mut Vec<bool>| {
            for (place, part) in self.parts.iter().enumerate() {
                if *part == Part::Any
                    && at.get(place) == Some(&true)
                    && let Some(next) = at.get_mut(place + 1)
                {
                    *next = true;
                }
            }
        };
        if let Some(first) = at.first_mut() {
            *first = true;
        }
        skip(&mut at);
        for step in story {
            let mut next = vec![false; at.len()];
            for (place, part) in
                self.parts.iter().enumerate().filter(|(place, _)| at.get(*place) == Some(&true))
            {
                let to = match part {
                    Part::Any => place,
                    Part::Step(wanted) if wanted == step => place + 1,
                    Part::Step(_) => continue,
                };
                if let Some(to) = next.get_mut(to) {
                    *to = true;
                }
            }
            at = next;
            skip(&mut at);
        }
        at.last() == Some(&true)
    }

    /// The order as it is written in a policy, without its subject.
    pub fn steps(&self) -> String {
        let words = self.parts.iter().map(|part| match part {
            Part::Step(step) => step.word(),
            Part::Any => "...",
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

/// A story in the words of policies.
pub(super) fn told(story: &[Step]) -> String {
    if story.is_empty() {
        return "nothing".to_owned();
    }
    story.iter().map(|step| step.word()).collect::<Vec<_>>().join(", ")
}

impl TryFrom<String> for Order {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let form =
            || format!("\"{text}\" is no order: write it as \"object nfsd: coming, apply, ..., going\"");
        let (subject, steps) = text.split_once(':').ok_or_else(form)?;
        let mut words = subject.split_whitespace();
        let (Some(kind), Some(name), None) = (words.next(), words.next(), words.next()) else {
            return Err(form());
        };
        let subject = match kind {
            "object" => Subject::Object(name.into()),
            "patch" => Subject::Patch(name.into()),
            _ => {
                return Err(format!(
                    "\"{kind}\" has no story: an order is about an \"object\" or a \"patch\""
                ));
            }
        };
        let of_object = matches!(subject, Subject::Object(_));
        let step = |word: &str| {
            if word == "..." {
                return Ok(Part::Any);
            }
            let words =
                || Step::ALL.iter().filter(|step| step.is_of_object() == of_object).map(|step| step.word());
            Step::ALL
                .iter()
                .find(|step| step.word() == word && step.is_of_object() == of_object)
                .map(|step| Part::Step(*step))
                .ok_or_else(|| {
                    let all: Vec<_> = words().collect();
                    format!(
                        "\"{word}\" is no step of {} {kind}{}; the steps are {} and \"...\"",
                        if of_object { "an" } else { "a" },
                        super::file::meant(word, words()),
                        all.join(", ")
                    )
                })
        };
        let parts = steps.split(',').map(|word| step(word.trim())).collect::<Result<_, _>>()?;
        Ok(Self { subject, parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn order(text: &str) -> Order {
        Order::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn the_whole_story_must_be_as_written() {
        let reload = order("object nfsd: coming, apply, going, clear, coming, apply");
        let (c, a, g, z) = (Step::Coming, Step::Apply, Step::Going, Step::Clear);
        assert!(reload.matches(&[c, a, g, z, c, a]));
        assert!(!reload.matches(&[c, a, g, c, a]), "never cleared");
        assert!(!reload.matches(&[c, a, g, z, c, a, g]), "went once more");
        assert!(order("object nfsd: ..., coming, apply").matches(&[c, a, g, z, c, a]));
        assert!(order("object nfsd: ...").matches(&[]));
        assert!(!order("object nfsd: coming").matches(&[]));
        assert_eq!(reload.subject.to_string(), "object nfsd");
        assert_eq!(reload.steps(), "coming, apply, going, clear, coming, apply");
    }

    #[test]
    fn what_is_no_order_says_why() {
        let why = |text: &str| Order::try_from(text.to_owned()).unwrap_err();
        assert!(why("coming, apply").contains("write it as"));
        assert!(why("object a b: coming").contains("write it as"));
        assert!(why("module nfsd: coming").contains("\"object\" or a \"patch\""));
        let typo = why("object nfsd: comming");
        assert!(typo.contains("did you mean coming"), "{typo}");
        let other = why("patch lp: coming");
        assert!(other.contains("no step of a patch") && other.contains("patching"), "{other}");
        assert!(why("object nfsd: coming,,apply").contains("no step"));
    }

    /// The plainest model of what an order means: try every way to cut the story.
    fn model(parts: &[Part], story: &[Step]) -> bool {
        match parts.split_first() {
            None => story.is_empty(),
            Some((Part::Any, rest)) => (0..=story.len()).any(|skipped| model(rest, &story[skipped..])),
            Some((Part::Step(wanted), rest)) => {
                story.split_first().is_some_and(|(step, story)| step == wanted && model(rest, story))
            }
        }
    }

    fn any_step() -> impl Strategy<Value = Step> {
        // Few words, so that orders and stories meet.
        prop::sample::select(vec![Step::Coming, Step::Apply, Step::Going])
    }

    fn any_part() -> impl Strategy<Value = Part> {
        prop_oneof![3 => any_step().prop_map(Part::Step), 2 => Just(Part::Any)]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

        #[test]
        fn as_the_model_says(
            parts in prop::collection::vec(any_part(), 0..7),
            story in prop::collection::vec(any_step(), 0..9),
        ) {
            let order = Order { subject: Subject::Object("o".into()), parts: parts.clone() };
            prop_assert_eq!(order.matches(&story), model(&parts, &story));
        }

        /// A story made from the order itself is always met.
        #[test]
        fn a_story_made_for_it_is_met(
            parts in prop::collection::vec((any_part(), prop::collection::vec(any_step(), 0..3)), 0..7),
        ) {
            let story: Vec<Step> = parts.iter().flat_map(|(part, filling)| match part {
                Part::Step(step) => vec![*step],
                Part::Any => filling.clone(),
            }).collect();
            let parts = parts.into_iter().map(|(part, _)| part).collect();
            let order = Order { subject: Subject::Object("o".into()), parts };
            prop_assert!(order.matches(&story));
        }
    }
}
