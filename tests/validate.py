"""Checks all documents below a folder by the rules of the W3C feed validator for RFC 4287, RSS 2.0 and OPML that outputs can break.

usage: validate.py FOLDER
Prints one line a fault: the validator's name of the rule, the file, what stands there. Addresses and languages of pages and JSON
Feeds are checked by the same rules.
"""
import html
import json
import os
import re
import sys
import xml.dom.minidom
from email.utils import parsedate_to_datetime

ATOM = "http://www.w3.org/2005/Atom"
URI = re.compile(r"[a-z][a-z0-9+.-]*:(//(\[[0-9a-f:.]+\]|[\w.~-]+)(:\d*)?(?=[/?#]|$))?([\w\-._~:/?@!$&'()*+,;=]|%[0-9a-f]{2})*(#([\w\-._~:/?@!$&'()*+,;=]|%[0-9a-f]{2})*)?", re.A | re.I)
WEB = re.compile(r"(https?|ftp)://[^/?#]", re.A | re.I)
LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*", re.A | re.I)
MEDIA_TYPE = re.compile(r"[a-z0-9][\w!#$&^.+-]*/[a-z0-9][\w!#$&^.+-]*(\s*;[ -~]*)?", re.A | re.I)
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.A)
RFC822 = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d [+-]\d{4}", re.A)
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")

faults = []


def fault(rule, path, detail):
    faults.append(f"{rule} {path}: {str(detail)!r}")


def address(value, path, is_web=False):
    if not URI.fullmatch(value) or value.lower().startswith(("http", "ftp")) and not WEB.match(value):
        fault("InvalidURI", path, value)
    elif is_web and not WEB.match(value):
        fault("InvalidFullLink", path, value)


def check(pattern, rule, value, path):
    if not pattern.fullmatch(value):
        fault(rule, path, value)


def children(element, name, namespace=None):
    return [child for child in element.childNodes if child.nodeType == 1 and child.localName == name
            and (namespace is None or child.namespaceURI == namespace)]


def text(element):
    return "".join(node.data for node in element.childNodes if node.nodeType in (3, 4))


def one(element, name, path, rule, namespace=None):
    found = children(element, name, namespace)
    if len(found) != 1:
        fault(rule if not found else "DuplicateElement", path, name)
    return text(found[0]) if found else None


def atom_links(element, path):
    seen = set()
    for link in children(element, "link", ATOM):
        rel, kind, language = (link.getAttribute(name) for name in ("rel", "type", "hreflang"))
        if not link.hasAttribute("href"):
            fault("MissingHref", path, rel)
        address(link.getAttribute("href"), path)
        if kind:
            check(MEDIA_TYPE, "InvalidMIMEType", kind, path)
        if language:
            check(LANGUAGE, "InvalidLanguage", language, path)
        if link.hasAttribute("length") and not re.fullmatch(r"\d+", link.getAttribute("length"), re.A):
            fault("InvalidNonNegativeInteger", path, link.getAttribute("length"))
        if rel in ("", "alternate"):
            if (kind, language) in seen:
                fault("DuplicateAtomLink", path, (kind, language))
            seen.add((kind, language))


def atom_persons(element, path):
    for person in children(element, "author", ATOM) + children(element, "contributor", ATOM):
        if not (one(person, "name", path, "MissingElement", ATOM) or "").strip():
            fault("NotBlank", path, "name")
        for uri in children(person, "uri", ATOM):
            address(text(uri), path)


def atom(feed, path):
    is_archive = bool(feed.getElementsByTagNameNS("http://purl.org/syndication/history/1.0", "archive"))
    identifiers = set()
    for element in [feed] + children(feed, "entry", ATOM):
        identifier = one(element, "id", path, "MissingElement", ATOM) or ""
        address(identifier, path)
        if identifier in identifiers:
            fault("DuplicateIds", path, identifier)
        identifiers.add(identifier)
        one(element, "title", path, "MissingElement", ATOM)
        for name in ("updated", "published"):
            for date in children(element, name, ATOM):
                check(RFC3339, "InvalidRFC3339Date", text(date), path)
        one(element, "updated", path, "MissingElement", ATOM)
        atom_links(element, path)
        atom_persons(element, path)
        for category in children(element, "category", ATOM):
            if not category.getAttribute("term"):
                fault("MissingAttribute", path, "term")
        if element is not feed:
            has_page = any(link.getAttribute("rel") in ("", "alternate") for link in children(element, "link", ATOM))
            if not has_page and not children(element, "content", ATOM):
                fault("MissingAlternateLink", path, identifier)
            if not children(feed, "author", ATOM) and not children(element, "author", ATOM):
                fault("MissingElement", path, "author")
    if not is_archive and not any(link.getAttribute("rel") == "self" for link in children(feed, "link", ATOM)):
        fault("MissingSelf", path, "")


