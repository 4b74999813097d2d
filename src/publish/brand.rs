//! The files of typefaces, which are published so that no page asks another server for one.

use crate::model::brand::Typeface;

/// The path of the licence of the typefaces, and its text.
pub const LICENCE: &str = "brand/OFL.txt";
pub const LICENCE_TEXT: &str = include_str!("../../templates/brand/OFL.txt");

/// The file of a typeface, in all weights (WOFF2, variable); empty for those of the system.
pub fn font(typeface: Typeface) -> &'static [u8] {
    match typeface {
        Typeface::Serif | Typeface::Sans => &[],
        Typeface::SourceSerif => include_bytes!("../../templates/brand/source-serif.woff2"),
        Typeface::SourceSans => include_bytes!("../../templates/brand/source-sans.woff2"),
        Typeface::Literata => include_bytes!("../../templates/brand/literata.woff2"),
        Typeface::Atkinson => include_bytes!("../../templates/brand/atkinson.woff2"),
    }
}
