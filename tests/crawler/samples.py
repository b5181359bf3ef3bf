"""Payloads of the real networks, beside this checkout where there are any. Tests that need them say so when they skip."""

from __future__ import annotations

import pytest

from tests.conftest import HOME

_PLACES = [place / "shared" / "corpora" / "social-samples" for place in (HOME.parent, HOME.parent.parent)]
SAMPLES = next((place for place in _PLACES if place.is_dir()), _PLACES[0])
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples of real payloads are not beside this checkout")
