"""Writing the site as a list of pages: templates in, files out, whole or not at all.

Everything is relative and nothing is asked from anywhere: the pages work from a web server, from IPFS and from a
folder. Jinja2 escapes what is put in; scripts get their data from files of our own making (publish/site/words.py).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from index.errors import StoreError, UsageError
from publish import skills
from publish.site import figures
from publish.site.data import ROLES, Person, Round, SiteData, place, round_of, safe_link, same_words, short, thread_links, tokens
from publish.site.layout import SIZE, layout
from publish.site.words import COMMON, Words, put, title_files, words_of
from publish.text import clean

MARK = ".precipitate-site"  # what tells a folder of ours from one that must not be overwritten
PER_PAGE = 200  # SOPs or people on one page of a list
MOST_FIRST = 120  # characters of a first step in the list of hits
MOST_RECEIPTS = 400  # on a contributor's page; the rest is counted
MOST_BARS = 12
MOST_ALTERNATIVES = 3
MOST_DOTS, DOT_COLOURS = 1_000, 6  # of the picture on the front page
STATIC = ("style.css", "app.js", "search.js", "map.js")
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class SiteReport:
    path: Path
    files: int
    bytes: int
    procedures: int
    people: int
    rounds: int


def build_site(data: SiteData, vectors: tuple[Sequence[str], Any], folder: Path, progress: Progress) -> SiteReport:
    """Write the site into `folder`, which must be new, empty or a site; a site that was there gives way in one step.

    `vectors`: ids of SOPs and their goals' unit vectors (n, d), for the map. Raises UsageError, StoreError.
    """
    _check(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        building.chmod(0o755)
        site = _Site(data, building, progress)
        for write in PAGES:
            write(site, vectors)
        (building / MARK).write_text(f"{data.root}\n", encoding="utf-8")
        _swap(building, folder)
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}", "see that there is room, and that you may write there") from None
    finally:
        shutil.rmtree(building, ignore_errors=True)
    rounds = len(data.rounds)
    return SiteReport(folder, site.files, site.bytes, len(data.procedures), len(data.people), rounds)


def _check(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"{folder} is no folder", "name a new one")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise UsageError(f"{folder} holds something other than a site", "name a new or an empty folder")


def _swap(building: Path, folder: Path) -> None:
    if folder.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
        os.replace(folder, old / "site")
        os.replace(building, folder)
        shutil.rmtree(old)
    else:
        os.replace(building, folder)


class _Site:
    """The templates, the folder, and what every page shows."""

    def __init__(self, data: SiteData, folder: Path, progress: Progress) -> None:
        import jinja2

        self.data, self.folder, self.progress = data, folder, progress
        self.files = self.bytes = 0
        self._places: dict[str, tuple[int, int]] | None = None
        self.rounds: list[Round] = [round_of(raw) for raw in data.rounds]
        self.titles = {row["id"]: row["title"] for row in data.procedures}
        self.topics = _topics(data.procedures)
        self.environment = jinja2.Environment(
            loader=jinja2.PackageLoader("publish.site"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.filters |= {"clean": clean, "link": safe_link, "place": place, "day": lambda moment: clean(moment or "")[:10]}
        self.environment.filters["same_words"] = same_words
        self.environment.filters |= {
            "thousands": lambda number: f"{number:,}",
            "person": self._person_page,
            "role": lambda role: ROLES.get(role, role),
        }
        self.environment.globals |= {
            "site": {"title": data.title, "root": data.root, "until": data.until, "made_by": data.made_by, "agents": data.agents}
        }

    def _person_page(self, author: str) -> str:
        person = self.data.people.get(author)
        return person.page if person else ""

    def places(self, vectors: tuple[Sequence[str], Any]) -> Mapping[str, tuple[int, int]]:
        """Where each SOP stands on the map; worked out once."""
        if self._places is None:
            ids, matrix = vectors
            self._places = dict(zip(ids, layout(matrix), strict=True))
        return self._places

    def page(self, name: str, template: str, /, **values: Any) -> None:
        """One HTML file; `up` leads from it to the front page."""
        up = "../" * name.count("/")
        self.file(name, self.environment.get_template(template).render(up=up, here=name, **values))

    def file(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        written = text.encode("utf-8", "replace")
        path.write_bytes(written)
        self.files, self.bytes = self.files + 1, self.bytes + len(written)


@dataclass(frozen=True, slots=True)
class Topic:
    """SOPs whose goals HDBSCAN put together, named by the words that set their titles apart."""

    number: int  # −1: those that are in none
    name: str
    rows: Sequence[Mapping[str, Any]]


def _topics(procedures: Sequence[Mapping[str, Any]]) -> list[Topic]:
    members: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    for row in procedures:
        members[row["cluster"] if row["cluster"] is not None else -1].append(row)
    common = Counter(word for row in procedures for word in set(words_of(row["title"])))
    named = [Topic(number, _name(rows, common), rows) for number, rows in members.items() if number >= 0]
    rest = [Topic(-1, "On their own", members[-1])] if -1 in members else []
    return sorted(named, key=lambda topic: (-len(topic.rows), topic.name)) + rest


def _name(rows: Sequence[Mapping[str, Any]], common: Mapping[str, int]) -> str:
    """Up to three words that most of these titles share and others lack; failing that, the shortest title."""
    counts = Counter(
        word for row in rows for word in set(words_of(row["title"])) if len(word) > 2 and word not in _STOP and not word.isdecimal()
    )
    scored = sorted(counts, key=lambda word: (-counts[word] * counts[word] / common[word], word))
    best = [word for word in scored if counts[word] * 3 >= len(rows)][:3]
    title = min((clean(row["title"]) for row in rows), key=lambda title: (len(title), title))
    return " · ".join(best) if best else title[:60]


_STOP = frozenset(
    "the and for with how from into that this are can you your not but its use using what when where via per new all any out".split()
)


# --- the pages ------------------------------------------------------------------------------------------------------


def _write_static(site: _Site, vectors: Any) -> None:
    for name in STATIC:
        site.file(name, resources.files("publish.site").joinpath("static", name).read_text(encoding="utf-8"))


def _write_home(site: _Site, vectors: Any) -> None:
    rows = site.data.procedures
    counts = {
        "SOPs": len(rows),
        "posts read": sum(source["posts"] for source in site.data.inventory["sources"]),
        "contributors credited": len(site.data.people),
        "round" if len(site.rounds) == 1 else "rounds": len(site.rounds),
    }
    supported = sorted(rows, key=lambda row: (-(row["support"]), row["title"]))[:8]
    together = sorted(rows, key=lambda row: (-row["authors"], -row["support"], row["title"]))[:8]
    site.page(
        "index.html", "home.html", counts=counts, supported=supported, together=together, topics=site.topics[:14], people=_top(site, 8),
        picture=_picture(site, vectors),
    )  # fmt: skip
    site.page("search.html", "search.html", common=sorted(COMMON))
    site.page("about.html", "about.html")


def _picture(site: _Site, vectors: tuple[Sequence[str], Any]) -> Any:
    places, rows = site.places(vectors), site.data.procedures
    shown = [row for row in rows[:: max(1, len(rows) // MOST_DOTS)] if row["id"] in places]
    dots = [(*places[row["id"]], row["cluster"] if row["cluster"] is not None else -1) for row in shown]
    return figures.scatter(dots, SIZE, DOT_COLOURS)


def _top(site: _Site, most: int) -> list[Person]:
    return list(site.data.people.values())[:most]


def _write_lists(site: _Site, vectors: Any) -> None:
    rows, people = site.data.procedures, list(site.data.people.values())
    for name, template, entries in (("sops", "sops.html", rows), ("people", "people.html", people)):
        pages = max(1, -(-len(entries) // PER_PAGE))
        for number in range(pages):
            here = entries[number * PER_PAGE : (number + 1) * PER_PAGE]
            file = f"{name}.html" if number == 0 else f"{name}-{number + 1}.html"
            site.page(file, template, rows=here, number=number + 1, pages=pages, name=name, total=len(entries))
    site.page("topics.html", "topics.html", topics=site.topics)


def _write_sops(site: _Site, vectors: Any) -> None:
    """One page for each SOP, and the index of their words; read once, one batch in memory."""
    words = Words()
    firsts: dict[str, str] = {}
    for done, record in enumerate(site.data.records(), 1):
        words.add(record)
        firsts[record["id"]] = figures.cut(record["steps"][0]["text"], MOST_FIRST)
        others = site.data.snapshot.records(record["alternatives"][:MOST_ALTERNATIVES]) if record["alternatives"] else {}
        stances: dict[int | None, list[Any]] = defaultdict(list)
        for stance in record["stances"]:
            stances[stance["step"]].append(stance)
        alternatives = [others[name] for name in record["alternatives"] if name in others]
        more = [name for name in record["alternatives"] if name not in others and name in site.titles]
        site.page(
            f"sops/{record['id']}.html",
            "sop.html",
            record=record,
            stances=stances,
            alternatives=alternatives,
            more=more,
            titles=site.titles,
            places=thread_links(record),
        )
        if done % 100 == 0 or done == len(site.data.procedures):
            site.progress("site", done, len(site.data.procedures))
    for name, text in (*words.files(), *title_files(site.data.procedures, firsts)):
        site.file(name, text)


def _write_people(site: _Site, vectors: Any) -> None:
    for person in site.data.people.values():
        by_sop: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for credit in person.credits:
            by_sop[credit["procedure"]].append(credit)
        sums = sorted(((sum(int(c["points"]) for c in own), sop) for sop, own in by_sop.items()), reverse=True)
        parts = [(by_sop[sop][0]["title"], points) for points, sop in sums[:MOST_BARS]]
        if len(sums) > MOST_BARS:
            parts.append((f"{len(sums) - MOST_BARS} more SOPs", sum(points for points, _ in sums[MOST_BARS:])))
        receipts = [(sop, points, by_sop[sop]) for points, sop in sums]
        payouts = [(each, row) for each in site.rounds for row in each.rows if row["author"] == person.author]
        shown, left = _first(receipts, MOST_RECEIPTS)
        chart = figures.waterfall(parts, person.points)
        site.page(
            person.page, "person.html", person=person, parts=parts, chart=chart, receipts=shown, left=left, payouts=payouts, tokens=tokens,
            titles=site.titles,
        )  # fmt: skip


def _first(receipts: Sequence[tuple[str, int, list[Any]]], most: int) -> tuple[list[tuple[str, int, list[Any]]], int]:
    """As many whole SOPs as fit, at least one; how many credits are left out."""
    shown: list[tuple[str, int, list[Any]]] = []
    room = most
    for sop, points, own in receipts:
        if shown and len(own) > room:
            break
        shown.append((sop, points, own[:most]))
        room -= len(own)
    return shown, sum(len(own) for _, _, own in receipts) - sum(len(own) for _, _, own in shown)


def _write_rounds(site: _Site, vectors: Any) -> None:
    site.page("rounds.html", "rounds.html", rounds=site.rounds, tokens=tokens, short=short)
    for each in site.rounds:
        charts = {
            "histogram": figures.histogram(each.bins, f"Histogram: {len(each.rows)} payees by amount"),
            "lorenz": figures.lorenz_curve(each.lorenz, f"Lorenz curve with a Gini coefficient of {each.gini_bp / 10_000:.2f}"),
        }
        site.page(f"rounds/{short(each.name)}.html", "round.html", round=each, charts=charts, tokens=tokens)


def _write_sources(site: _Site, vectors: Any) -> None:
    found = site.data.inventory
    site.page("sources.html", "sources.html", sources=found["sources"])
    reasons: Counter[str] = Counter()
    for source in found["sources"]:
        for entry in source["threads_without_procedure"]:
            reasons[entry["reason"]] += entry["threads"]
    costs = [(row["stage"], round(row["seconds"])) for row in found["stages"]]
    charts = {
        "reasons": figures.bars(list(reasons.items()), "Threads that gave no SOP, by reason"),
        "costs": figures.bars(costs, "Seconds of work in all runs, by stage"),
    }
    site.page("health.html", "health.html", sources=found["sources"], stages=found["stages"], charts=charts, reasons=reasons.most_common())


def _write_map(site: _Site, vectors: tuple[Sequence[str], Any]) -> None:
    places = site.places(vectors)
    shown = [row for row in site.data.procedures if row["id"] in places]
    value = {
        "ids": [row["id"] for row in shown],
        "titles": [clean(row["title"])[:90] for row in shown],
        "x": [places[row["id"]][0] for row in shown],
        "y": [places[row["id"]][1] for row in shown],
        "topic": [row["cluster"] if row["cluster"] is not None else -1 for row in shown],
        "steps": [row["steps"] for row in shown],
        "names": {str(topic.number): topic.name for topic in site.topics if topic.number >= 0},
    }
    site.file("data/map.js", put("map", value))
    site.page("map.html", "map.html", count=len(shown), topics=site.topics)


def _write_agents(site: _Site, vectors: Any) -> None:
    """What agents read of a site: llms.txt at its root, and an .sop.md for each SOP."""
    if not site.data.agents:
        return
    heads = []
    for record in site.data.records():
        heads.append(skills.head_of(record))
        site.file(f"{heads[-1][0]}.sop.md", skills.agent_sop(record))
    site.file("llms.txt", skills.llms_index(heads))


PAGES: tuple[Callable[[_Site, Any], None], ...] = (
    _write_static,
    _write_home,
    _write_lists,
    _write_sops,
    _write_people,
    _write_rounds,
    _write_sources,
    _write_map,
    _write_agents,
)


def page_kinds(folder: Path) -> Iterator[str]:
    """One page of each kind that a site has, for checks that look at each kind once."""
    for name in ("index", "search", "about", "sops", "people", "topics", "rounds", "sources", "health", "map"):
        yield f"{name}.html"
    for kind in ("sops", "people", "rounds"):
        found = sorted((folder / kind).glob("*.html")) if (folder / kind).is_dir() else []
        if found:
            yield f"{kind}/{found[0].name}"
