"""One instance of an admin class serves all requests: none may see the form, the data or the rights of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from config.access.models import User
from config.ui.base import ServiceAdmin
from syncs.models import SecretSync, SyncDraft
from tests.admin.test_admin import MODELS, filled, url
from tests.fixtures.world import World

FORMS = [model for model in MODELS if isinstance(admin.site._registry[model], ServiceAdmin) and model is not SyncDraft]


class InterruptedRequest(HttpRequest):
    """A request during which another one is served: whenever somebody looks up who has signed in."""

    def __init__(self, user: User, meanwhile: Callable[[], object] | None = None) -> None:
        super().__init__()
        self.method = "GET"
        self.signed_in = user
        self.meanwhile = meanwhile

    @property
    def user(self) -> User:  # type: ignore[override]
        if self.meanwhile:
            self.meanwhile()
        return self.signed_in


def form_of(model: Any, request: HttpRequest, obj: Any) -> Any:
    return admin.site._registry[model].get_form(request, obj, change=obj is not None)


@pytest.mark.parametrize("model", FORMS, ids=lambda model: model._meta.model_name)
def test_a_form_is_that_of_its_own_request(world: World, model: Any) -> None:
    filled(world)
    user = User.objects.get(username="ada")
    obj = model._default_manager.first()
    empty = obj if model is SecretSync else None  # syncs are added by the wizard alone
    for mine, other in ((obj, empty), (empty, obj)):
        alone = form_of(model, InterruptedRequest(user), mine)

        def meanwhile(other: Any = other) -> object:
            return form_of(model, InterruptedRequest(user), other)

        request = InterruptedRequest(user, meanwhile)
        interleaved = form_of(model, request, mine)
        assert interleaved.request is request
        assert list(interleaved.base_fields) == list(alone.base_fields)
        assert [each.__qualname__ for each in interleaved.__mro__] == [each.__qualname__ for each in alone.__mro__]


def test_no_page_leaves_anything_on_its_admin(world: World) -> None:
    filled(world)
    client = Client()
    client.force_login(User.objects.get(username="ada"))
    before = {model: dict(vars(each)) for model, each in admin.site._registry.items()}
    for model in MODELS:
        names = {pattern.name for pattern in admin.site._registry[model].urls if pattern.name}
        pages = [url(model, "changelist"), reverse("admin:index")]
        pages += [url(model, "change", pk) for pk in model._default_manager.values_list("pk", flat=True)[:1]]
        if any(name.endswith("_add") for name in names):
            pages.append(url(model, "add"))
        for page in pages:
            assert client.get(page, follow=True).status_code in (200, 403), page
            client.post(page, {}, follow=True)
    assert {model: dict(vars(each)) for model, each in admin.site._registry.items()} == before
