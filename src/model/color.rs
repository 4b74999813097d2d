//! Colours, and whether text in one can be read on another (WCAG 2.2).

use std::fmt;

/// The contrast that text needs on its background (WCAG 2.2, criterion 1.4.3, level AA).
pub const CONTRAST_MIN: f64 = 4.5;
/// In so many steps, a colour becomes black or white.
const STEPS: u32 = 64;

/// A colour in sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color(pub [u8; 3]);

impl Color {
    pub const BLACK: Color = Color([0, 0, 0]);
    pub const WHITE: Color = Color([255, 255, 255]);

    /// Reads `#0b5c8a` or `#05a`.
    ///
    /// # Errors
    /// A sentence that says what a colour looks like.
    pub fn parse(text: &str) -> Result<Color, String> {
        let fault = || format!("\"{text}\" is no colour: write one such as \"#0b5c8a\"");
        let digits = text.strip_prefix('#').filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let digits = match digits {
            Some(short) if short.len() == 3 => short.chars().flat_map(|digit| [digit, digit]).collect(),
            Some(long) if long.len() == 6 => long.to_owned(),
            _ => return Err(fault()),
        };
        let number = u32::from_str_radix(&digits, 16).map_err(|_| fault())?;
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Color([red, green, blue]))
    }

    /// From 0 for black to 1 for white.
    fn luminance(self) -> f64 {
        let linear = self.0.map(|channel| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    /// From 1 to 21.
    pub fn contrast(self, other: Color) -> f64 {
        let (own, other) = (self.luminance() + 0.05, other.luminance() + 0.05);
        own.max(other) / own.min(other)
    }

    /// The nearest colour of its hue that can be read on all of some backgrounds: darker or lighter, towards `to`.
    pub fn readable_on(self, backgrounds: &[Color], to: Color) -> Color {
        let is_readable = |color: &Color| backgrounds.iter().all(|on| color.contrast(*on) >= CONTRAST_MIN);
        (0..=STEPS).map(|step| self.mixed(to, step)).find(is_readable).unwrap_or(to)
    }

    fn mixed(self, to: Color, step: u32) -> Color {
        let mix = |at: usize| {
            let (own, other) = (u32::from(self.0[at]), u32::from(to.0[at]));
            ((own * (STEPS - step) + other * step) / STEPS) as u8
        };
        Color([mix(0), mix(1), mix(2)])
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_and_written() {
        assert_eq!(Color::parse("#0B5c8a").unwrap().to_string(), "#0b5c8a");
        assert_eq!(Color::parse("#05a").unwrap().to_string(), "#0055aa");
        for faulty in ["0b5c8a", "#0b5c8", "#0b5c8ag", "blue", "#é5", "#+12345"] {
            assert!(Color::parse(faulty).is_err(), "{faulty}");
        }
    }

    #[test]
    fn contrast_is_as_the_guidelines_compute_it() {
        assert!((Color::BLACK.contrast(Color::WHITE) - 21.0).abs() < 1e-9);
        // The lightest grey that passes on white.
        assert!(Color::parse("#767676").unwrap().contrast(Color::WHITE) >= CONTRAST_MIN);
        assert!(Color::parse("#777777").unwrap().contrast(Color::WHITE) < CONTRAST_MIN);
    }

    #[test]
    fn what_cannot_be_read_is_made_darker_or_lighter_until_it_can() {
        let (yellow, blue) = (Color::parse("#ffcc00").unwrap(), Color::parse("#0b5c8a").unwrap());
        let on_white = yellow.readable_on(&[Color::WHITE], Color::BLACK);
        assert!(on_white.contrast(Color::WHITE) >= CONTRAST_MIN);
        // It is still a yellow.
        assert!(on_white.0[0] > on_white.0[1] && on_white.0[1] > on_white.0[2]);
        assert_eq!(blue.readable_on(&[Color::WHITE], Color::BLACK), blue);
        let on_black = blue.readable_on(&[Color::BLACK], Color::WHITE);
        assert!(on_black != blue && on_black.contrast(Color::BLACK) >= CONTRAST_MIN);
    }
}
