"""What the base of key-value destinations does with answers, without a vendor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import pytest

from config.schemas.model import Model
from config.schemas.types import Text
from connections.errors import BadResponse, NotFound, Rejected
from connections.http.client import ApiClient
from connections.http.responses import Response
from syncs.destination.capabilities import Capabilities
from syncs.destination.key_value import KeyValueDestination
from syncs.engine.types import Action, Remote, Write, Written

VALUE = "mArKeR-c0ffee"


class Target(Model):
    vault: Annotated[str, Text("Vault", location=True)]


class Secret(Response):
    name: str
    id: str


class Typed(KeyValueDestination):
    slug = "typed"
    label = "Typed"
    Config = Target
    Item = Secret
    listed: Iterable[Any] = ()
    answer: Any = None

    def items(self) -> Iterable[Any]:
        return self.listed

    def remote(self, item: Secret) -> Remote:
        return Remote(item.name, object_id=item.id, etag=item.id)

    def create(self, write: Write) -> Any:
        return self.answer

    def delete(self, write: Write) -> None:
        raise self.answer


class Plain(Typed):
    """Reads descriptions without a model."""

    slug = "plain"
    Item = Any

    def remote(self, item: Any) -> Remote:
        return Remote(item["name"], object_id=item["id"], etag=item["id"])


@pytest.fixture
def client() -> Iterator[ApiClient]:
    with ApiClient("Made", "http://127.0.0.1:9") as opened:
        yield opened


@pytest.mark.parametrize("kind", [Typed, Plain])
@pytest.mark.parametrize(
    ("answer", "written"),
    [
        ({"name": "A", "id": "1"}, Written("1", "1")),
        (Written("2"), Written("2")),
        *((answer, Written()) for answer in (None, "", [], {}, {"name": "A"}, 5)),
    ],
)
def test_the_response_to_a_write_is_read_as_far_as_it_goes(
    client: ApiClient, kind: type[Typed], answer: Any, written: Written
) -> None:
    destination = kind(client, {"vault": "v"})
    destination.answer = answer
    (outcome,) = destination.apply([Write(Action.CREATE, "A", "A", VALUE)])
    assert (outcome.error, outcome.written) == (None, written)


@pytest.mark.parametrize(("error", "done"), [(NotFound("gone"), True), (Rejected("no"), False)])
def test_a_delete_of_a_missing_key_is_done(client: ApiClient, error: Exception, done: bool) -> None:
    destination = Typed(client, {"vault": "v"})
    destination.answer = error
    (outcome,) = destination.apply([Write(Action.DELETE, "A", "A", remote=Remote("A"))])
    assert (outcome.error is None) is done


def test_a_list_of_another_shape_is_no_list(client: ApiClient) -> None:
    destination = Plain(client, {"vault": "v"})
    destination.listed = [{"name": "A", "id": "1"}, {VALUE: VALUE}]
    with pytest.raises(BadResponse) as refused:
        destination.listing()
    assert "the list could not be read" in str(refused.value)
    assert VALUE not in str(refused.value)


def test_options_follow_the_capabilities() -> None:
    class Importing(Typed):
        slug = "importing"
        label = "Importing"
        capabilities = Capabilities(can_read_values=True, can_import=True)

    def behaviors(kind: type[Typed]) -> bool:
        return "import-prioritize-source" in str(kind.Options.model_json_schema())

    assert behaviors(Importing)
    assert not behaviors(Typed)
    assert Importing.provider == "typed"
