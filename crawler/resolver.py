"""A resolver for Twisted that knows one host, by the addresses that were checked, and no other."""

# ruff: noqa: N802, N803 (the names are Twisted's)

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver, IHostResolution
from zope.interface import implementer  # type: ignore[import-untyped]


@implementer(IHostResolution)
class _Done:
    """A resolution that took no time."""

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        pass


@implementer(IHostnameResolver)
class CheckedResolver:
    """Answers from the setting CHECKED_ADDRESSES, {host: [address, …]}; an unknown host has no address."""

    def __init__(self, reactor: Any, addresses: dict[str, list[str]]) -> None:
        self.reactor, self.addresses = reactor, addresses

    @classmethod
    def from_crawler(cls, crawler: Any, reactor: Any) -> CheckedResolver:
        return cls(reactor, crawler.settings.getdict("CHECKED_ADDRESSES"))

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
        for address in self.addresses.get(hostName, ()):
            kind = IPv6Address if ":" in address else IPv4Address
            resolutionReceiver.addressResolved(kind(transportSemantics, address, portNumber))
        resolutionReceiver.resolutionComplete()
        return done
