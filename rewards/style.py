"""How alike two accounts write, whatever they write about: Burrows's Delta as a cosine (Smith and Aldridge 2011).

Each account is the roots of its shares of function words, punctuation and what follows on what; each of these counts by how
far it is from what all accounts do, in standard deviations. So what everybody writes alike says nothing. Floats: nobody is
paid by it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise
from math import sqrt

FEATURES = 600  # the most frequent of all accounts
FEWEST = 20  # accounts: of fewer nobody knows what is usual

_TOKEN = re.compile(r"[a-z]+['’]?[a-z]*|[^\sa-z0-9]", re.I)
_FUNCTION = frozenset(
    re.findall(
        r"\S+",
        "the a an and or but if so then than that this these those it its is are was were be been being have has had do does did not no "
        "can could will would should may might must shall i you he she we they me him her us them my your our their of in on at to for "
        "with from by about into over after before between as just also very really only even still yet here there when where why how "
        "what which who whom because while although though however therefore actually basically probably maybe perhaps quite rather , . "
        "; : ! ? ( ) - — … ' \" / * ~ & + =",
    )
)


def profile(texts: Iterable[str]) -> Counter[str]:
    """How somebody writes, whatever about: function words, punctuation, and which of them follow each other."""
    found: Counter[str] = Counter()
    for text in texts:
        tokens = [t.casefold().replace("’", "'") for t in _TOKEN.findall(text)]
        kept = [t if t in _FUNCTION else "_" for t in tokens]
        found.update(t for t in kept if t != "_")
        found.update(f"{one} {other}" for one, other in pairwise(kept) if (one, other) != ("_", "_"))
    return found


class Manner:
    """What is usual among many accounts, and how far two of them are from it in the same direction."""

    def __init__(self, profiles: Iterable[Mapping[str, int]]) -> None:
        import numpy as np

        known = list(profiles)
        total: Counter[str] = Counter()
        for one in known:
            total.update(one)
        self.enough = len(known) >= FEWEST
        self.features = [name for name, _ in sorted(total.items(), key=lambda item: (-item[1], item[0]))[:FEATURES]]
        rows = np.array([self._shares(one) for one in known] or [[0.0] * len(self.features)])
        self.mean, self.spread = rows.mean(0), rows.std(0) + 1e-9

    def _shares(self, counts: Mapping[str, int]) -> list[float]:
        total = max(1, sum(counts.values()))
        return [sqrt(counts.get(name, 0) / total) for name in self.features]

    def likeness_bp(self, one: Mapping[str, int], other: Mapping[str, int]) -> int:
        """Cosine in basis points: 0 for two who have nothing unusual in common."""
        import numpy as np

        first, second = ((np.array(self._shares(counts)) - self.mean) / self.spread for counts in (one, other))
        length = float(np.linalg.norm(first) * np.linalg.norm(second))
        return round(10_000 * float(first @ second) / length) if length else 0
