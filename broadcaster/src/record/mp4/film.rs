//! One file: its header, its fragments, and what is added when it ends well.

use super::{
    boxes::{Bytes, DELTA_SAMPLE, KEY_SAMPLE, Kind, Track, file_type, length, movie_header, track},
    sps::Picture,
};

/// Ticks per second.
pub(crate) const PICTURE_CLOCK: u32 = 90_000;
pub(crate) const SOUND_CLOCK: u32 = 48_000;
const MOVIE_CLOCK: u32 = 1000;

const PICTURES: u32 = 1;
const SOUNDS: u32 = 2;

/// The length of a box that says how long the whole is, or that leaves room for it.
const EXTENT: usize = 20;

/// Offsets of a track's samples are from its fragment's beginning (section 8.8.7.1).
const FROM_FRAGMENT: u32 = 0x02_0000;
/// Each sample of a run has its own duration, length and flags, and the run says where its data is.
const RUN: u32 = 0x0701;

/// One picture, or one packet of sound, in ticks since the file's beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) data: Vec<u8>,
    pub(crate) begins: u64,
    pub(crate) lasts: u32,
    pub(crate) keyframe: bool,
}

#[derive(Debug)]
pub(crate) struct Film {
    sequence: u32,
    bytes: u64,
    /// Where the room for the whole length is.
    extent: u64,
    ends: u64,
    /// When each keyframe begins, and where its fragment is.
    keyframes: Vec<(u64, u64)>,
}

/// What makes a file that ended well easier to search.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closing {
    pub(crate) appended: Vec<u8>,
    /// Bytes that take the place of others, and where.
    pub(crate) replaced: (u64, Vec<u8>),
}

impl Film {
    /// Returns the file's first bytes as well.
    pub(crate) fn begin(picture: &Picture, with_sound: bool) -> (Self, Vec<u8>) {
        let mut tracks = vec![Track { number: PICTURES, timescale: PICTURE_CLOCK, kind: Kind::Pictures(picture) }];
        if with_sound {
            tracks.push(Track { number: SOUNDS, timescale: SOUND_CLOCK, kind: Kind::Opus });
        }
        let mut out = Bytes::default();
        file_type(&mut out);
        let mut extent = 0;
        out.put(b"moov", |out| {
            movie_header(out, MOVIE_CLOCK, SOUNDS + 1);
            for each in &tracks {
                track(out, each);
            }
            out.put(b"mvex", |out| {
                extent = out.0.len();
                out.put(b"free", |out| {
                    out.zeros(EXTENT - 8);
                });
                for each in &tracks {
                    out.full(b"trex", 0, 0, |out| {
                        out.u32(each.number).u32(1).zeros(12);
                    });
                }
            });
        });
        let film =
            Self { sequence: 0, bytes: out.0.len() as u64, extent: extent as u64, ends: 0, keyframes: Vec::new() };
        (film, out.0)
    }

    /// The bytes of the file so far.
    pub(crate) fn len(&self) -> u64 {
        self.bytes
    }

    /// What to append for these samples; a keyframe is the first of its fragment.
    pub(crate) fn fragment(&mut self, pictures: &[Sample], sounds: &[Sample]) -> Vec<u8> {
        self.sequence += 1;
        if let Some(first) = pictures.first().filter(|first| first.keyframe) {
            self.keyframes.push((first.begins, self.bytes));
        }
        self.ends = pictures.last().map_or(self.ends, |last| last.begins + u64::from(last.lasts));
        let runs = [(PICTURES, pictures), (SOUNDS, sounds)].into_iter().filter(|(_, samples)| !samples.is_empty());
        let runs: Vec<(u32, &[Sample])> = runs.collect();
        let index = Self::index(self.sequence, &runs, 0);
        // The same again, now that it is known where the data begins.
        let mut out = Self::index(self.sequence, &runs, length(index.0.len()) + 8);
        out.put(b"mdat", |out| {
            for sample in runs.iter().flat_map(|(_, samples)| *samples) {
                out.raw(&sample.data);
            }
        });
        self.bytes += out.0.len() as u64;
        out.0
    }

    fn index(sequence: u32, runs: &[(u32, &[Sample])], mut data: u32) -> Bytes {
        let mut out = Bytes::default();
        out.put(b"moof", |out| {
            out.full(b"mfhd", 0, 0, |out| {
                out.u32(sequence);
            });
            for (number, samples) in runs {
                out.put(b"traf", |out| {
                    out.full(b"tfhd", 0, FROM_FRAGMENT, |out| {
                        out.u32(*number);
                    });
                    out.full(b"tfdt", 1, 0, |out| {
                        out.u64(samples[0].begins);
                    });
                    out.full(b"trun", 0, RUN, |out| {
                        out.u32(length(samples.len())).u32(data);
                        for sample in *samples {
                            let flags = if sample.keyframe { KEY_SAMPLE } else { DELTA_SAMPLE };
                            out.u32(sample.lasts).u32(length(sample.data.len())).u32(flags);
                        }
                    });
                });
                data += samples.iter().map(|sample| length(sample.data.len())).sum::<u32>();
            }
        });
        out
    }

    pub(crate) fn end(self) -> Closing {
        let mut appended = Bytes::default();
        appended.put(b"mfra", |out| {
            out.full(b"tfra", 1, 0, |out| {
                out.u32(PICTURES).u32(0).u32(length(self.keyframes.len()));
                for (begins, at) in &self.keyframes {
                    // The first sample of the first run of the fragment's first track.
                    out.u64(*begins).u64(*at).u8(1).u8(1).u8(1);
                }
            });
            // The length of the whole, for those who read from the end.
            let whole = 8 + 24 + 19 * self.keyframes.len() + 16;
            out.full(b"mfro", 0, 0, |out| {
                out.u32(length(whole));
            });
        });
        let mut extent = Bytes::default();
        let ends = self.ends * u64::from(MOVIE_CLOCK) / u64::from(PICTURE_CLOCK);
        extent.full(b"mehd", 1, 0, |out| {
            out.u64(ends);
        });
        Closing { appended: appended.0, replaced: (self.extent, extent.0) }
    }
}
