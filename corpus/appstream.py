"""appstream.py COURANT COMPONENTS [LANGUAGES ...]: how many translated descriptions of programs `courant cluster` joins.

COMPONENTS is a distribution's AppStream catalogue (Debian's DEP-11: `Components-amd64.yml.gz` beside the package index). Each program
that describes itself in all of the languages (`ca,en` unless others are given) is a story: name and summary are its title, the
description its text; its versions come from one source a language, in random order, within five days. Prints precision and recall of
the links between two languages for the full text, its first 280 characters, and titles alone; of more languages, for each two of them
by themselves. Needs PyYAML."""

import collections, datetime, gzip, html, itertools, json, random, re, subprocess, sys, tempfile

import yaml

EXCERPT_CHARS = 280
STORIES_A_WEEK = 10
DAYS_APART_MAX = 5
START = datetime.date(2022, 1, 3)


def plain(markup):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def programs(path):
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with gzip.open(path, "rt", encoding="utf8") as file:
        for component in yaml.load_all(file, Loader=loader):
            if component and component.get("Description"):
                yield component["ID"], component


def version(component, language):
    """Title and text in a language; nothing where it is not translated."""
    own = "C" if language == "en" else language
    parts = [component.get(key) or {} for key in ("Name", "Summary", "Description")]
    if any(own not in part for part in parts[1:]) or (own != "C" and parts[2][own] == parts[2].get("C")):
        return None
    name = parts[0].get(own) or parts[0].get("C", "")
    return f"{name}: {parts[1][own]}", plain(parts[2][own])


def entries(path, languages):
    rng, found = random.Random(1), {}
    for name, component in programs(path):
        versions = [version(component, language) for language in languages]
        if all(versions):
            found.setdefault(name, versions)
    names = sorted(found)
    rng.shuffle(names)
    for number, name in enumerate(names):
        for language, (title, text) in zip(languages, found[name]):
            day = START + datetime.timedelta(number * 7 // STORIES_A_WEEK + rng.randint(0, DAYS_APART_MAX))
            yield {"id": f"{name} {language}", "source": language, "url": f"https://{language}.example/{number}",
                   "title": title, "text": text, "language": language, "published": f"{day}T08:00:00Z"}


def excerpt(text):
    return text if len(text) <= EXCERPT_CHARS else text[:EXCERPT_CHARS].rsplit(" ", 1)[0]


def pairs(clusters):
    groups = collections.defaultdict(list)
    for entry, cluster in clusters:
        groups[cluster].append(entry)
    both = (pair for group in groups.values() for pair in itertools.combinations(sorted(group), 2))
    return {(a, b) for a, b in both if a.split()[1] != b.split()[1]}


def score(courant, rows):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl", encoding="utf8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        file.flush()
        done = subprocess.run([courant, "cluster", file.name], capture_output=True, text=True, check=True)
    placed = [json.loads(line) for line in done.stdout.splitlines()]
    found = pairs((row["id"], row["cluster"]) for row in placed)
    wanted = pairs((row["id"], row["id"].split()[0]) for row in rows)
    return len(found & wanted) / max(1, len(found)), len(found & wanted) / max(1, len(wanted))


VIEWS = {"full text": lambda row: row["text"], "excerpt": lambda row: excerpt(row["text"]), "title alone": lambda row: ""}


def main():
    courant, path = sys.argv[1:3]
    for languages in (argument.split(",") for argument in sys.argv[3:] or ["ca,en"]):
        rows = sorted(entries(path, languages), key=lambda row: (row["published"], row["id"]))
        for some in itertools.combinations(languages, 2) if len(languages) > 2 else [languages]:
            own = [row for row in rows if row["language"] in some]
            scores = [score(courant, [{**row, "text": view(row)} for row in own]) for view in VIEWS.values()]
            shown = "; ".join(f"{name} {p:.3f} / {r:.3f}" for name, (p, r) in zip(VIEWS, scores))
            print(f"{', '.join(some)}, {len(own)} texts: {shown}", flush=True)


main()
