//! OPML: lists of feeds in folders, as feed readers export them.

use super::xml::Cursor;

/// Feeds read of one list.
const FEEDS_MAX: usize = 50_000;

/// A feed of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedFeed {
    pub title: String,
    pub address: String,
    /// The id of the source, where courant wrote the list.
    pub source: Option<String>,
    pub language: Option<String>,
    /// The names of the folders that it is in, the outermost first.
    pub folders: Vec<String>,
}

/// Reads a list; `None` when it is something else.
pub(super) fn read(text: &str) -> Option<Vec<ListedFeed>> {
    let mut cursor = Cursor::new(text, None);
    let root = cursor.next_child(0).filter(|root| root.name == "opml")?;
    let mut found = Vec::new();
    while let Some(part) = cursor.next_child(root.depth) {
        if part.name == "body" {
            read_outlines(&mut cursor, part.depth, &mut Vec::new(), &mut found);
        } else {
            cursor.skip(&part);
        }
    }
    Some(found)
}

fn read_outlines(cursor: &mut Cursor, depth: usize, folders: &mut Vec<String>, found: &mut Vec<ListedFeed>) {
    while let Some(outline) = cursor.next_child(depth) {
        let mut attribute = |name: &str| {
            let value = cursor.attribute(&outline, name).map(|value| value.trim().to_owned());
            value.filter(|value| !value.is_empty())
        };
        let title = attribute("title").or_else(|| attribute("text")).unwrap_or_default();
        let (language, source) = (attribute("language"), attribute("source"));
        // A list of courant's own also has pages, as links.
        let page = if source.is_some() { attribute("url") } else { None };
        match attribute("xmlUrl").or(page) {
            Some(address) if found.len() < FEEDS_MAX => {
                found.push(ListedFeed { title, address, source, language, folders: folders.clone() });
                cursor.skip(&outline);
            }
            Some(_) => cursor.skip(&outline),
            None => {
                let is_named = !title.is_empty();
                folders.extend(is_named.then_some(title));
                read_outlines(cursor, outline.depth, folders, found);
                if is_named {
                    folders.pop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_are_read_with_their_folders_however_the_list_is_written() {
        let text = "<opml><head><title>x</title></head><body>\
            <outline text='News'><outline title='A &amp; B' text='a' xmlUrl='https://a.example/f?x=1&amp;y=2' language='fr'/>\
            <outline text='Deep'><OUTLINE text='C' XMLURL='https://c.example/'></outline></outline></outline>\
            <outline text='D' type='rss' xmlUrl='https://d.example/'/><outline text='link' url='https://x.example/'/></body></opml>";
        let found = read(text).unwrap();
        let shown: Vec<(&str, &str, String)> = found
            .iter()
            .map(|feed| (feed.title.as_str(), feed.address.as_str(), feed.folders.join("/")))
            .collect();
        assert_eq!(
            shown,
            [
                ("A & B", "https://a.example/f?x=1&y=2", "News".to_owned()),
                ("C", "https://c.example/", "News/Deep".to_owned()),
                ("D", "https://d.example/", String::new()),
            ]
        );
        assert_eq!(found[0].language.as_deref(), Some("fr"));
        assert_eq!(read("<rss/>"), None);
    }
}
