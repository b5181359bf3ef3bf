"""What came of a crawl, for whoever started it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What was read from one source in this run; `error` says why it is not all, `way_out` what to do."""

    source: str
    threads: int = 0
    posts: int = 0
    waiting: int = 0  # threads known of but not read yet
    requests: int = 0
    milliseconds: int = 0
    error: str | None = None
    way_out: str = ""


@dataclass(frozen=True, slots=True)
class CrawlReport:
    sources: tuple[SourceReport, ...]

    @property
    def partial(self) -> bool:
        """True if some source was not read, or not to its end, or is not what it was."""
        return any(report.error for report in self.sources)

    @property
    def errors(self) -> dict[str, str]:
        return {report.source: report.error for report in self.sources if report.error}
