"""A part of a list: how a query requests one, and how it is cut out."""

from __future__ import annotations

from typing import Annotated, TypeVar

from django.db.models import Model, QuerySet

from config.schemas.model import Body
from config.schemas.types import Whole

R = TypeVar("R", bound=Model)


class Page(Body):
    offset: Annotated[int, Whole(query=True)] = 0
    limit: Annotated[int, Whole(query=True, minimum=1, maximum=100)] = 20

    def of(self, rows: QuerySet[R]) -> QuerySet[R]:
        return rows[self.offset : self.offset + self.limit]
