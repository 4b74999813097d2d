//! How an installation looks: its logo, colour, typeface and footer.

use std::path::PathBuf;

use serde::Serialize;

use super::color::Color;

/// `[brand]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    pub logo: Option<Logo>,
    /// In place of `logo` on a dark background.
    pub logo_dark: Option<Logo>,
    /// Of links, buttons and lines, readable on light backgrounds.
    pub accent: Color,
    /// The same on dark ones.
    pub accent_dark: Color,
    pub typeface: Typeface,
    /// The lines of the postal address.
    pub address: Vec<String>,
    pub links: Vec<BrandLink>,
}

/// A file that is published as a logo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo {
    pub file: PathBuf,
    /// The published path.
    pub path: String,
}

/// A link of the footer, such as a legal notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BrandLink {
    pub label: String,
    pub url: String,
}

/// The letters of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Typeface {
    /// Those of the system.
    Serif,
    Sans,
    /// Published with the pages.
    SourceSerif,
    SourceSans,
    Literata,
    Atkinson,
}

/// Light backgrounds: of pages, of mails around their text.
pub const LIGHT: [Color; 2] = [Color([255, 255, 255]), Color([243, 245, 247])];
/// Dark backgrounds: of pages, of mails.
pub const DARK: [Color; 2] = [Color([13, 17, 23]), Color([22, 27, 34])];
const ACCENT: Color = Color([0x0b, 0x5c, 0x8a]);
const ACCENT_DARK: Color = Color([0x7c, 0xc4, 0xf0]);

impl Typeface {
    pub const ALL: [(&'static str, Typeface); 6] = [
        ("serif", Typeface::Serif),
        ("sans", Typeface::Sans),
        ("source-serif", Typeface::SourceSerif),
        ("source-sans", Typeface::SourceSans),
        ("literata", Typeface::Literata),
        ("atkinson", Typeface::Atkinson),
    ];

    /// The family, and those that stand in for it: for letters that it has not, and until it is there.
    pub fn families(self) -> &'static str {
        match self {
            Typeface::Serif => "Georgia, \"Times New Roman\", serif",
            Typeface::Sans => "system-ui, sans-serif",
            Typeface::SourceSerif => "\"Source Serif\", Georgia, \"Times New Roman\", serif",
            Typeface::SourceSans => "\"Source Sans\", system-ui, sans-serif",
            Typeface::Literata => "Literata, Georgia, \"Times New Roman\", serif",
            Typeface::Atkinson => "\"Atkinson Hyperlegible\", system-ui, sans-serif",
        }
    }

    /// The published path of its file, unless it is one of the system, and its name.
    pub fn file(self) -> Option<(&'static str, &'static str)> {
        match self {
            Typeface::Serif | Typeface::Sans => None,
            Typeface::SourceSerif => Some(("brand/source-serif.woff2", "Source Serif")),
            Typeface::SourceSans => Some(("brand/source-sans.woff2", "Source Sans")),
            Typeface::Literata => Some(("brand/literata.woff2", "Literata")),
            Typeface::Atkinson => Some(("brand/atkinson.woff2", "Atkinson Hyperlegible")),
        }
    }
}

impl Default for Brand {
    fn default() -> Brand {
        Brand {
            logo: None,
            logo_dark: None,
            accent: ACCENT,
            accent_dark: ACCENT_DARK,
            typeface: Typeface::Serif,
            address: Vec::new(),
            links: Vec::new(),
        }
    }
}

/// A brand as templates see it.
#[derive(Debug, Serialize)]
pub struct BrandView<'a> {
    logo: Option<&'a str>,
    logo_dark: Option<&'a str>,
    accent: String,
    accent_dark: String,
    families: &'a str,
    font: Option<&'a str>,
    font_name: Option<&'a str>,
    address: &'a [String],
    links: &'a [BrandLink],
}

impl Brand {
    pub fn view(&self) -> BrandView<'_> {
        BrandView {
            logo: self.logo.as_ref().map(|logo| logo.path.as_str()),
            logo_dark: self.logo_dark.as_ref().map(|logo| logo.path.as_str()),
            accent: self.accent.to_string(),
            accent_dark: self.accent_dark.to_string(),
            families: self.typeface.families(),
            font: self.typeface.file().map(|(path, _)| path),
            font_name: self.typeface.file().map(|(_, name)| name),
            address: &self.address,
            links: &self.links,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::color::CONTRAST_MIN;

    #[test]
    fn the_colours_without_a_brand_can_be_read() {
        let brand = Brand::default();
        assert!(LIGHT.iter().all(|on| brand.accent.contrast(*on) >= CONTRAST_MIN));
        assert!(DARK.iter().all(|on| brand.accent_dark.contrast(*on) >= CONTRAST_MIN));
    }
}
