"""A source that falls silent or shrinks is an error that says so, not a crawl that found nothing new."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import datetime

from crawler.registry import ARCHIVES
from crawler.report import SourceReport
from index import tables_watch as tables
from index.config import WatchConfig
from index.records import Source
from index.store import Store, now
from index.tables_watch import Fare

USUAL = 3  # as many times its longest pause of a year may a source be quiet
FEW = 20  # posts: a source with fewer shrinks by chance


def judge(store: Store, config: WatchConfig, sources: Iterable[Source], reports: Iterable[SourceReport]) -> tuple[SourceReport, ...]:
    """The reports, with what is wrong with a source that was read without an error; each crawl is remembered."""
    kinds = {source.id: source.kind for source in sources}
    fares, number, moment = tables.fares(store), tables.next_crawl(store), now()
    judged = []
    for report in reports:
        fare = fares[report.source]
        silent = kinds[report.source] not in ARCHIVES and is_silent(fare, config.silent_days, moment)
        why, way_out = _complaint(fare, config, silent, moment)
        if why and not report.error:
            report = replace(report, error=f"{report.source} {why}", way_out=way_out)
        tables.remember_fare(store, number, fare, moment, silent, asdict(report))
        judged.append(report)
    return tuple(judged)


def is_silent(fare: Fare, days: int, moment: str) -> bool:
    """Whether the newest post is older than so many days, and than three times the longest pause of a year. 0 days = never."""
    return days > 0 and bool(fare.newest) and _age(fare, moment) > max(days, USUAL * fare.longest_pause)


def _age(fare: Fare, moment: str) -> int:
    return (datetime.fromisoformat(moment) - datetime.fromisoformat(fare.newest)).days


def _complaint(fare: Fare, config: WatchConfig, silent: bool, moment: str) -> tuple[str, str]:
    if silent and fare.spoke_before:
        return (
            f"has fallen silent: its newest post is {_age(fare, moment)} days old, its longest pause in a year was {fare.longest_pause}",
            "see whether it has moved or hides from this program; watch.silent_days sets the limit, 0 turns it off",
        )
    before = fare.posts_before
    if before is not None and config.shrink_bp > 0 and before >= FEW and (before - fare.posts) * 10_000 > before * config.shrink_bp:
        return (
            f"has shrunk from {before:,} to {fare.posts:,} readable posts since the last crawl",
            "see what happened there before anything is built on it; watch.shrink_bp sets the limit, 0 turns it off",
        )
    return "", ""
