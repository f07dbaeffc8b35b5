"""The client address of a request."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request


def client_ip(request: HttpRequest | Request) -> str | None:
    """The client's address. X-Forwarded-For is used only behind the proxies that the operator trusts."""
    peer = _address(request.META.get("REMOTE_ADDR", ""))
    hops = [_address(hop) for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    while peer and hops and hops[-1] and _is_proxy(peer):
        peer = hops.pop()
    return peer


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return None


def _is_proxy(address: str) -> bool:
    found = ipaddress.ip_address(address)
    return any(found in ipaddress.ip_network(each, strict=False) for each in settings.TRUSTED_PROXIES)
