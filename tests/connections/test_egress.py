"""Addresses of users must not be private, whatever their DNS returns and however they are written."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic_core import PydanticCustomError
from pytest_django import Settings

from connections import errors
from connections.http import egress
from connections.http.client import ApiClient
from connections.provider import address

from .test_http import Vendor


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    made = Vendor()
    yield made
    made.stop()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names resolve to; each result is used once, the last one always."""
    known: dict[str, list[str]] = {}
    real: Callable[..., Any] = socket.getaddrinfo

    def resolve(host: str, port: int, *args: Any, **more: Any) -> list[Any]:
        if host not in known:
            return list(real(host, port, *args, **more))
        found = known[host].pop(0) if len(known[host]) > 1 else known[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (found, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


@pytest.mark.parametrize(
    "inside",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.200",
        "169.254.169.254",
        "168.63.129.16",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:a9fe:a9fe",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_private_addresses_are_not_called(inside: str) -> None:
    assert "is not a public address" in egress.refused(inside, encrypted=True)


@pytest.mark.parametrize("outside", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34"])
def test_public_addresses_are_called_by_https_only(outside: str) -> None:
    assert egress.refused(outside, encrypted=True) == ""
    assert "must begin with https" in egress.refused(outside, encrypted=False)


def test_allowed_addresses_are_called(settings: Settings) -> None:
    settings.ALLOWED_PRIVATE_CIDRS = ["10.1.0.0/16", "::1/128"]
    assert egress.refused("10.1.2.3", encrypted=False) == ""
    assert egress.refused("::ffff:10.1.2.3", encrypted=False) == ""
    assert egress.refused("::1", encrypted=False) == ""
    assert egress.refused("10.2.0.1", encrypted=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_a_guarded_client_sends_nothing_to_private_addresses(vendor: Vendor, host: str) -> None:
    url = vendor.url.replace("127.0.0.1", host)
    with ApiClient("Vendor", url, guarded=True) as client, pytest.raises(errors.AddressRefused) as caught:
        client.request("POST", "/x", json={"value": "canary"})
    assert "KEYFERRY_ALLOWED_PRIVATE_CIDRS" in str(caught.value)
    assert vendor.asked == []


def test_a_guarded_client_calls_allowed_addresses(vendor: Vendor, settings: Settings) -> None:
    settings.ALLOWED_PRIVATE_CIDRS = ["127.0.0.0/8"]
    with ApiClient("Vendor", vendor.url, guarded=True) as client:
        assert client.request("GET", "/x") == {}


def test_dns_rebinding_connects_to_the_checked_address(
    vendor: Vendor, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    names["rebind.example"] = ["93.184.216.34", "127.0.0.1"]
    called = []

    def connect(self: Any, host: str, *args: Any) -> Any:
        called.append(host)
        raise egress.httpcore.ConnectError("no network in tests")

    monkeypatch.setattr(egress.httpcore.SyncBackend, "connect_tcp", connect)
    url = vendor.url.replace("127.0.0.1", "rebind.example").replace("http:", "https:")
    with ApiClient("Vendor", url, guarded=True) as client, pytest.raises(errors.Unreachable):
        client.request("POST", "/x")
    assert called == ["93.184.216.34"], "resolved once, and that very address"
    with ApiClient("Vendor", url, guarded=True) as client, pytest.raises(errors.AddressRefused):
        client.request("POST", "/x")
    assert called == ["93.184.216.34"]


def test_a_redirect_to_a_private_address_is_not_followed(vendor: Vendor, settings: Settings) -> None:
    from .test_http import reply

    settings.ALLOWED_PRIVATE_CIDRS = ["127.0.0.0/8"]
    vendor.answer = reply(302, location="http://169.254.169.254/latest/meta-data/")
    with ApiClient("Vendor", vendor.url, guarded=True) as client, pytest.raises(errors.BadResponse):
        client.request("GET", "/x")
    assert len(vendor.asked) == 1


def test_a_name_without_an_address_could_not_be_connected_to(names: dict[str, list[str]]) -> None:
    with ApiClient("Vendor", "https://nowhere.invalid", guarded=True) as client, pytest.raises(errors.Unreachable):
        client.request("POST", "/x")


def test_an_address_is_checked_before_it_is_kept() -> None:
    field = address("Instance URL")
    for good in ("https://vault.example.com", "http://10.0.0.1:8200/base", "https://[::1]:8200"):
        assert field.check(good) == good
    for bad in ("vault.example.com", "ftp://a", "https://", "https://user:pw@a", "https://a/?q=1", "https://a b"):
        with pytest.raises(PydanticCustomError):
            field.check(bad)
