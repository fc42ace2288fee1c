//! Names of branches that stay when rows move.

use crate::journal::PatchRef;
use crate::tui::picture::{Picture, Place};
use std::sync::Arc;

/// Which load of a patch.
pub type PatchKey = (u64, u32);

/// A branch of the tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Node {
    /// Everything.
    #[default]
    Host,
    /// A patch.
    Patch(PatchKey),
    /// An object of a patch.
    Object(PatchKey, Arc<str>),
    /// A section of an object.
    Section(PatchKey, Arc<str>, u32),
}

/// The key of a patch.
pub fn key(patch: &PatchRef) -> PatchKey {
    (patch.address.0, patch.load)
}

impl Node {
    /// The node of a section.
    pub fn section(picture: &Picture, place: Place) -> Option<Self> {
        let (patch, object, section) = picture.at(place)?;
        Some(Self::Section(key(&patch.r), Arc::clone(&object.name), section.r.index))
    }

    /// The node above.
    #[must_use]
    pub fn parent(&self) -> Self {
        match self {
            Self::Host | Self::Patch(_) => Self::Host,
            Self::Object(patch, _) => Self::Patch(*patch),
            Self::Section(patch, object, _) => Self::Object(*patch, Arc::clone(object)),
        }
    }

    /// Whether a section is this node, or below it.
    pub fn holds(&self, section: &Self) -> bool {
        let Self::Section(patch, object, _) = section else { return false };
        match self {
            Self::Host => true,
            Self::Patch(own) => own == patch,
            Self::Object(own, name) => own == patch && name == object,
            Self::Section(..) => self == section,
        }
    }
}
