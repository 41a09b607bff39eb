//! Words, as a grid of dots that can be laid on any surface.

use embedded_graphics::{
    Drawable, Pixel,
    draw_target::DrawTarget,
    geometry::{OriginDimensions, Point, Size},
    mono_font::{MonoTextStyle, ascii::FONT_10X20},
    pixelcolor::BinaryColor,
    text::{Baseline, Text},
};

const GLYPH_WIDTH: usize = 10;
const GLYPH_HEIGHT: usize = 20;

pub(super) struct Label {
    width: usize,
    dots: Vec<bool>,
}

impl Label {
    pub(super) fn new(text: &str) -> Self {
        let width = GLYPH_WIDTH * text.len();
        let mut label = Self { width, dots: vec![false; width * GLYPH_HEIGHT] };
        let style = MonoTextStyle::new(&FONT_10X20, BinaryColor::On);
        let Ok(_) = Text::with_baseline(text, Point::zero(), style, Baseline::Top).draw(&mut label);
        label
    }

    /// Whether there is ink at a place, given in heights of the label: 0,0 is its centre, y grows downward.
    pub(super) fn ink(&self, x: f32, y: f32) -> bool {
        let column = (x * GLYPH_HEIGHT as f32 + self.width as f32 / 2.0).floor();
        let row = (y * GLYPH_HEIGHT as f32 + GLYPH_HEIGHT as f32 / 2.0).floor();
        let inside = (0.0..self.width as f32).contains(&column) && (0.0..GLYPH_HEIGHT as f32).contains(&row);
        inside && self.dots[row as usize * self.width + column as usize]
    }
}

impl OriginDimensions for Label {
    fn size(&self) -> Size {
        Size::new(self.width as u32, GLYPH_HEIGHT as u32)
    }
}

impl DrawTarget for Label {
    type Color = BinaryColor;
    type Error = std::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<BinaryColor>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(Point { x, y }, colour) in pixels {
            if let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y))
                && x < self.width
                && y < GLYPH_HEIGHT
            {
                self.dots[y * self.width + x] = colour.is_on();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_have_ink_and_their_surroundings_none() {
        let label = Label::new("I");
        assert!((0..20).any(|row| label.ink(0.0, row as f32 / 20.0 - 0.5)));
        assert!(!label.ink(0.6, 0.0) && !label.ink(0.0, 0.6) && !label.ink(-9.0, -9.0));
    }
}
