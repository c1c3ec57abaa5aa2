//! Names of connections. slab reuses its keys and queued events outlive sockets, so that nothing
//! but a [`ConnId`] indexes the registry.

/// Bits of a token that hold the index; the rest hold the generation. On 32-bit hosts this makes
/// a million connections and four thousand generations.
const INDEX_BITS: u32 = if usize::BITS == 64 { 32 } else { 20 };
const INDEX_MAX: usize = (1 << INDEX_BITS) - 1;
const GENERATION_MASK: usize = usize::MAX >> INDEX_BITS;

/// A slot of the registry together with the number of its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnId {
    index: u32,
    generation: u32,
}

impl ConnId {
    /// Most connections that a registry may hold, given the width of a token. The last few words
    /// are left to listeners, signals and the like.
    pub const COUNT_MAX: usize = INDEX_MAX - 256;

    /// The tenant of slot `index` in `generation`, of which only the bits that fit a token count.
    pub fn new(index: usize, generation: u32) -> Self {
        assert!(index < Self::COUNT_MAX, "the registry is bounded by COUNT_MAX");
        let generation = generation & GENERATION_MASK as u32;
        Self { index: index as u32, generation }
    }

    /// The slot in the registry.
    #[inline]
    pub fn index(self) -> usize {
        self.index as usize
    }

    /// The slot's tenant number.
    #[inline]
    pub fn generation(self) -> u32 {
        self.generation
    }

    /// True for the tenant of the slot in `generation`.
    #[inline]
    pub fn is_of(self, generation: u32) -> bool {
        self.generation == generation & GENERATION_MASK as u32
    }

    /// Packs the id into the word that travels through the poll.
    #[inline]
    pub fn token(self) -> usize {
        self.index as usize | (self.generation as usize) << INDEX_BITS
    }

    /// Unpacks [`Self::token`].
    #[inline]
    pub fn from_token(token: usize) -> Self {
        Self { index: (token & INDEX_MAX) as u32, generation: (token >> INDEX_BITS) as u32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_carry_index_and_generation() {
        for index in [0, 1, 77, ConnId::COUNT_MAX - 1] {
            for generation in [0, 1, 4095] {
                let id = ConnId::new(index, generation);
                assert_eq!(ConnId::from_token(id.token()), id);
                assert_eq!((id.index(), id.generation()), (index, generation));
            }
        }
    }

    #[test]
    fn generations_wrap_where_the_token_does() {
        let id = ConnId::new(5, u32::MAX);
        assert_eq!(ConnId::from_token(id.token()), id);
    }
}
