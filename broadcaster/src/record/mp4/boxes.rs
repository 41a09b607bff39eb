//! The boxes that such a file is made of.

use super::sps::Picture;

/// Three letters of a language in five bits each: "und", for undetermined.
const NO_LANGUAGE: u16 = 0x55c4;

/// Nothing turned, nothing scaled.
const UPRIGHT: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];

/// A sample that others do not need to be decoded, and one that they do (section 8.8.3.1).
pub(super) const KEY_SAMPLE: u32 = 0x0200_0000;
pub(super) const DELTA_SAMPLE: u32 = 0x0101_0000;

pub(super) const ENABLED_AND_IN_MOVIE: u32 = 3;

/// Bytes under construction, in the order of the network.
#[derive(Debug, Default)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl Bytes {
    pub(super) fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    pub(super) fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(super) fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn zeros(&mut self, count: usize) -> &mut Self {
        self.0.resize(self.0.len() + count, 0);
        self
    }

    /// A box with this content. Its length is written when it is known.
    pub(super) fn put(&mut self, kind: &[u8; 4], content: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.0.len();
        self.u32(0).raw(kind);
        content(self);
        let length = length(self.0.len() - start);
        self.0[start..start + 4].copy_from_slice(&length.to_be_bytes());
        self
    }

    /// A box with a version and flags.
    pub(super) fn full(
        &mut self,
        kind: &[u8; 4],
        version: u8,
        flags: u32,
        content: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.put(kind, |out| {
            out.u32(u32::from(version) << 24 | flags);
            content(out);
        })
    }
}

pub(super) fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("no box comes near 4 GiB")
}

pub(super) fn file_type(out: &mut Bytes) {
    out.put(b"ftyp", |out| {
        out.raw(b"iso6").u32(0).raw(b"iso6mp42avc1");
    });
}

pub(super) fn movie_header(out: &mut Bytes, timescale: u32, next_track: u32) {
    out.full(b"mvhd", 0, 0, |out| {
        // Made and changed at no known time, of no known length; at usual speed and volume.
        out.zeros(8).u32(timescale).u32(0).u32(0x0001_0000).u16(0x0100).zeros(10);
        matrix(out);
        out.zeros(24).u32(next_track);
    });
}

/// What a track is, apart from the samples that come in fragments.
pub(super) struct Track<'a> {
    pub(super) number: u32,
    pub(super) timescale: u32,
    pub(super) kind: Kind<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    Pictures(&'a Picture),
    Opus,
}

pub(super) fn track(out: &mut Bytes, track: &Track<'_>) {
    let (handler, name, volume, size) = match track.kind {
        Kind::Pictures(picture) => (b"vide", &b"Pictures\0"[..], 0, (picture.width, picture.height)),
        Kind::Opus => (b"soun", &b"Sound\0"[..], 0x0100, (0, 0)),
    };
    out.put(b"trak", |out| {
        out.full(b"tkhd", 0, ENABLED_AND_IN_MOVIE, |out| {
            out.zeros(8).u32(track.number).zeros(4).u32(0).zeros(8).u16(0).u16(0).u16(volume).zeros(2);
            matrix(out);
            out.u32(u32::from(size.0) << 16).u32(u32::from(size.1) << 16);
        });
        out.put(b"mdia", |out| {
            out.full(b"mdhd", 0, 0, |out| {
                out.zeros(8).u32(track.timescale).u32(0).u16(NO_LANGUAGE).zeros(2);
            });
            out.full(b"hdlr", 0, 0, |out| {
                out.zeros(4).raw(handler).zeros(12).raw(name);
            });
            out.put(b"minf", |out| {
                match track.kind {
                    Kind::Pictures(_) => out.full(b"vmhd", 0, 1, |out| {
                        out.zeros(8);
                    }),
                    Kind::Opus => out.full(b"smhd", 0, 0, |out| {
                        out.zeros(4);
                    }),
                };
                // The samples lie in this very file.
                out.put(b"dinf", |out| {
                    out.full(b"dref", 0, 0, |out| {
                        out.u32(1).full(b"url ", 0, 1, |_| {});
                    });
                });
                out.put(b"stbl", |out| sample_tables(out, track.kind));
            });
        });
    });
}

/// Empty but for what the samples are: the fragments have tables of their own.
fn sample_tables(out: &mut Bytes, kind: Kind<'_>) {
    out.full(b"stsd", 0, 0, |out| {
        out.u32(1);
        match kind {
            Kind::Pictures(picture) => avc1(out, picture),
            Kind::Opus => opus(out),
        }
    });
    out.full(b"stts", 0, 0, |out| {
        out.u32(0);
    });
    out.full(b"stsc", 0, 0, |out| {
        out.u32(0);
    });
    out.full(b"stsz", 0, 0, |out| {
        out.u32(0).u32(0);
    });
    out.full(b"stco", 0, 0, |out| {
        out.u32(0);
    });
}

fn avc1(out: &mut Bytes, picture: &Picture) {
    out.put(b"avc1", |out| {
        out.zeros(6).u16(1).zeros(16).u16(picture.width).u16(picture.height);
        // 72 dots per inch, one picture a sample, no name of the encoder, 24 bits of colour.
        out.u32(0x0048_0000).u32(0x0048_0000).zeros(4).u16(1).zeros(32).u16(24).u16(0xffff);
        out.put(b"avcC", |out| picture.configuration(out));
    });
}

/// Opus in ISO base media files, section 4.3. A decoder gives two channels whatever the packets hold.
fn opus(out: &mut Bytes) {
    const CHANNELS: u8 = 2;
    const RATE: u32 = 48_000;
    out.put(b"Opus", |out| {
        out.zeros(6).u16(1).zeros(8).u16(CHANNELS.into()).u16(16).zeros(4).u32(RATE << 16);
        // A recording begins amidst the sound: there is no run-in to leave out.
        out.put(b"dOps", |out| {
            out.u8(0).u8(CHANNELS).u16(0).u32(RATE).u16(0).u8(0);
        });
    });
}

fn matrix(out: &mut Bytes) {
    for value in UPRIGHT {
        out.u32(value);
    }
}
