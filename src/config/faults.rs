//! Which keys are given wrongly, so that nothing is concluded from the values that stand in for them.

use std::collections::BTreeMap;

use super::key::{Key, Origin};

/// The keys, and groups of keys, that some layer gives wrongly, each with the topmost layer that does.
#[derive(Debug, Clone, Default)]
pub(super) struct Faults {
    wrong: BTreeMap<Key, Origin>,
    /// A file could not be read, so any key may be in it.
    pub(super) is_unread: bool,
}

impl Faults {
    pub(super) fn note(&mut self, key: Key, origin: &Origin) {
        let known = self.wrong.entry(key).or_insert_with(|| origin.clone());
        if origin.rank() > known.rank() {
            *known = origin.clone();
        }
    }

    /// Takes over those of a layer.
    pub(super) fn extend(&mut self, other: Self) {
        self.is_unread |= other.is_unread;
        for (key, origin) in other.wrong {
            self.note(key, &origin);
        }
    }

    /// Whether nothing was wrong with the key, nor with a group that it is in.
    pub(super) fn is_sound(&self, key: &Key) -> bool {
        self.around(key).next().is_none()
    }

    /// Whether nothing was wrong with anything at or below `group`, nor with a group that it is in.
    pub(super) fn is_sound_within(&self, group: &Key) -> bool {
        // What is below it follows it in the order of keys.
        let mut following = self.wrong.range(group.clone()..);
        self.is_sound(group) && following.next().is_none_or(|(key, _)| !key.is_within(group))
    }

    /// A layer above that of a value that gives the key, too, though wrongly.
    pub(super) fn above<'a>(&'a self, key: &'a Key, origin: &Origin) -> Option<&'a Origin> {
        let rank = origin.rank();
        self.around(key).find(|wrong| wrong.rank() > rank)
    }

    /// All keys and groups that are given wrongly.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.wrong.keys()
    }

    fn around<'a>(&'a self, key: &'a Key) -> impl Iterator<Item = &'a Origin> {
        key.with_groups().filter_map(|it| self.wrong.get(&it))
    }
}
