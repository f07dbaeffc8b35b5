"""A client and the server that it calls; a module with a vendor of its own replaces them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connections.http.client import ApiClient
from tests.connections.answering import TOKEN, Vendor


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    made = Vendor()
    yield made
    made.stop()


@pytest.fixture
def client(vendor: Vendor) -> Iterator[ApiClient]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with ApiClient("Vendor", vendor.url, headers=headers, secrets=[TOKEN], deadline=0.5) as made:
        yield made
