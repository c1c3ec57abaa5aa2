//! How long messages are: one size, a range, or a mix of both with shares.

use super::dice::Dice;

/// One part of a mix: sizes from `least` to `most` bytes, each as likely as the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its share of the messages, above 0; shares need not add up to anything.
    pub share: f64,
    /// The shortest.
    pub least: usize,
    /// The longest.
    pub most: usize,
}

/// Sizes of messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizes {
    /// At least one.
    parts: Vec<Part>,
}

impl Sizes {
    /// All messages of one size.
    pub fn one(size: usize) -> Self {
        Self { parts: vec![Part { share: 1.0, least: size, most: size }] }
    }

    /// `None` without a part, or with one that has no share or whose range is upside down.
    pub fn mix(parts: Vec<Part>) -> Option<Self> {
        let right = |part: &Part| part.share > 0.0 && part.least <= part.most;
        (!parts.is_empty() && parts.iter().all(right)).then_some(Self { parts })
    }

    /// What it is mixed of.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The shortest message.
    pub fn least(&self) -> usize {
        self.parts.iter().map(|part| part.least).min().unwrap_or(0)
    }

    /// The longest message.
    pub fn most(&self) -> usize {
        self.parts.iter().map(|part| part.most).max().unwrap_or(0)
    }

    /// The mean of all messages in bytes.
    pub fn mean(&self) -> f64 {
        let mean = |part: &Part| part.share * (part.least as f64 + part.most as f64) / 2.0;
        self.parts.iter().map(mean).sum::<f64>() / self.shares()
    }

    /// The smallest share of all, from 0 to 1: so many messages it takes that each part occurs.
    pub fn share_min(&self) -> f64 {
        let least = self.parts.iter().map(|part| part.share).fold(f64::INFINITY, f64::min);
        least / self.shares()
    }

    /// Sizes of `count` messages in random order, in which each part has its share to within one
    /// message.
    pub fn draw(&self, count: usize, dice: &mut Dice) -> Vec<usize> {
        let mut taken = vec![0.0; self.parts.len()];
        let mut sizes: Vec<usize> = (1..=count).map(|n| self.next(n, &mut taken, dice)).collect();
        for at in (1..sizes.len()).rev() {
            sizes.swap(at, dice.below(at as u64 + 1) as usize);
        }
        sizes
    }

    /// The `n`th size comes from the part that is furthest behind its share.
    fn next(&self, n: usize, taken: &mut [f64], dice: &mut Dice) -> usize {
        let behind = |at: usize| n as f64 * self.parts[at].share / self.shares() - taken[at];
        let furthest = (0..taken.len()).max_by(|a, b| behind(*a).total_cmp(&behind(*b)));
        let at = furthest.unwrap_or(0);
        taken[at] += 1.0;
        let Part { least, most, .. } = self.parts[at];
        least + dice.below((most - least) as u64 + 1) as usize
    }

    fn shares(&self) -> f64 {
        self.parts.iter().map(|part| part.share).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(share: f64, least: usize, most: usize) -> Part {
        Part { share, least, most }
    }

    #[test]
    fn each_part_has_its_share() {
        let mix =
            Sizes::mix(vec![part(90.0, 64, 64), part(9.0, 100, 200), part(1.0, 65536, 65536)]);
        let mix = mix.expect("three parts");
        for seed in 0..20 {
            let sizes = mix.draw(1000, &mut Dice::new(seed));
            let within = |least, most| sizes.iter().filter(|n| (least..=most).contains(*n)).count();
            assert_eq!([within(64, 64), within(100, 200), within(65536, 65536)], [900, 90, 10]);
            assert_ne!(sizes[..900], [64; 900], "in random order");
        }
        assert!((mix.mean() - (0.9 * 64.0 + 0.09 * 150.0 + 0.01 * 65536.0)).abs() < 1e-9);
        assert!((mix.share_min() - 0.01).abs() < 1e-9);
        assert_eq!((mix.least(), mix.most()), (64, 65536));
    }

    #[test]
    fn a_range_reaches_both_ends() {
        let range = Sizes::mix(vec![part(1.0, 3, 5)]).expect("a range");
        let mut sizes = range.draw(100, &mut Dice::new(1));
        sizes.sort_unstable();
        sizes.dedup();
        assert_eq!(sizes, [3, 4, 5]);
        assert_eq!(Sizes::one(7).draw(3, &mut Dice::new(1)), [7, 7, 7]);
    }

    #[test]
    fn what_makes_no_sense_is_no_mix() {
        for parts in [vec![], vec![part(0.0, 1, 1)], vec![part(1.0, 2, 1)]] {
            assert_eq!(Sizes::mix(parts), None);
        }
    }
}
