//! A disk at the moment the power fails: what was synced is there, of the rest anything may be.
//!
//! Each sector of a file holds any of the contents it has had since the file's last sync, whatever the sectors beside it
//! hold; so writes are dropped, torn and reordered. A file's length is any it has had since. Names change in the order in
//! which they were changed, as file systems with a journal keep it, and as many of the changes since the folder's last
//! sync are there as chance says.
use super::record::Act;
use crate::dice::Dice;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

#[derive(Debug, Clone, Default)]
struct File {
    /// As of its last sync.
    durable: Vec<u8>,
    since: Vec<Change>,
    /// Its length as programs see it.
    len: usize,
}

#[derive(Debug, Clone)]
enum Naming {
    Made(String, usize),
    /// Whole, or not yet.
    Moved(String, String, usize),
    Unlinked(String),
}

/// The folder's disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    names: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    since: Vec<Naming>,
}

/// How the unsynced is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Nothing of it is there.
    Dropped,
    /// All of it is there: as after `kill -9`.
    Kept,
    /// By sectors of so many bytes, each as chance says.
    Torn(usize),
}

/// Files by their names.
pub(crate) type Image = BTreeMap<String, Vec<u8>>;

impl Disk {
    /// Does what a program did.
    pub(crate) fn act(&mut self, act: &Act) {
        match act {
            Act::Create(name) => drop(self.file(name)),
            Act::Truncate(name, len) => {
                let len = usize::try_from(*len).unwrap_or(usize::MAX);
                let file = self.file(name);
                if file.len != len {
                    (file.len, _) = (len, file.since.push(Change::Truncate(len)));
                }
            }
            Act::Write(name, at, bytes) => {
                let file = self.file(name);
                let at = at.map_or(file.len, |at| usize::try_from(at).unwrap_or(usize::MAX));
                file.len = file.len.max(at + bytes.len());
                file.since.push(Change::Write(at, bytes.clone()));
            }
            Act::Sync(name) => self.file(name).sync(),
            Act::SyncFolder => {
                self.durable = self.names.clone();
                self.since.clear();
            }
            Act::Rename(from, to) => {
                if let Some(file) = self.names.remove(from) {
                    self.names.insert(to.clone(), file);
                    self.since.push(Naming::Moved(from.clone(), to.clone(), file));
                }
            }
            Act::Unlink(name) => {
                self.names.remove(name);
                self.since.push(Naming::Unlinked(name.clone()));
            }
        }
    }

    fn file(&mut self, name: &str) -> &mut File {
        let index = *self.names.entry(name.to_owned()).or_insert_with(|| {
            self.since.push(Naming::Made(name.to_owned(), self.files.len()));
            self.files.push(File::default());
            self.files.len() - 1
        });
        &mut self.files[index]
    }

    /// How many files have something unsynced.
    pub(crate) fn unsynced(&self) -> usize {
        self.names.values().filter(|file| !self.files[**file].since.is_empty()).count()
    }

    /// What is found when the power is back.
    pub(crate) fn image(&self, cut: Cut, dice: &mut Dice) -> Image {
        let mut names = self.durable.clone();
        let kept = match cut {
            Cut::Dropped => 0,
            Cut::Kept => self.since.len(),
            Cut::Torn(_) => usize::try_from(dice.below(self.since.len() as u64 + 1)).unwrap_or(0),
        };
        for naming in self.since.iter().take(kept) {
            match naming {
                Naming::Made(name, file) => drop(names.insert(name.clone(), *file)),
                Naming::Moved(from, to, file) => {
                    names.remove(from);
                    names.insert(to.clone(), *file);
                }
                Naming::Unlinked(name) => drop(names.remove(name)),
            }
        }
        // How much of the unsynced is old: little, half, or nearly all.
        let old = [10, 50, 90][usize::try_from(dice.below(3)).unwrap_or(0)];
        names.into_iter().map(|(name, file)| (name, self.files[file].image(cut, old, dice))).collect()
    }
}

impl File {
    fn sync(&mut self) {
        for change in std::mem::take(&mut self.since) {
            change.apply(&mut self.durable);
        }
    }

