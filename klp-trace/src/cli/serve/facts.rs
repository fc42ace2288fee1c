//! What sysfs says of the loaded livepatches, beside what their relocations are.

use crate::elf::{names, notes};
use crate::kernel::modules::Modules;
use crate::kernel::sysfs::{Patch, Sysfs};
use crate::metrics::{State, label};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// What is remembered from one look at sysfs to the next.
#[derive(Debug)]
pub(super) struct Facts {
    sysfs: Sysfs,
    /// Since when each patch has been seen on its way, and to which state.
    transitions: BTreeMap<Arc<str>, (bool, Instant)>,
    /// Build-ids, by name and the number of the module's folder, which is another one for each load.
    build_ids: BTreeMap<Arc<str>, (Option<u64>, Option<String>)>,
}

impl Facts {
    pub(super) fn new(root: &Path) -> Self {
        Self { sysfs: Sysfs::new(root), transitions: BTreeMap::new(), build_ids: BTreeMap::new() }
    }

    /// Adds to the states whether each patch is enabled, since when it has been in transition, its build-id; and the patches that
    /// have no relocations.
    pub(super) fn add(&mut self, state: &mut State, modules: &Modules) {
        let now = Instant::now();
        for module in modules.livepatches() {
            state.patches.entry(label(&names::display(module.name.as_bytes()))).or_default();
        }
        unread_ones(state);
        // Of what could not be listed nothing is known, and what was known of transitions stands until it can be.
        if let Ok(active) = self.sysfs.patches() {
            self.active(state, &active, now);
        }
        self.build_ids.retain(|name, _| state.patches.contains_key(name));
        for (name, of) in &mut state.patches {
            of.build_id = self.build_id(name);
        }
    }

    /// A loaded patch that is not active is not enabled.
    fn active(&mut self, state: &mut State, active: &[Patch], now: Instant) {
        state.patches.values_mut().for_each(|of| of.enabled = Some(false));
        let mut under_way = BTreeMap::new();
        for patch in active {
            let name = label(&names::display(patch.name.as_bytes()));
            let of = state.patches.entry(Arc::clone(&name)).or_default();
            of.enabled = Some(patch.enabled);
            if patch.transition {
                let since = self.transitions.get(&name).filter(|(enabled, _)| *enabled == patch.enabled);
                let since = since.map_or(now, |(_, since)| *since);
                of.transition = Some(now.duration_since(since));
                under_way.insert(name, (patch.enabled, since));
            }
        }
        self.transitions = under_way;
    }

    /// Whether any patch was in transition at the last look.
    pub(super) fn in_transition(&self) -> bool {
        !self.transitions.is_empty()
    }

    fn build_id(&mut self, name: &Arc<str>) -> Option<String> {
        let load = self.sysfs.load(name);
        if let Some((of, known)) = self.build_ids.get(name)
            && *of == load
        {
            return known.clone();
        }
        let note = self.sysfs.build_id_note(name).ok().flatten();
        let id = note.and_then(|note| notes::build_id(&note).ok().flatten()).map(|id| notes::hex(&id));
        self.build_ids.insert(Arc::clone(name), (load, id.clone()));
        id
    }
}

/// Those that could not be read are loaded, and listed too.
fn unread_ones(state: &mut State) {
    for name in &state.unread {
        state.patches.entry(Arc::clone(name)).or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn seen(facts: &mut Facts, root: &Path) -> State {
        let mut state = State::default();
        facts.add(&mut state, &Modules::read(root).unwrap());
        state
    }

    #[test]
    fn a_patch_is_what_sysfs_says() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(
            &root.join("proc/modules"),
            "lp_a 1 1 - Live 0x0 (OEK)\nlp_b 1 0 - Live 0x0 (OEK)\nother 1 0 - Live 0x0\n",
        );
        let of = root.join("sys/kernel/livepatch/lp_a");
        write(&of.join("enabled"), "1\n");
        write(&of.join("transition"), "1\n");
        let mut facts = Facts::new(root);
        let first = seen(&mut facts, root);
        assert_eq!(first.patches.keys().map(|name| &**name).collect::<Vec<_>>(), ["lp_a", "lp_b"]);
        assert!(first.patches["lp_a"].enabled == Some(true) && first.patches["lp_a"].transition.is_some());
        assert!(first.patches["lp_b"].enabled == Some(false) && first.patches["lp_b"].transition.is_none());
        std::thread::sleep(Duration::from_millis(20));
        let later = seen(&mut facts, root).patches["lp_a"].transition;
        assert!(later >= Some(Duration::from_millis(20)) && facts.in_transition());
        write(&of.join("enabled"), "0\n");
        let reversed = seen(&mut facts, root).patches["lp_a"].transition;
        assert!(reversed < later, "a transition that is reversed begins anew");
        write(&of.join("transition"), "0\n");
        assert_eq!(seen(&mut facts, root).patches["lp_a"].transition, None);
        assert!(!facts.in_transition());
        std::fs::remove_file(of.join("enabled")).unwrap();
        std::fs::create_dir(of.join("enabled")).unwrap();
        let unread = seen(&mut facts, root);
        assert!(unread.patches.values().all(|patch| patch.enabled.is_none()), "sysfs could not be read");
    }
}
