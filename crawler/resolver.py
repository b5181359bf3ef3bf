"""A resolver for Twisted that knows hosts by the addresses that were checked, and no others."""

# ruff: noqa: N802, N803 (the names are Twisted's)

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver, IHostResolution
from zope.interface import implementer  # type: ignore[import-untyped]

from crawler.hosts import CHECKED


@implementer(IHostResolution)
class _Done:
    """A resolution that took no time."""

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        pass


@implementer(IHostnameResolver)
class CheckedResolver:
    """Answers from crawler.hosts.CHECKED; a host that is not in there has no address."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor

    @classmethod
    def from_crawler(cls, crawler: Any, reactor: Any) -> CheckedResolver:
        return cls(reactor)

    def install_on_reactor(self) -> None:
        self.reactor.installNameResolver(self)

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> _Done:
        done = _Done(hostName)
        resolutionReceiver.resolutionBegan(done)
        for address in CHECKED.get(hostName.lower(), ()):
            kind = IPv6Address if ":" in address else IPv4Address
            resolutionReceiver.addressResolved(kind(transportSemantics, address, portNumber))
        resolutionReceiver.resolutionComplete()
        return done
