"""What changing a connection stores, and what it does not."""

from __future__ import annotations

from connections.models import AppConnection
from connections.services import pause_connection, update_connection
from tests.fixtures.world import World


def test_a_pause_is_not_undone_by_a_rename(world: World) -> None:
    stale = AppConnection.objects.get(pk=world.connection.pk)
    pause_connection(world.actor, world.connection, paused=True)
    update_connection(world.actor, stale, name="renamed")
    now = AppConnection.objects.get(pk=stale.pk)
    assert (now.name, now.paused_at is not None, now.version) == ("renamed", True, 2)