def own(element, name):
    """Children of RSS itself, not of an extension."""
    return [child for child in children(element, name) if child.namespaceURI is None]


def rss(root, path):
    channel = children(root, "channel")[0]
    for name in ("title", "link", "description"):
        if len(own(channel, name)) != 1:
            fault("DuplicateElement" if own(channel, name) else "MissingElement", path, name)
    items = children(channel, "item")
    guids = [text(guid) for item in items for guid in children(item, "guid")]
    if len(set(guids)) != len(guids):
        fault("DuplicateItem", path, "guid")
    for element in [channel] + items:
        for link in own(element, "link"):
            address(text(link), path, is_web=element is channel)
        for name in ("pubDate", "lastBuildDate"):
            for date in children(element, name):
                check(RFC822, "InvalidRFC2822Date", text(date), path)
                parsedate_to_datetime(text(date))
        for language in children(element, "language"):
            check(LANGUAGE, "InvalidLanguage", text(language), path)
    for item in items:
        if not children(item, "title") and not children(item, "description"):
            fault("ItemMustContainTitleOrDescription", path, "")
        for guid in children(item, "guid"):
            if guid.getAttribute("isPermaLink") != "false":
                address(text(guid), path, is_web=True)
        for enclosure in children(item, "enclosure"):
            address(enclosure.getAttribute("url"), path, is_web=True)
            check(MEDIA_TYPE, "InvalidMIMEType", enclosure.getAttribute("type"), path)
            check(re.compile(r"\d+", re.A), "InvalidNonNegativeInteger", enclosure.getAttribute("length"), path)
        for source in children(item, "source"):
            address(source.getAttribute("url"), path, is_web=True)


def opml(root, path):
    if root.getAttribute("version") not in ("1.0", "1.1", "2.0"):
        fault("InvalidOPMLVersion", path, root.getAttribute("version"))
    for outline in root.getElementsByTagName("outline"):
        if not outline.getAttribute("text"):
            fault("MissingAttribute", path, "text")
        if outline.getAttribute("type") == "rss" and not outline.getAttribute("xmlUrl"):
            fault("MissingXmlURL", path, outline.getAttribute("text"))
        for name in ("xmlUrl", "htmlUrl", "url"):
            if outline.hasAttribute(name):
                address(outline.getAttribute(name), path, is_web=True)
    for name in ("dateCreated", "dateModified"):
        for date in root.getElementsByTagName(name):
            check(RFC822, "InvalidRFC2822Date", text(date), path)


def any_xml(root, path):
    """What holds for elements of all formats and extensions."""
    for element in [root] + list(root.getElementsByTagName("*")):
        if element.hasAttribute("xml:lang"):
            check(LANGUAGE, "InvalidLanguage", element.getAttribute("xml:lang"), path)
        if element.prefix == "media" and element.hasAttribute("url"):
            address(element.getAttribute("url"), path, is_web=True)


def any_json(value, path):
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(inner, str):
            if key in ("url", "image", "external_url", "home_page_url", "feed_url", "icon"):
                address(inner, path, is_web=key == "image")
            if key == "language":
                check(LANGUAGE, "InvalidLanguage", inner, path)
            if key == "mime_type":
                check(MEDIA_TYPE, "InvalidMIMEType", inner, path)
        any_json(inner, path)


def page(body, path):
    for tag in re.findall(r"<[a-z][^<>]*>", body):
        for name, value in re.findall(r'\s(href|src|lang|hreflang)="([^"]*)"', tag):
            value = html.unescape(value)
            if name in ("lang", "hreflang"):
                check(LANGUAGE, "InvalidLanguage", value, path)
            elif re.match(r"[a-z]+:", value) and not value.startswith("data:"):
                address(value, path)


def read(path, name):
    with open(path, "rb") as file:
        body = file.read()
    try:
        body = body.decode()
    except UnicodeDecodeError as error:
        return fault("UnicodeError", name, error)
    found = CONTROL.search(body)
    if found:
        fault("BadCharacters", name, body[max(0, found.start() - 40):found.end() + 20])
    if path.endswith((".xml", ".opml")):
        try:
            root = xml.dom.minidom.parseString(body.encode()).documentElement
        except Exception as error:
            return fault("SAXError", name, error)
        any_xml(root, name)
        {"feed": atom, "rss": rss, "opml": opml}.get(root.localName, lambda *_: None)(root, name)
    elif path.endswith(".json"):
        any_json(json.loads(body), name)
    elif path.endswith(".html"):
        page(body, name)


for folder, _, files in os.walk(sys.argv[1]):
    for file in files:
        read(os.path.join(folder, file), os.path.relpath(os.path.join(folder, file), sys.argv[1]))
print("\n".join(faults))
