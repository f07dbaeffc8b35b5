"""Logins by OAuth client credentials (RFC 6749, 4.4): an id and a secret that are exchanged for a token that ends.

An adapter of a vendor that has such logins subclasses `ClientCredentialsProvider` and needs no method of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar

import httpx
from pydantic import Field

from connections.errors import Unauthorized
from connections.http.client import ApiClient, Classified, quote
from connections.http.responses import Response, Text
from connections.provider import Session
from connections.tokens import TokenProvider

WITHOUT_END = timedelta(hours=1)
"""After which a token is renewed whose response does not say when it ends."""
GRANT = "client_credentials"


class Granted(Response):
    """Source: RFC 6749, 5.1. Some servers write the seconds as text."""

    access_token: Text
    expires_in: Annotated[int, Field(ge=0)] = 0


def refused(status: int, headers: httpx.Headers, data: Any) -> Classified:
    """Credentials that are wrong are a 400 as well as a 401. Source: RFC 6749, 5.2."""
    error = data.get("error") if isinstance(data, Mapping) else None
    wrong = ("invalid_client", "invalid_grant", "unauthorized_client", "access_denied")
    return Unauthorized if status in (400, 401) and error in wrong else None


def client_credentials(
    open: Callable[..., ApiClient],
    path: str,
    form: Mapping[str, str],
    *,
    basic: tuple[str, str] | None = None,
    base_url: str = "",
) -> Session:
    """Sign in at `path` with this form, and with `basic` as name and password where the vendor wants them there.

    `open` is `Provider.open`. `base_url` is another host of the vendor. Raises IntegrationError.
    """
    secrets = [*form.values(), *(basic or ())]
    auth = httpx.BasicAuth(*basic) if basic else None
    with open(secrets=secrets, classify=refused, auth=auth) as client:
        body = {"grant_type": GRANT, **form}
        granted = client.post(path, Granted, form=body, visible=[GRANT], read=True, base_url=base_url)
    return Session.lasting(granted.access_token, granted.expires_in, otherwise=WITHOUT_END)


class ClientCredentialsProvider(TokenProvider):
    """`client_id` and `client_secret` are members of the credentials; the token goes into the declared `header`.

    `login_path` may name other members as `{member}`, which are quoted; `login_url` is its host where that is not the
    API's. `login_form` is what else the form has, such as a scope. `login_basic`: the pair goes into a header.
    """

    client_id: ClassVar[str] = "clientId"
    client_secret: ClassVar[str] = "clientSecret"  # noqa: S105 - the name of a member
    login_url: ClassVar[str] = ""
    login_path: ClassVar[str]
    login_form: ClassVar[Mapping[str, str]] = {}
    login_basic: ClassVar[bool] = False

    def renew(self, method: str, credentials: Any) -> Session:
        pair = getattr(credentials, self.client_id), getattr(credentials, self.client_secret).get_secret_value()
        names = {name: quote(value) for name, value in credentials.stored().items() if isinstance(value, str) and value}
        form = dict(self.login_form)
        if not self.login_basic:
            form |= {"client_id": pair[0], "client_secret": pair[1]}
        host = "" if self._given_by_operator else self.login_url

        def opened(**arguments: Any) -> ApiClient:
            return self.open(self.address_of(credentials), tls=self.tls_of(credentials), **arguments)

        path = self.login_path.format_map(names)
        return client_credentials(opened, path, form, basic=pair if self.login_basic else None, base_url=host)

    def client(self, method: str, credentials: Any, session: Session | None = None) -> ApiClient:
        secret = getattr(credentials, self.client_secret).get_secret_value()
        return self.opened_with(session.token if session else "", credentials, secret)
