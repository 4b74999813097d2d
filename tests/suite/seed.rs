//! The first document that courant was given: the French listing of OGP's stories, as the demo's site serves it.

use scraper::{Html, Node, Selector};

use crate::support::App;

const SEED: &str = include_str!("../fixtures/ogp-fr-listing.txt");
const PAGE: &str = include_str!("../../demo/sites/ogp-fr.html");

/// The paragraphs of the seed: the skip link, the heading, three for each story, the site's name.
fn paragraphs() -> Vec<&'static str> {
    SEED.split("\n\n").map(str::trim_end).filter(|paragraph| !paragraph.is_empty()).collect()
}

/// What a person sees, hears or copies: the texts in order, an image's alt in its place.
fn visible(page: &str) -> Vec<String> {
    let html = Html::parse_document(page);
    let body = html.select(&Selector::parse("body").unwrap()).next().unwrap();
    let texts = body.descendants().filter_map(|node| match node.value() {
        Node::Text(text) => Some(text.trim_matches(|c: char| c.is_ascii_whitespace()).to_owned()),
        Node::Element(element) if element.name() == "img" => element.attr("alt").map(str::to_owned),
        _ => None,
    });
    texts.filter(|text| !text.is_empty()).collect()
}

#[test]
fn the_page_that_we_serve_shows_exactly_the_text_of_the_seed() {
    assert_eq!(visible(PAGE), paragraphs());
}

#[test]
fn six_stories_come_out_to_the_letter_and_nothing_else() {
    let app = App::new(
        "[[source]]\nid = \"ogp\"\nkind = \"page\"\nurl = \"https://ogp.example/fr/\"\n[source.select]\nitem = \"article.card\"\ntitle = \".card__title\"\nlink = \".card__title a\"\nsummary = \".card__excerpt\"\nimage = \".card__media img\"\n",
    );
    app.write("page.html", PAGE.replace("{{origin}}", "https://ogp.example"));
    let printed = app.ok(&["probe", "page.html", "--url", "https://ogp.example/fr/", "--format", "jsonfeed"]);
    let feed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let items = feed["items"].as_array().unwrap();
    let paragraphs = paragraphs();
    let stories: Vec<&[&str]> = paragraphs[2..paragraphs.len() - 1].chunks(3).collect();
    assert_eq!(items.len(), stories.len());
    for (item, story) in items.iter().zip(stories) {
        assert_eq!(item["title"], story[1]);
        assert_eq!(item["summary"], story[2]);
        assert_eq!(item["language"], "fr-FR");
        assert!(
            item["image"].as_str().unwrap().starts_with("https://ogp.example/ogp/wp-content/uploads/"),
            "{item}"
        );
        // The one story whose caption stands in the page as text has an empty alt.
        let alt = item["_courant"]["image_alt"].as_str().unwrap_or(story[0]);
        assert_eq!(alt, story[0]);
        assert!(item["date_published"].is_null(), "the page has no dates: {item}");
    }
}
