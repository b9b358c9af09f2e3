//! Mutations of seeds, the same ones for the same number.

/// Inputs that were made and are taken up again.
const POOL_MAX: usize = 256;

/// Makes inputs.
pub struct Mutator<'a> {
    state: u64,
    pool: Vec<Vec<u8>>,
    seeds: usize,
    words: &'a [&'a [u8]],
    length_max: usize,
}

impl<'a> Mutator<'a> {
    /// From `seeds`, with `words` put in, up to `length_max` bytes. `number` decides the order.
    pub fn new(number: u64, seeds: &[Vec<u8>], words: &'a [&'a [u8]], length_max: usize) -> Self {
        Self { state: number, pool: seeds.to_vec(), seeds: seeds.len(), words, length_max }
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { (self.draw() % n as u64) as usize }
    }

    fn picked(&mut self) -> Vec<u8> {
        let at = self.below(self.pool.len());
        self.pool.get(at).cloned().unwrap_or_default()
    }

    /// The next input: one of the pool, changed in up to four places.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut input = self.picked();
        for _ in 0..=self.below(4) {
            self.change(&mut input);
        }
        input.truncate(self.length_max);
        if self.pool.len() < POOL_MAX {
            self.pool.push(input.clone());
        } else if self.below(8) == 0 {
            // Seeds stay; what came of them makes room.
            let at = self.seeds + self.below(self.pool.len() - self.seeds);
            if let Some(place) = self.pool.get_mut(at) {
                place.clone_from(&input);
            }
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        let until = at + self.below((input.len() - at).min(16) + 1);
        match self.below(8) {
            0 => flip(input, at, 1 << self.below(8)),
            1 => flip(input, at, self.draw() as u8),
            2 => drop(input.drain(at..until)),
            3 | 4 => {
                let word = self.below(self.words.len());
                let word = self.words.get(word).copied().unwrap_or_default();
                let end = if self.below(2) == 0 { at } else { until };
                drop(input.splice(at..end, word.iter().copied()));
            }
            5 => {
                let piece = input.get(at..until).unwrap_or_default().repeat(1 + self.below(40));
                drop(input.splice(at..at, piece));
            }
            6 => {
                let other = self.picked();
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(other.get(from..).unwrap_or_default());
            }
            _ => {
                let byte = self.draw() as u8;
                // Mostly what can be typed, so that text stays text.
                input.insert(at, if self.below(4) == 0 { byte } else { 0x20 + byte % 0x5f });
            }
        }
    }
}

fn flip(input: &mut [u8], at: usize, bits: u8) {
    if let Some(byte) = input.get_mut(at) {
        *byte ^= bits;
    }
}
