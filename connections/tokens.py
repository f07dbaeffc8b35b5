"""Logins by one static token: the header that carries it, a read that checks it, and lists to pick from, as data.

An adapter of a vendor that has such tokens subclasses `TokenProvider` and needs no method of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter
from typing import Any, ClassVar

from connections.certificates import Certificates
from connections.errors import NotFound, Rejected, Unauthorized
from connections.http.client import ApiClient, Classify, quote
from connections.http.pages import Pages, Single
from connections.http.responses import member as read_member
from connections.http.tls import PLAIN, Tls
from connections.provider import Choice, Provider, Rights, Session


@dataclass(frozen=True, slots=True)
class Picker:
    """A list that a field of a destination's config is chosen from.

    `path` and `params` name what is chosen before as `{field}`; a parameter whose field is not chosen is not sent.
    `member` and `pages` are those of `ApiClient.read_list`. `value` is the member of an item that is stored; `label`
    the members that may name it for people, the first that is there. `optional`: some plans or tokens do not have the
    list, and are refused: there are no choices then.
    """

    path: str
    member: str = ""
    pages: Pages = field(default_factory=Single)
    params: Mapping[str, str] = field(default_factory=dict)
    value: str = "id"
    label: tuple[str, ...] = ("name",)
    optional: bool = False

    def choices(self, client: ApiClient, chosen: Mapping[str, Any]) -> list[Choice]:
        """Each choice once. Raises IntegrationError; BadResponse if an item has no `value`."""
        fields = {name: str(value) for name, value in chosen.items() if value}
        path = self.path.format_map({name: quote(value) for name, value in fields.items()})
        params = {name: text.format_map(fields) for name, text in self.params.items() if _names(text) <= fields.keys()}
        try:
            items = client.read_list(path, dict[str, Any], self.pages, member=self.member, params=params)
        except (NotFound, Rejected, Unauthorized):
            if self.optional:
                return []
            raise
        values = [str(read_member(item, self.value, f"{client.service}: GET {path}")) for item in items]
        found = (Choice(value, self._label(item) or value) for value, item in zip(values, items, strict=True))
        return list(dict.fromkeys(found))

    def _label(self, item: Mapping[str, Any]) -> str:
        return next((str(item[name]) for name in self.label if item.get(name)), "")


def _names(text: str) -> set[str]:
    """The fields that a text names as `{field}`."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


class TokenProvider(Provider):
    """`token` is the member of the credentials, `header` its name and value with `{}` for the token.

    `check_path` is read to check a login, and is to be of `check_kind`. `choices_from` has a picker a field.
    `classify` as in `ApiClient`. Credentials with an `instanceUrl` are of a user's own server.
    """

    token: ClassVar[str] = "apiToken"  # noqa: S105 - the name of a member
    header: ClassVar[tuple[str, str]] = ("Authorization", "Bearer {}")
    check_path: ClassVar[str]
    check_kind: ClassVar[Any] = dict[str, Any]
    choices_from: ClassVar[Mapping[str, Picker]] = {}
    classify: ClassVar[Classify | None] = None

    def client(self, method: str, credentials: Any, session: Session | None = None) -> ApiClient:
        return self.opened_with(getattr(credentials, self.token).get_secret_value(), credentials)

    def opened_with(self, token: str, credentials: Any, *secrets: str) -> ApiClient:
        """A client that sends this token, if any, in the declared header, at the address of the credentials."""
        name, template = self.header
        return self.open(
            self.address_of(credentials),
            headers={name: template.format(token)} if token else {},
            secrets=[token, *secrets],
            classify=type(self).classify,
            tls=self.tls_of(credentials),
        )

    def address_of(self, credentials: Any) -> str:
        """Of a user's own server; "" for the vendor's."""
        return getattr(credentials, "instanceUrl", None) or ""

    def tls_of(self, credentials: Any) -> Tls:
        return credentials.tls() if isinstance(credentials, Certificates) else PLAIN

    def check(self, client: ApiClient) -> Rights:
        client.get(self.check_path, self.check_kind)
        return Rights()

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        picker = self.choices_from.get(field)
        return picker.choices(client, chosen) if picker else []
