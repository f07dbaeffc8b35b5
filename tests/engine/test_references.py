"""References and imports: precedence, unresolved references, limits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncs.engine.references import (
    MAX_NODES,
    FolderData,
    Graph,
    Reader,
    SecretData,
    TooMuch,
    references_in,
    references_to_folders,
    resolve,
)

ROOT = ("dev", "/")


def folder(*imports: tuple[str, str], **values: str | None) -> FolderData:
    return FolderData({key: SecretData(key, value) for key, value in values.items()}, imports)


def values(graph: Graph, here: tuple[str, str] = ROOT) -> dict[str, str | None]:
    return {entry.key: entry.value for entry in resolve(graph, here).entries}


def problem(graph: Graph, key: str = "A") -> str:
    (entry,) = [entry for entry in resolve(graph, ROOT).entries if entry.key == key]
    assert entry.value is None
    return entry.problem or ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${B}", "here"),
        ("${prod.B}", "root of prod"),
        ("${prod.api.v1.B}", "deep"),
        ("x-${B}-${prod.B}-y", "x-here-root of prod-y"),
        ("$B ${} ${a b} $${B}", "$B ${} ${a b} $here"),
        ("${NESTED}", "n:here"),
    ],
)
def test_references_are_followed(text: str, expected: str) -> None:
    graph = {
        ROOT: folder(A=text, B="here", NESTED="n:${B}"),
        ("prod", "/"): folder(B="root of prod"),
        ("prod", "/api/v1"): folder(B="deep"),
    }
    assert values(graph)["A"] == expected


def test_a_reference_is_read_in_the_folder_of_the_secret_that_has_it() -> None:
    graph = {ROOT: folder(A="${prod.X}", B="mine"), ("prod", "/"): folder(X="${B}", B="theirs")}
    assert values(graph)["A"] == "theirs"


def test_own_secrets_and_the_last_import_take_precedence() -> None:
    graph = {
        ROOT: folder(("dev", "/one"), ("dev", "/two"), OWN="own"),
        ("dev", "/one"): folder(OWN="1", BOTH="1", FIRST="1"),
        ("dev", "/two"): folder(OWN="2", BOTH="2"),
    }
    assert values(graph) == {"OWN": "own", "BOTH": "2", "FIRST": "1"}


def test_what_an_import_imports_wins_over_earlier_imports() -> None:
    graph = {
        ROOT: folder(("dev", "/a"), ("dev", "/b"), ("dev", "/c")),
        ("dev", "/a"): folder(K="a"),
        ("dev", "/b"): folder(K="b"),
        ("dev", "/c"): folder(("dev", "/a")),
    }
    assert values(graph) == {"K": "a"}


def test_imported_keys_can_be_referred_to() -> None:
    assert values({ROOT: folder(("dev", "/shared"), A="${B}"), ("dev", "/shared"): folder(B="b")})["A"] == "b"


def test_import_cycles_are_cut() -> None:
    graph = {ROOT: folder(("dev", "/a"), A="1"), ("dev", "/a"): folder(ROOT, B="2")}
    assert values(graph) == {"A": "1", "B": "2"}


def test_a_missing_import_is_a_named_gap() -> None:
    assert resolve({ROOT: folder(("dev", "/gone"), A="1")}, ROOT).gaps == (
        "the imported folder /gone of dev does not exist",
    )


def test_an_unresolved_reference_blocks_only_its_own_key() -> None:
    graph = {ROOT: folder(A="${NOPE}", B="fine")}
    assert problem(graph) == "the reference ${NOPE} does not resolve"
    assert values(graph)["B"] == "fine"


def test_a_cycle_is_named() -> None:
    assert "dev/A -> dev/B -> dev/A" in problem({ROOT: folder(A="${B}", B="${A}")})


def test_an_unreadable_value_blocks_what_refers_to_it() -> None:
    assert problem({ROOT: folder(A="${B}", B=None)}) == "the value of B cannot be read"


@pytest.mark.parametrize(("levels", "resolves"), [(10, True), (11, False)])
def test_references_go_ten_levels_deep(levels: int, resolves: bool) -> None:
    chain = {f"K{level}": f"${{K{level + 1}}}" for level in range(levels)}
    assert (values({ROOT: folder(**chain, **{f"K{levels}": "end"})})["K0"] == "end") is resolves


def test_a_value_that_explodes_is_refused() -> None:
    chain: dict[str, str | None] = {f"K{level}": f"${{K{level + 1}}}" * 20 for level in range(6)}
    assert "larger than 1 MiB" in problem({ROOT: folder(**chain, K6="x" * 20)}, "K0")


def test_multi_line_values_are_flattened_only_on_request() -> None:
    secrets = {key: SecretData(key, "a\nb", skip_multiline=key == "ONE_LINE") for key in ("ONE_LINE", "KEPT")}
    assert values({ROOT: FolderData(secrets)}) == {"ONE_LINE": '"a\\nb"', "KEPT": "a\nb"}


def test_the_index_of_references() -> None:
    found = references_in("${A} ${prod.B} ${prod.x.y.C}", ("dev", "/here"))
    assert found == {("dev", "/here", "A"), ("prod", "/", "B"), ("prod", "/x/y", "C")}


PIECES = st.lists(st.sampled_from(["x", "${A}", "${B}", "${C}", "${prod.A}", "${dev.f.B}", "${"]), max_size=4)
ADDRESSES = st.sampled_from([("dev", "/"), ("dev", "/f"), ("prod", "/"), ("prod", "/gone")])
FOLDERS = st.builds(
    lambda held, imports: FolderData({key: SecretData(key, value) for key, value in held.items()}, tuple(imports)),
    st.dictionaries(st.sampled_from("ABC"), st.one_of(st.none(), PIECES.map("".join))),
    st.lists(ADDRESSES, max_size=3, unique=True),
)


@settings(deadline=None)
@given(st.fixed_dictionaries({ROOT: FOLDERS, ("dev", "/f"): FOLDERS, ("prod", "/"): FOLDERS}))
def test_every_entry_has_a_value_or_a_problem_in_any_order(graph: Graph) -> None:
    entries = resolve(graph, ROOT).entries
    for entry in entries:
        assert (entry.value is None) == (entry.problem is not None)
        assert entry.value is None or "${A}" not in entry.value
    whole = {entry.key: entry.value for entry in entries}
    for key in graph[ROOT].secrets:
        alone = FolderData({**graph[ROOT].secrets, "0": SecretData("0", f"${{{key}}}")}, graph[ROOT].imports)
        asked_first = values({**graph, ROOT: alone})["0"]
        assert asked_first == whole[key]


def test_a_chain_is_followed_ten_levels_and_no_further() -> None:
    graph = {ROOT: folder(**{f"K{number:04}": f"${{K{number + 1:04}}}" for number in range(3000)}, K3000="end")}
    found = values(graph)
    whole = {key for key, value in found.items() if value == "end"}
    assert whole == {f"K{number:04}" for number in range(2990, 3001)}
    assert "more than 10 levels deep" in problem({ROOT: folder(**{**_texts(graph), "A": "${K0000}"})})
    # The links of a chain that is too deep resolve when requested alone.
    assert values({ROOT: folder(**{**_texts(graph), "A": "${K2989}", "Z": "${K2991}"})})["Z"] == "end"
    reader = Reader(graph)
    assert reader.value(ROOT, graph[ROOT].secrets["K0000"]) == "${K0001}"
    assert reader.value(ROOT, graph[ROOT].secrets["K2990"]) == "end"


def _texts(graph: Graph) -> dict[str, str | None]:
    return {key: secret.value for key, secret in graph[ROOT].secrets.items()}


def test_the_values_of_one_read_have_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncs.engine.references.MAX_TOTAL", 3 * 1024**2)
    large = "x" * (1024**2 - 1)
    graph = {ROOT: folder(BIG=large, PLAIN="p", **{f"K{number}": "${BIG}" for number in range(4)})}
    entries = {entry.key: entry for entry in resolve(graph, ROOT).entries}
    assert [key for key, entry in entries.items() if entry.value is None] == ["K3"]
    assert "larger than 3 MiB" in (entries["K3"].problem or "")
    reader = Reader(graph)
    for key in ("K0", "K1", "K2"):
        assert reader.value(ROOT, graph[ROOT].secrets[key]) == large
    with pytest.raises(TooMuch, match="larger than 3 MiB"):
        reader.value(ROOT, graph[ROOT].secrets["K3"])


def test_a_reference_tree_is_limited() -> None:
    graph = {ROOT: folder(A="".join(f"${{MISSING{number}}}" for number in range(10_000)), BIG="x" * 1024**2)}
    tree = Reader(graph).tree(ROOT, "A")
    assert tree
    assert len(tree.children) < MAX_NODES
    # By the size of what it shows, too.
    graph[ROOT] = folder(A="${BIG}" * 400, BIG="x" * 1024**2)
    tree = Reader(graph).tree(ROOT, "A")
    assert tree
    assert sum(len(child.value or "") for child in tree.children) <= 17 * 1024**2


def test_folders_referenced_by_a_value() -> None:
    assert references_to_folders("${OWN} ${dev.A} ${prod.api.v1.B}") == {("dev", "/", "A"), ("prod", "/api/v1", "B")}
