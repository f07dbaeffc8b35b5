"""Every destination is found by its file, and declares a config that its own examples match."""

import pkgutil

from config.schemas.json_schema import openapi
from syncs import destinations as package
from syncs.destination.base import destinations


def test_destinations_are_found_without_a_list() -> None:
    names = {module.name for module in pkgutil.iter_modules(package.__path__)}
    files = {name for name in names if not name.startswith("_")}  # the others are parts of an adapter
    assert {adapter.slug.replace("-", "_") for adapter in destinations} == files
    assert "humanitec" in destinations
    assert destinations.errors == []
    assert "nonsense" not in destinations


def test_the_config_of_humanitec_is_the_modelled_one() -> None:
    humanitec = destinations.get("humanitec")
    assert humanitec is not None
    application, environment = openapi(humanitec.Config)["anyOf"]
    assert application["required"] == ["scope", "org", "app"]
    assert environment["required"] == ["scope", "org", "app", "env"]
    assert application["additionalProperties"] is environment["additionalProperties"] is False