    fn image(&self, cut: Cut, old_percent: u64, dice: &mut Dice) -> Vec<u8> {
        let sector = match cut {
            Cut::Dropped => return self.durable.clone(),
            Cut::Kept => {
                let mut whole = self.durable.clone();
                self.since.iter().for_each(|change| change.apply(&mut whole));
                return whole;
            }
            Cut::Torn(bytes) => bytes,
        };
        let all = self.since.len();
        let mut version = || {
            let version = if dice.below(100) < old_percent { dice.below(all as u64) } else { all as u64 };
            usize::try_from(version).unwrap_or(0)
        };
        // The length at each version; the longest is what sectors are laid out on.
        let mut lens = vec![self.durable.len()];
        for change in &self.since {
            let last = lens.last().copied().unwrap_or(0);
            lens.push(match change {
                Change::Write(at, bytes) => last.max(at + bytes.len()),
                Change::Truncate(len) => *len,
            });
        }
        let longest = lens.iter().copied().max().unwrap_or(0);
        let mut out = self.durable.clone();
        out.resize(longest, 0);
        let of_sector: Vec<usize> = (0..longest.div_ceil(sector)).map(|_| version()).collect();
        for (n, change) in self.since.iter().enumerate() {
            // A change is in a sector if the sector's version is that of a later moment.
            let mut put = |at: usize, byte: u8| {
                if of_sector[at / sector] > n {
                    out[at] = byte;
                }
            };
            match change {
                Change::Write(at, bytes) => bytes.iter().enumerate().for_each(|(i, byte)| put(at + i, *byte)),
                Change::Truncate(len) => (*len..longest).for_each(|at| put(at, 0)),
            }
        }
        out.truncate(lens[version()]);
        out
    }
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Change::Write(at, bytes) => {
                if to.len() < at + bytes.len() {
                    to.resize(at + bytes.len(), 0);
                }
                to[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Change::Truncate(len) => to.resize(*len, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Act, Cut, Dice, Disk};
    use std::collections::BTreeSet;

    fn write(at: u64, byte: u8) -> Act {
        Act::Write("f".into(), Some(at), vec![byte; 4])
    }

    fn images(disk: &Disk, cut: Cut) -> BTreeSet<Option<Vec<u8>>> {
        let mut dice = Dice::new(1);
        (0..400).map(|_| disk.image(cut, &mut dice).get("f").cloned()).collect()
    }

    #[test]
    fn what_was_synced_is_there_in_every_image_and_the_rest_in_some() {
        let mut disk = Disk::default();
        for act in [write(0, b'a'), Act::Sync("f".into()), Act::SyncFolder, write(0, b'b'), write(4, b'c')] {
            disk.act(&act);
        }
        let only = |text: &str| BTreeSet::from([Some(text.as_bytes().to_vec())]);
        assert_eq!(images(&disk, Cut::Dropped), only("aaaa"));
        assert_eq!(images(&disk, Cut::Kept), only("bbbbcccc"));
        // Either write without the other, and a length without its write.
        let torn = images(&disk, Cut::Torn(4));
        let all = ["aaaa", "bbbb", "aaaacccc", "bbbbcccc", "aaaa\0\0\0\0", "bbbb\0\0\0\0"];
        assert_eq!(torn, all.into_iter().map(|text| Some(text.as_bytes().to_vec())).collect());
        assert!(images(&disk, Cut::Torn(2)).contains(&Some(b"aabb".to_vec())));
        disk.act(&Act::Sync("f".into()));
        assert_eq!(images(&disk, Cut::Torn(2)), only("bbbbcccc"));
    }

    #[test]
    fn a_name_is_there_for_sure_once_its_folder_is_synced_and_a_rename_is_whole() {
        let mut disk = Disk::default();
        disk.act(&write(0, b'a'));
        disk.act(&Act::Sync("f".into()));
        assert_eq!(images(&disk, Cut::Torn(4)), BTreeSet::from([None, Some(b"aaaa".to_vec())]));
        disk.act(&Act::SyncFolder);
        assert_eq!(images(&disk, Cut::Torn(4)).len(), 1);
        disk.act(&Act::Rename("f".into(), "g".into()));
        let mut dice = Dice::new(2);
        for _ in 0..100 {
            assert_eq!(disk.image(Cut::Torn(4), &mut dice).len(), 1, "under one name or the other");
        }
        disk.act(&Act::SyncFolder);
        assert_eq!(images(&disk, Cut::Kept), BTreeSet::from([None]));
    }
}
