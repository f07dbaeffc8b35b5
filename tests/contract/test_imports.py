"""A machine's text is never trimmed: what an import stores is what the destination holds, or the key is named.

A sync after it leaves the destination as it was: a text that was altered on its way would be written back.
"""

from __future__ import annotations

import pytest

from tests.fixtures.contract import Case

TEXTS = {
    "PADDED": "  padded  ",
    "TABS": "\tx\t",
    "LINES": "\n\none\n  two\n\n",
    "ENDED": "one\n",
    "CRLF": "\r\none\r\ntwo\r\n",
    "SPACE": "\u00a0\u2003x\u3000\ufeff",
    "COMPOSED": "\u00e5 a\u030a",
    "NUL": "a\0b",
}


@pytest.mark.django_db
def test_an_import_stores_each_text_as_it_is_or_names_its_key(case: Case) -> None:
    if not case.can.can_import:
        pytest.skip("nothing can be imported from it")
    for key, value in TEXTS.items():
        case.put(key, value)
    before = case.held
    sync = case.sync(disableSecretDeletion=True)
    run = case.run(sync, "import")
    named = {row.key for row in run.changes.exclude(outcome="applied")}
    source = case.named(case.source())
    assert source == {key: value for key, value in before.items() if key not in case.named(dict.fromkeys(named, ""))}
    if case.can.can_read_values:
        assert named == {key for key, value in TEXTS.items() if "\0" in value}
    case.run(sync)
    assert case.held == before
