//! Packets on their way out: as many of one length as leave in one segmented send.

/// The largest datagram that the kernel segments, below UDP's 65,507 bytes.
const MAX_BYTES: usize = 64_000;

/// A buffer that is filled anew for every send: no packet costs an allocation.
pub(crate) struct Burst {
    buffer: Box<[u8]>,
    len: usize,
    /// All segments' length; the last may be shorter.
    segment: usize,
    segments: usize,
    max_segments: usize,
    /// The last segment was shorter: none can follow.
    ended: bool,
}

impl Burst {
    pub(crate) fn new(max_segments: usize) -> Self {
        Self {
            buffer: vec![0; MAX_BYTES].into(),
            len: 0,
            segment: 0,
            segments: 0,
            max_segments: max_segments.max(1),
            ended: false,
        }
    }

    pub(crate) fn clear(&mut self) {
        (self.len, self.segment, self.segments, self.ended) = (0, 0, 0, false);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.segments == 0
    }

    pub(crate) fn segments(&self) -> usize {
        self.segments
    }

    pub(crate) fn segment_size(&self) -> usize {
        self.segment
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// How many packets are how long: one length, or two.
    pub(crate) fn lengths(&self) -> impl Iterator<Item = (usize, usize)> {
        let last = self.len.checked_rem(self.segment).unwrap_or(0);
        let whole = self.segments - usize::from(last > 0);
        [(whole, self.segment), (1, last)].into_iter().filter(|(packets, length)| packets * length > 0)
    }

    pub(crate) fn packets(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes().chunks(self.segment.max(1))
    }

    #[cfg(test)]
    pub(crate) fn fill_for_test(&mut self, length: usize) {
        assert!(self.takes(length));
        self.commit(length);
    }

    /// Whether a packet of that length can go along.
    pub(super) fn takes(&self, length: usize) -> bool {
        if self.is_empty() {
            return length <= self.buffer.len();
        }
        !self.ended
            && length <= self.segment
            && self.segments < self.max_segments
            && self.len + length <= self.buffer.len()
    }

    /// Room for a packet, at most that long.
    pub(super) fn room(&mut self, length: usize) -> &mut [u8] {
        &mut self.buffer[self.len..self.len + length]
    }

    /// The packet that was written into the room.
    pub(super) fn commit(&mut self, length: usize) {
        if self.is_empty() {
            self.segment = length;
        }
        self.ended = length < self.segment;
        self.len += length;
        self.segments += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_of_one_length_go_together_and_a_shorter_one_ends_it() {
        let mut burst = Burst::new(4);
        for length in [100, 100, 40] {
            assert!(burst.takes(length));
            burst.room(length);
            burst.commit(length);
        }
        assert!(!burst.takes(40), "after a shorter one comes nothing");
        assert_eq!(burst.lengths().collect::<Vec<_>>(), [(2, 100), (1, 40)]);
        assert_eq!((burst.segments(), burst.segment_size(), burst.bytes().len()), (3, 100, 240));
        burst.clear();
        assert_eq!(burst.lengths().next(), None);
        burst.commit(10);
        assert!(!burst.takes(11), "none is longer than the first");
        for _ in 0..3 {
            assert!(burst.takes(10));
            burst.commit(10);
        }
        assert!(!burst.takes(10), "the kernel takes so many and no more");
    }
}
