"""Which addresses a URL entered by a user may lead to: none that is private, loopback, link-local or of metadata.

`KEYFERRY_ALLOWED_PRIVATE_CIDRS` lists the exceptions. Written by hand because the check belongs between resolving a
name and connecting: a host name is resolved once and that address is connected to, so that a second resolution cannot
return another one (DNS rebinding). httpx and its add-ons check URLs or names only.
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
    """Why an address must not be connected to, or ""."""
    outer = ipaddress.ip_address(address.partition("%")[0])
    inner = _embedded(outer)
    if any(inner in network or outer in network for network in _allowed()):
        return ""
    if not inner.is_global or inner.is_multicast or inner in _METADATA:
        return f"{inner} is not a public address; the operator allows ranges with KEYFERRY_ALLOWED_PRIVATE_CIDRS"
    if not encrypted:
        return f"{inner} is a public address, so its URL must begin with https"
    return ""


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to, if it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.ip_address(int(address) & 0xFFFFFFFF)
        teredo = address.teredo
        return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address
    return address


def _allowed() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(each, strict=False) for each in settings.ALLOWED_PRIVATE_CIDRS]


class _Guard(TimedBackend):
    """Opens connections to checked addresses only."""

    def __init__(self, service: str, encrypted: bool) -> None:
        self.service, self.encrypted = service, encrypted

    def connect_tcp(self, host: str, port: int, *arguments: Any, **options: Any) -> httpcore.NetworkStream:
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from None
        reason, failed = "it has no address", None
        for *_, socket_address in addresses:
            address = str(socket_address[0])
            if refusal := refused(address, encrypted=self.encrypted):
                reason = refusal
                continue
            try:
                return super().connect_tcp(address, port, *arguments, **options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        if failed:
            raise failed
        raise AddressRefused(f"{self.service}: {host} must not be called: {reason}")


def guard(service: str, base_url: str) -> httpcore.SyncBackend:
    """A network backend that raises AddressRefused instead of connecting to a refused address."""
    return _Guard(service, base_url.startswith("https:"))
