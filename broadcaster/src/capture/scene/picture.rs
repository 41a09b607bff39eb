//! A picture in I420: three planes, one after the other, without padding.

/// A colour as the encoder takes it: BT.709, limited range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colour {
    y: u8,
    u: u8,
    v: u8,
}

impl Colour {
    pub(super) const BLACK: Self = Self { y: 16, u: 128, v: 128 };
    pub(super) const WHITE: Self = Self { y: 235, u: 128, v: 128 };

    pub(super) fn rgb(r: u8, g: u8, b: u8) -> Self {
        let [r, g, b] = [r, g, b].map(|channel| f32::from(channel) / 255.0);
        let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        let (u, v) = ((b - y) / 1.8556, (r - y) / 1.5748);
        let level = |offset: f32, scale: f32, value: f32| (offset + scale * value).round() as u8;
        Self { y: level(16.0, 219.0, y), u: level(128.0, 224.0, u), v: level(128.0, 224.0, v) }
    }
}

#[derive(Clone)]
pub(in crate::capture) struct Picture {
    width: usize,
    height: usize,
    planes: Vec<u8>,
}

impl Picture {
    /// Both sides must be even, since chroma has half of each.
    pub(super) fn new(width: usize, height: usize) -> Self {
        debug_assert!(width.is_multiple_of(2) && height.is_multiple_of(2));
        Self { width, height, planes: vec![0; width * height * 3 / 2] }
    }

    pub(in crate::capture) fn into_bytes(self) -> Vec<u8> {
        self.planes
    }

    /// Colours one pixel; the chroma it shares with three others takes the last one's.
    pub(super) fn set(&mut self, x: usize, y: usize, colour: Colour) {
        let luma = self.width * self.height;
        let chroma = (y / 2) * (self.width / 2) + x / 2;
        self.planes[y * self.width + x] = colour.y;
        self.planes[luma + chroma] = colour.u;
        self.planes[luma + luma / 4 + chroma] = colour.v;
    }

    /// Colours a rectangle, cut to the picture.
    pub(super) fn fill(&mut self, x: usize, y: usize, width: usize, height: usize, colour: Colour) {
        for row in y..(y + height).min(self.height) {
            for column in x..(x + width).min(self.width) {
                self.set(column, row, colour);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn colour(&self, x: usize, y: usize) -> Colour {
        let luma = self.width * self.height;
        let chroma = (y / 2) * (self.width / 2) + x / 2;
        Colour {
            y: self.planes[y * self.width + x],
            u: self.planes[luma + chroma],
            v: self.planes[luma + luma / 4 + chroma],
        }
    }

    #[cfg(test)]
    pub(super) fn luma(&self, x: usize, y: usize) -> u8 {
        self.planes[y * self.width + x]
    }
}
