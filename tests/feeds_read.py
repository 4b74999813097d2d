"""Reads feeds with feedparser, another project's reader, and prints their entries: a line of JSON a feed.

usage: feeds_read.py FILE…
"""
import calendar
import json
import sys

import feedparser


def seconds(entry):
    date = entry.get("published_parsed") or entry.get("updated_parsed")
    return calendar.timegm(date) if date else None


for path in sys.argv[1:]:
    with open(path, "rb") as file:
        feed = feedparser.parse(file.read(), response_headers={"content-location": "https://x.example/feed"})
    print(json.dumps([{
        "title": entry.get("title"),
        "link": entry.get("link"),
        "date": seconds(entry),
    } for entry in feed.entries]))
