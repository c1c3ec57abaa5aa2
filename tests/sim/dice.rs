//! Pseudo-random numbers (SplitMix64): the same seed, the same run. And what clients say, which
//! follows from who says it: a byte that comes to another is recognised.

pub struct Dice {
    state: u64,
    /// Whose words are drawn.
    pub speaker: usize,
    /// How many blocks of them have been.
    spoken: u64,
}

fn mixed(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self { state: seed, speaker: 0, spoken: 0 }
    }

    pub fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.state)
    }

    /// A word of the speaker's own stream: the next, whatever the dice have shown.
    fn own(&mut self) -> u64 {
        self.spoken += 1;
        mixed((self.speaker as u64 + 1) << 40 ^ self.spoken)
    }

    /// A number in `0..bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.word() % bound as u64) as usize
    }

    /// True `per_mille` times of a thousand.
    pub fn chance(&mut self, per_mille: usize) -> bool {
        per_mille > 0 && self.below(1000) < per_mille
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Binary of the speaker: noise, or its words.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        if self.chance(500) {
            return self.words(count);
        }
        let mut bytes = Vec::with_capacity(count + 7);
        while bytes.len() < count {
            bytes.extend(self.own().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }

    /// Text of the speaker of exactly `count` bytes, with characters of all lengths.
    pub fn words(&mut self, count: usize) -> Vec<u8> {
        let wide = self.pick(&["a", "é", "€", "😀", "aé€😀"]);
        let start = format!("{wide}{}{}:", Self::MARK, self.speaker);
        let mut text = String::with_capacity(count + 64);
        while text.len() < count {
            text.push_str(&start);
            let own = self.own();
            text.extend((0..8).map(|at| char::from(b'a' + (own >> (4 * at) & 15) as u8)));
            text.push(' ');
        }
        let mut end = count;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.extend(std::iter::repeat_n('z', count - end));
        text.into_bytes()
    }

    /// Stands before the number of a speaker in its words.
    const MARK: &str = "~";

    /// Whose words these are, for messages.
    pub fn speakers(bytes: &[u8]) -> Vec<usize> {
        let text = String::from_utf8_lossy(bytes);
        let numbers = text.split(Self::MARK).skip(1).filter_map(|rest| rest.split_once(':'));
        let mut found: Vec<usize> = numbers.filter_map(|(word, _)| word.parse().ok()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}
