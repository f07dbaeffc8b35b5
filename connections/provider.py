"""The contract of a vendor login. A provider opens a client, checks it, and lists the choices for pickers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from pydantic import SecretStr

from config.schemas.model import Model
from config.schemas.types import Text

from .errors import Forbidden, IntegrationError, Unauthorized
from .http.client import ApiClient
from .registry import Registry


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice of a picker: the stored value, and its label for people."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Session:
    """The session that a login was exchanged for. `token` may be any text, such as JSON of several parts."""

    token: str = field(repr=False)
    expires_at: datetime

    @classmethod
    def lasting(cls, token: str, seconds: int, *, otherwise: timedelta) -> Session:
        """From now on; `otherwise` is after how long one without an end, of 0 seconds, is renewed."""
        return cls(token, datetime.now(UTC) + (timedelta(seconds=seconds) or otherwise))


@dataclass(frozen=True, slots=True)
class Rights:
    """What a check found out about the rights of a login, by the vendor's names; empty where it does not state them."""

    missing: tuple[str, ...] = ()
    """Rights without which keys cannot be written."""
    excess: tuple[str, ...] = ()
    """Rights that no sync needs."""


def address(label: str, help: str = "") -> Text:
    """The type of a member of credentials that is the address of a user's own server."""
    return Text(
        label,
        help,
        max_length=512,
        pattern=r"https?://[^\s\u0000-\u001f\u007f/?#@\\]+(/[^\s\u0000-\u001f\u007f?#\\]*)?",
        pattern_message="Invalid url",
    )


def secrets_of(credentials: Model) -> list[str]:
    """Every text of credentials that no message may show."""
    return [value.get_secret_value() for _, value in credentials if isinstance(value, SecretStr)]


class Provider(ABC):
    """One vendor. `methods` maps each way to sign in to the model of its credentials, whose secrets are `SecretStr`;
    `pickers` names lists of the modelled API.
    """

    slug: ClassVar[str]
    label: ClassVar[str]
    base_url: ClassVar[str] = ""
    """The vendor's own address; "" if each user has another one, which is then in the credentials."""
    docs_url: ClassVar[str] = ""
    methods: ClassVar[Mapping[str, type[Model]]]
    pickers: ClassVar[tuple[str, ...]] = ()
    operator_settings: ClassVar[tuple[str, ...]] = ()
    """Names of the settings that this provider needs; their values are passed as `operator`."""

    def __init__(
        self, base_url: str | None = None, *, deadline: float = 10.0, operator: Mapping[str, Any] | None = None
    ) -> None:
        """`base_url`, set by the operator, replaces the vendor's own address; `deadline` is in seconds per request."""
        self._given_by_operator = base_url
        self._base_url = base_url or self.base_url
        self._deadline = deadline
        self.operator: Mapping[str, Any] = operator or {}

    def open(
        self, address: str = "", *, below: str = "", make: Callable[..., ApiClient] = ApiClient, **arguments: Any
    ) -> ApiClient:
        """A client, with what else `ApiClient` takes: at the operator's address, else at `address`, else the vendor's.

        `address` was given by a user, so it must not lead inside. `below` is a path under it that all requests share.
        `make` makes a client of another class.
        """
        user_given = bool(address) and not self._given_by_operator
        url = (address if user_given else self._base_url).rstrip("/") + below
        return make(self.label, url, deadline=self._deadline, guarded=user_given, **arguments)

    def read_file(self, file: str, what: str) -> str:
        """The text of a file that the operator names, trimmed. `what` it is in messages. Raises Unauthorized."""
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise Unauthorized(f"{self.label}: {what} cannot be read ({type(error).__name__})") from None

    @abstractmethod
    def client(self, method: str, credentials: Any, session: Session | None = None) -> ApiClient:
        """An open client; nothing is sent yet. `credentials` are of the model of the method.

        `session` is what `renew` gave; it is None for methods without, and if only the address is needed.
        """

    def generated(self, method: str) -> Mapping[str, str]:
        """Members of credentials that this server makes up for a new connection, unless the person gives others."""
        return {}

    def redeem(self, method: str, credentials: Any) -> Any:
        """The credentials to store for new ones that are good for one use, such as a code. Raises IntegrationError."""
        return credentials

    def renew(self, method: str, credentials: Any) -> Session | None:
        """Sign in for a token that ends; None: the credentials are used as they are. Raises IntegrationError."""
        return None

    @abstractmethod
    def check(self, client: ApiClient) -> Rights:
        """The cheapest authenticated read, with the rights that its response states. Raises IntegrationError."""

    def accepts_login(self, client: ApiClient) -> bool:
        """Whether the vendor accepts the login at all, after it answered 403 to a list, or to several writes in a row.

        A vendor that says 403 to a bad login too overrides it: Forbidden of a request that every login may send then
        means False.
        """
        try:
            self.check(client)
        except Forbidden:
            return True
        except Unauthorized:
            return False
        except IntegrationError:
            return True  # unknown: the first error is the one to report
        return True

    def choices(self, client: ApiClient, field: str, chosen: Mapping[str, Any]) -> list[Choice]:
        """The choices for a destination's `field`, given the values `chosen` so far. Raises IntegrationError."""
        return []

    def pick(self, client: ApiClient, picker: str) -> object:
        """The response of the modelled API at `/{app}/{connectionId}/{picker}`. Raises IntegrationError."""
        raise NotImplementedError


providers = Registry("connections.providers", Provider)  # type: ignore[type-abstract]
