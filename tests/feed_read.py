"""Reads a feed with feedparser, another project's reader, and prints what it found as JSON.

usage: feed_read.py FILE
"""
import json
import sys
import time

import feedparser

feed = feedparser.parse(sys.argv[1])
print(json.dumps({
    "bozo": bool(feed.bozo),
    "version": feed.version,
    "title": feed.feed.get("title"),
    "language": feed.feed.get("language"),
    "links": {link["rel"]: link["href"] for link in feed.feed.get("links", [])},
    "entries": [{
        "id": entry.get("id"),
        "title": entry.get("title"),
        "link": entry.get("link"),
        "summary": entry.get("summary"),
        "links": [[link.get("rel"), link.get("href"), link.get("hreflang")] for link in entry.get("links", [])],
        "tags": [[tag.get("term"), tag.get("scheme"), tag.get("label")] for tag in entry.get("tags", [])],
        "source": entry.get("source", {}).get("title"),
        "thumbnail": [thumbnail["url"] for thumbnail in entry.get("media_thumbnail", [])],
        "enclosures": [enclosure["href"] for enclosure in entry.get("enclosures", [])],
        "published": time.strftime("%Y-%m-%dT%H:%M:%SZ", entry.published_parsed) if entry.get("published_parsed") else None,
    } for entry in feed.entries],
}))
