"""JWTs that a login signs with its private key, to get a token for one (RFC 7523)."""

from __future__ import annotations

import re
import textwrap
import time

import jwt

SKEW = 60  # seconds by which a JWT is dated back, since clocks differ


def assertion(issuer: str, private_key: str, *, life: int) -> str:
    """A JWT of `issuer` for `life` seconds. Raises ValueError unless the key is an RSA key in PEM form."""
    now = int(time.time())
    claims = {"iss": issuer, "iat": now - SKEW, "exp": now + life}
    try:
        return jwt.encode(claims, with_line_breaks(private_key), "RS256")
    except (ValueError, TypeError, jwt.PyJWTError):
        raise ValueError("not an RSA key in PEM form") from None


def with_line_breaks(pem: str) -> str:
    r"""A one-line form field loses the line breaks of a key, an environment variable has them as \n."""
    found = re.fullmatch(r"\s*-----BEGIN ([A-Z ]+)-----(.*)-----END \1-----\s*", pem.replace("\\n", "\n"), re.DOTALL)
    if not found:
        raise ValueError("not in PEM form")
    lines = textwrap.wrap(re.sub(r"\s", "", found[2]), 64)
    return "\n".join([f"-----BEGIN {found[1]}-----", *lines, f"-----END {found[1]}-----", ""])
