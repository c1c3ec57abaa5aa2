//! Random numbers from a seed: the same seed gives the same load.

/// SplitMix64 (Steele, Lea, Flood 2014): one addition and a mix per number.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`, which is not 0. The bias is below what a load would show.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Four bytes for a masking key.
    pub fn key(&mut self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.next().to_ne_bytes();
        [a, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_sequence() {
        let take = |seed| {
            let mut dice = Dice::new(seed);
            [dice.next(), dice.next(), dice.below(10)]
        };
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
        assert!((0..100).all(|seed| Dice::new(seed).below(3) < 3));
    }
}
