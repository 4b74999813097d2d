//! The registry of feed formats. Each is a file beside this one, and an element here.

use super::{OutputFormat, atom, json_feed, rss};

/// All formats, in the order in which pages offer them.
pub const FORMATS: [OutputFormat; 3] = [atom::FORMAT, rss::FORMAT, json_feed::FORMAT];

/// The format with this file name.
pub fn of_file(file: &str) -> Option<&'static OutputFormat> {
    const { &FORMATS }.iter().find(|format| format.file == file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_has_a_file_of_its_own() {
        for format in &FORMATS {
            assert_eq!(of_file(format.file).map(|found| found.name), Some(format.name));
        }
        assert!(of_file("index.html").is_none());
    }
}
