//! `[brand]`: how pages and mails look.

use std::path::Path;

use super::ConfigContext;
use super::section::Section;
use crate::model::address::parse_web_url;
use crate::model::brand::{Brand, BrandLink, DARK, LIGHT, Logo, Typeface};
use crate::model::color::Color;

/// The kinds of files that a logo may be.
const LOGOS: [&str; 5] = ["svg", "png", "webp", "jpg", "jpeg"];
const LOGO_BYTES_MAX: u64 = 512 * 1024;

pub(super) fn read_brand(section: &Section, surroundings: &ConfigContext) -> Brand {
    let default = Brand::default();
    let logo = |key, name| section.parsed(key, |text| read_logo(text, name, surroundings.folder));
    let given = section.parsed("accent", Color::parse);
    let accent = given.unwrap_or(default.accent);
    // Without a dark one, the same in lighter.
    let dark = section.parsed("accent_dark", Color::parse);
    let for_dark = dark.or(given).unwrap_or(default.accent_dark);
    let brand = Brand {
        logo: logo("logo", "logo"),
        logo_dark: logo("logo_dark", "logo-dark"),
        accent: accent.readable_on(&LIGHT, Color::BLACK),
        accent_dark: for_dark.readable_on(&DARK, Color::WHITE),
        typeface: section.choice("typeface", &Typeface::ALL).unwrap_or(default.typeface),
        address: section.list("address", |line| Ok(line.to_owned())),
        links: section.tables("link").iter().map(read_link).collect(),
    };
    if brand.accent != accent {
        let shown = brand.accent;
        section.note("accent", format!("{accent} cannot be read on white: {shown} stands in its place"));
    }
    if dark.is_some_and(|dark| dark != brand.accent_dark) {
        let shown = brand.accent_dark;
        section
            .note("accent_dark", format!("{for_dark} cannot be read on black: {shown} stands in its place"));
    }
    if brand.logo.is_none() && brand.logo_dark.is_some() {
        section.note("logo_dark", "it is only shown in place of a logo");
    }
    brand
}

fn read_logo(text: &str, name: &str, folder: &Path) -> Result<Logo, String> {
    let file = folder.join(text);
    let extension = file.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let known = extension.filter(|extension| LOGOS.contains(&extension.as_str()));
    let extension =
        known.ok_or_else(|| format!("\"{text}\" is no picture: it must end in .svg, .png, .webp or .jpg"))?;
    let found =
        std::fs::metadata(&file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    if !found.is_file() || found.len() > LOGO_BYTES_MAX {
        return Err(format!("{} must be a file of at most {} KiB", file.display(), LOGO_BYTES_MAX / 1024));
    }
    Ok(Logo { file, path: format!("brand/{name}.{extension}") })
}

fn read_link(section: &Section) -> BrandLink {
    section.needs("url", "url is missing: write where the link leads");
    let url = section.parsed("url", parse_web_url).map(|url| url.to_string());
    BrandLink { label: section.required("label"), url: url.unwrap_or_default() }
}
