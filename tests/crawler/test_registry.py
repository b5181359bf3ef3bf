"""Every line of the registry leads somewhere, and every network and archive is tried when an address is added."""

from __future__ import annotations

import pytest

from crawler.address import PROBING, READING, find_source
from crawler.registry import ARCHIVES, NETWORKS, network, part
from index.errors import SourceError
from tests.crawler.conftest import FAST


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_has_its_parts(name: str) -> None:
    found = NETWORKS[name]
    assert all(callable(part(text)) for text in (found.find, found.sweep, found.parse, found.hints, found.redact) if text)
    assert found.find and found.sweep and found.parse


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_has_its_parts(name: str) -> None:
    assert callable(part(ARCHIVES[name].find)) and callable(part(ARCHIVES[name].read))


def test_all_of_them_are_tried() -> None:
    assert sorted(PROBING) == sorted(NETWORKS) and sorted(READING) == sorted(ARCHIVES)
    assert not set(NETWORKS) & set(ARCHIVES)


def test_an_unknown_kind_is_answered_with_the_known_ones() -> None:
    with pytest.raises(SourceError, match="'gopher'") as caught:
        network("gopher")
    assert "discourse" in caught.value.way_out
    with pytest.raises(SourceError, match="gopher://"):
        find_source("gopher://example.org", False, FAST)
