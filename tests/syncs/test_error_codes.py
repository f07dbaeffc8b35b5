"""The catalogue of error codes is complete: every code has a meaning and a remedy."""

from __future__ import annotations

from connections import errors
from syncs.engine.error_codes import Code


def every(kind: type[errors.IntegrationError]) -> set[str]:
    return {kind.code} | {code for below in kind.__subclasses__() for code in every(below)}


def test_every_error_of_a_vendor_is_in_it() -> None:
    """The planner's own codes are members of it already: nothing else is let into a plan by its types."""
    assert every(errors.IntegrationError) <= set(Code)


def test_every_code_has_meaning_and_remedy() -> None:
    for code in Code:
        for said in (code.meaning, code.remedy):
            assert said.endswith(".")
            assert len(said) > 10
    assert len({code.meaning for code in Code}) == len(Code)
