"""Key schemas: what is refused, what is rendered, and that stripping undoes rendering."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncs.engine.key_schema import KeySchema, KeySchemaError

PARTS = st.lists(st.sampled_from(["a", "Z9", "_", "-", "{{environment}}"]), max_size=4).map("".join)
NAMES = st.text(st.characters(exclude_characters="/:", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)


@pytest.mark.parametrize(
    "text",
    [
        "PREFIX_",
        "{{secretKey}}{{secretKey}}",
        "{{secretKey",
        "{{ secretKey }}",
        "{{{secretKey}}}",
        "{{secretKey}} x",
        "{{secretKey}}.json",
        "{{other}}{{secretKey}}",
        "ä{{secretKey}}",
        "x" * 243 + "{{secretKey}}",
    ],
)
def test_an_invalid_schema_is_refused(text: str) -> None:
    with pytest.raises(KeySchemaError, match="exactly one"):
        KeySchema.parse(text)


@pytest.mark.parametrize("text", [None, "", "   "])
def test_no_schema_renames_nothing_and_matches_everything(text: str | None) -> None:
    schema = KeySchema.parse(text)
    assert schema.render("A&B", "dev") == "A&B"
    assert schema.match("anything/at all", "dev")


def test_a_vendor_that_folds_names_folds_the_schema_too() -> None:
    schema = KeySchema.parse("kf_{{environment}}_{{secretKey}}")
    assert schema.match("KF_DEV_A", "dev", str.upper)
    assert not schema.match("KF_DEV_A", "dev")
    assert not schema.match("OTHER", "dev", str.upper)


def test_rendering_does_not_escape() -> None:
    assert KeySchema.parse("X_{{secretKey}}").render("A&B<\"'`=>", "dev") == "X_A&B<\"'`=>"


def test_environment_is_rendered_and_matched() -> None:
    schema = KeySchema.parse("{{environment}}/{{secretKey}}-{{environment}}")
    assert schema.render("KEY", "dev") == "dev/KEY-dev"
    assert schema.match("dev/KEY-dev", "dev")
    assert not schema.match("prod/KEY-prod", "dev")
    assert not schema.match("dev/a/KEY-dev", "dev"), "with a slash in the schema, the key has none"


def test_a_name_shorter_than_both_ends_does_not_match() -> None:
    assert not KeySchema.parse("AB{{secretKey}}BA").match("ABA", "dev")


@given(PARTS, PARTS, NAMES, st.sampled_from(["dev", "prod-eu"]))
def test_strip_undoes_render(prefix: str, suffix: str, key: str, environment: str) -> None:
    schema = KeySchema.parse(prefix + "{{secretKey}}" + suffix)
    name = schema.render(key, environment)
    assert schema.match(name, environment)
    assert schema.strip(name, environment) == key
