//! What livepatch does, as far as it is needed to foretell every verdict: kernel/livepatch/core.c of 6.1 to 7.3. It
//! follows memory, relocation target by relocation target; what klp-trace makes of that is in the verdicts' names alone.

use std::collections::{BTreeMap, BTreeSet};

use super::{Patch, Stress};
use crate::scenario::format::{Expect, Found, Verdicts};

/// One thing done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act<'a> {
    /// An object is loaded.
    Load(&'a str),
    /// An object is unloaded.
    Unload(&'a str),
    /// The patched function of an object is called.
    Ask(&'a str),
    /// A livepatch is loaded, which enables it.
    Enable(&'a Patch),
    /// A livepatch is disabled.
    Disable(&'a str),
    /// A disabled or replaced livepatch is removed.
    Remove(&'a str),
    /// A livepatch that is in use is to be removed: refused.
    RemoveActive(&'a str),
    /// A livepatch that was disabled or replaced is to be enabled: its folder has gone.
    EnableAgain(&'a str),
    /// A livepatch that is in memory, in use or not, is to be loaded: refused.
    LoadAgain(&'a str),
}

/// What a livepatch's relocations against one object hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Nothing was ever written.
    Pending,
    /// Values of the load of the object that is there.
    Applied,
    /// Values of a load of the object that is over.
    Stale,
    /// Zeros, written over values.
    Cleared,
}

/// Why a livepatch is out of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detached<'a> {
    Disabled,
    ReplacedBy(&'a str),
}

/// A livepatch in memory.
#[derive(Debug, Clone)]
struct Loaded<'a> {
    detached: Option<Detached<'a>>,
    targets: BTreeMap<&'a str, Target>,
}

/// The modules that are there, and what the livepatches among them hold.
#[derive(Debug, Clone)]
pub struct Model<'a> {
    clears: bool,
    /// All livepatches there are.
    patches: &'a [Patch],
    /// The objects that are loaded.
    present: BTreeSet<&'a str>,
    loaded: BTreeMap<&'a str, Loaded<'a>>,
    /// Those in use, in the order in which they were enabled: that of `klp_patches`.
    active: Vec<&'a str>,
}

impl<'a> Model<'a> {
    /// Nothing is loaded. `clears` says whether the kernel clears an object's relocations when it goes.
    pub fn new(stress: &'a Stress, clears: bool) -> Self {
        Self {
            clears,
            patches: &stress.patches,
            present: BTreeSet::new(),
            loaded: BTreeMap::new(),
            active: Vec::new(),
        }
    }

    /// Every object that a livepatch patches.
    pub fn objects(&self) -> BTreeSet<&'a str> {
        self.patches.iter().flat_map(|patch| patch.objects.iter().map(String::as_str)).collect()
    }

    /// Everything that could be done now.
    pub fn possible(&self) -> Vec<Act<'a>> {
        let mut acts = Vec::new();
        for object in self.objects() {
            if self.present.contains(object) {
                acts.extend([Act::Unload(object), Act::Ask(object)]);
            } else {
                acts.push(Act::Load(object));
            }
        }
        for patch in self.patches {
            let name = patch.name.as_str();
            match self.loaded.get(name).map(|loaded| loaded.detached) {
                None => acts.push(Act::Enable(patch)),
                Some(None) => {
                    acts.extend([Act::Disable(name), Act::RemoveActive(name), Act::LoadAgain(name)]);
                }
                Some(Some(_)) => {
                    acts.extend([Act::Remove(name), Act::EnableAgain(name), Act::LoadAgain(name)]);
                }
            }
        }
        acts
    }

    /// What removes the livepatches of which an audit, having no history, cannot say what a trace says: one out of use that
    /// holds values of an earlier load of an object that is there now. Should the object have come to the same address, they
    /// look right.
    pub fn closing(&self) -> Vec<Act<'a>> {
        let deceptive = |loaded: &Loaded| {
            let mut stale = loaded.targets.iter().filter(|(_, target)| **target == Target::Stale);
            loaded.detached.is_some() && stale.any(|(object, _)| self.present.contains(object))
        };
        let mut acts = Vec::new();
        for (name, loaded) in &self.loaded {
            if deceptive(loaded) {
                acts.push(Act::Remove(name));
            }
        }
        acts
    }

    /// Does it; what must come of it.
    pub fn carry_out(&mut self, act: Act<'a>) -> Expect {
        let mut expect = match act {
            Act::Load(object) => self.load(object),
            Act::Unload(object) => self.unload(object),
            Act::Ask(object) => Expect { output: Some(vec![self.answer(object).to_owned()]), ..done() },
            Act::Enable(patch) => self.enable(patch),
            Act::Disable(name) => {
                self.detach(name, Detached::Disabled);
                says(format!("'{name}': unpatching complete"))
            }
            Act::Remove(name) => {
                self.loaded.remove(name);
                done()
            }
            Act::RemoveActive(_) => refused(1, "is in use"),
            // The shell's own code and words.
            Act::EnableAgain(_) => refused(2, "Directory nonexistent"),
            Act::LoadAgain(_) => refused(1, "File exists"),
        };
        expect.verdicts = Some(self.verdicts());
        expect
    }

    /// klp_module_coming: each livepatch in use that lists the object writes its relocations, which fails at the first
    /// target that is not zero. Only kernels that never clear get there.
    fn load(&mut self, object: &'a str) -> Expect {
        let gated: Vec<&'a str> = self.gated(object);
        let refuses = |name: &&&str| self.target(name, object) == Some(Target::Stale);
        if let Some(first) = gated.iter().find(refuses) {
            let text = [
                format!("let {object} load"),
                format!("stale target of patch {first} from the previous load"),
            ];
            return Expect {
                rc: Some(1),
                dmesg: Some(vec![
                    "existing value is nonzero".to_owned(),
                    format!("failed to initialize patch '{first}' for module '{object}' (-8)"),
                    format!("refusing to load module '{object}'"),
                ]),
                findings: Some(
                    [("KLP009".to_owned(), Found { text: text.to_vec(), ..Found::default() })].into(),
                ),
                ..done()
            };
        }
        self.present.insert(object);
        for name in &gated {
            self.set(name, object, Target::Applied);
        }
        let applying = |name: &&str| format!("applying patch '{name}' to loading module '{object}'");
        Expect {
            dmesg: Some(gated.iter().map(applying).collect()),
            dmesg_not: Some(self.untouched(object)),
            ..done()
        }
    }

    /// klp_module_going: livepatches in use are reverted and, where the kernel does that, cleared. What the others hold
    /// stays.
    fn unload(&mut self, object: &'a str) -> Expect {
        self.present.remove(object);
        let gated = self.gated(object);
        let reverting = |name: &&str| format!("reverting patch '{name}' on unloading module '{object}'");
        let mut findings: BTreeMap<String, Found> = BTreeMap::new();
        let clears = self.clears;
        for (name, loaded) in &mut self.loaded {
            let Some(target) = loaded.targets.get_mut(object) else { continue };
            if !matches!(target, Target::Applied | Target::Stale) {
                continue;
            }
            if loaded.detached.is_none() && clears {
                *target = Target::Cleared;
                continue;
            }
            *target = Target::Stale;
            let (id, text, which) = match loaded.detached {
                None => ("KLP001", "will be refused", String::new()),
                Some(Detached::Disabled) => {
                    ("KLP004", "ftrace no longer leads to", ", which was disabled,".into())
                }
                Some(Detached::ReplacedBy(by)) => {
                    ("KLP004", "ftrace no longer leads to", format!(", which was replaced by {by},"))
                }
            };
            let found = findings.entry(id.to_owned()).or_insert_with(|| Found {
                count: 0,
                text: vec![text.to_owned()],
                some: Vec::new(),
            });
            found.count += 1;
            found.some.push(format!("relocations of patch {name}{which} still hold values of {object}"));
        }
        Expect {
            dmesg: Some(gated.iter().map(reverting).collect()),
            dmesg_not: Some(self.untouched(object)),
            findings: Some(findings),
            ..done()
        }
    }

    /// klp_enable_patch: relocations of the objects that are there are written; others of all are in place from now on.
    fn enable(&mut self, patch: &'a Patch) -> Expect {
        let name = patch.name.as_str();
        if patch.replace {
            for other in self.active.clone() {
                self.detach(other, Detached::ReplacedBy(name));
            }
        }
        let held = |object: &'a String| {
            let there = self.present.contains(object.as_str());
            (object.as_str(), if there { Target::Applied } else { Target::Pending })
        };
        let targets = patch.objects.iter().map(held).collect();
        self.loaded.insert(name, Loaded { detached: None, targets });
        self.active.push(name);
        says(format!("'{name}': patching complete"))
    }

    /// klp_free_patch_async: off the list, for good.
    fn detach(&mut self, name: &str, how: Detached<'a>) {
        self.active.retain(|active| *active != name);
        if let Some(loaded) = self.loaded.get_mut(name) {
            loaded.detached = Some(how);
        }
    }

    /// The livepatches in use that list the object, in the kernel's order.
    fn gated(&self, object: &str) -> Vec<&'a str> {
        self.active.iter().copied().filter(|name| self.target(name, object).is_some()).collect()
    }

    /// What the kernel's log must not have: the others are none of livepatch's business.
    fn untouched(&self, object: &str) -> Vec<String> {
        let gated = self.gated(object);
        let others = self.loaded.keys().filter(|name| !gated.contains(name));
        others.map(|name| format!("patch '{name}'")).collect()
    }

    /// Who answers: of the livepatches in use that patch the object, the one that was enabled last.
    fn answer(&self, object: &str) -> &'a str {
        self.gated(object).last().copied().unwrap_or("original")
    }

    fn target(&self, name: &str, object: &str) -> Option<Target> {
        self.loaded.get(name)?.targets.get(object).copied()
    }

    fn set(&mut self, name: &str, object: &'a str, target: Target) {
        if let Some(loaded) = self.loaded.get_mut(name) {
            loaded.targets.insert(object, target);
        }
    }

    /// By `patch>object`, of every livepatch in memory.
    fn verdicts(&self) -> BTreeMap<String, Verdicts> {
        let each = self.loaded.iter().flat_map(|(name, loaded)| {
            let verdict = |target: &Target| {
                match target {
                    Target::Pending => "pending",
                    Target::Applied => "applied",
                    Target::Stale => "stale",
                    Target::Cleared => "cleared",
                }
                .to_owned()
            };
            loaded
                .targets
                .iter()
                .map(move |(object, target)| (format!("{name}>{object}"), Verdicts::All(verdict(target))))
        });
        each.collect()
    }
}

impl Act<'_> {
    /// The command that does it.
    pub fn command(&self) -> String {
        match self {
            Self::Load(name) | Self::LoadAgain(name) => format!("insmod {name}"),
            Self::Enable(patch) => format!("insmod {}", patch.name),
            Self::Unload(name) | Self::Remove(name) | Self::RemoveActive(name) => format!("rmmod {name}"),
            Self::Disable(name) => format!("disable {name}"),
            Self::EnableAgain(name) => format!("echo 1 >/sys/kernel/livepatch/{name}/enabled"),
            Self::Ask(name) => format!("cat /sys/module/{name}/parameters/answer"),
        }
    }
}

/// It succeeds, and nothing is found.
fn done() -> Expect {
    Expect { rc: Some(0), findings: Some(BTreeMap::new()), ..Expect::default() }
}

fn says(line: String) -> Expect {
    Expect { dmesg: Some(vec![line]), ..done() }
}

fn refused(rc: i32, output: &str) -> Expect {
    Expect { rc: Some(rc), output: Some(vec![output.to_owned()]), ..done() }
}
