"""Which addresses a user's own URL may lead to: no private, loopback, link-local or metadata one, unless allowed.

A host name is resolved once and connected to as that very address, so that a name cannot answer one thing to the check
and another to the connection. KEYFERRY_ALLOWED_PRIVATE_CIDRS names what is allowed all the same.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import httpcore
from django.conf import settings

from connections.errors import AddressRefused

from .deadline import TimedBackend

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})  # Azure's, in public space; the others are link-local
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def refused(address: str, *, encrypted: bool) -> str:
    """Why an address must not be called, or ""."""
    found = ipaddress.ip_address(address.partition("%")[0])
    inner = _within(found)
    if any(inner in network or found in network for network in _allowed()):
        return ""
    if not inner.is_global or inner.is_multicast or inner in _METADATA:
        return f"{inner} is not a public address; the operator allows ranges with KEYFERRY_ALLOWED_PRIVATE_CIDRS"
    if not encrypted:
        return f"{inner} is a public address, so it is called by https alone"
    return ""


def _within(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to, where it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.ip_address(int(address) & 0xFFFFFFFF)
        teredo = address.teredo
        return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address
    return address


def _allowed() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(each, strict=False) for each in settings.ALLOWED_PRIVATE_CIDRS]


class _Guard(TimedBackend):
    """Opens connections to checked addresses alone."""

    def __init__(self, service: str, encrypted: bool) -> None:
        self.service, self.encrypted = service, encrypted

    def connect_tcp(self, host: str, port: int, *how: Any, **else_how: Any) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from None
        reason, failed = "it has no address", None
        for *_, location in found:
            address = str(location[0])
            if said := refused(address, encrypted=self.encrypted):
                reason = said
                continue
            try:
                return super().connect_tcp(address, port, *how, **else_how)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        if failed:
            raise failed
        raise AddressRefused(f"{self.service}: {host} must not be called: {reason}")


def guard(service: str, base_url: str) -> httpcore.SyncBackend:
    """Raises AddressRefused in place of a connection that must not be."""
    return _Guard(service, base_url.startswith("https:"))
