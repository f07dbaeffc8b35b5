"""HTML that pages share: times, statuses, links, charts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext

TONES = ("good", "bad", "warn", "busy", "calm")
"""Meanings of colours: success, failure, needs attention, in progress, neutral."""


def when(moment: datetime | None, never: object = "") -> SafeString:
    """A time relative to now; the exact time on hover, which a script converts to the viewer's time zone."""
    if moment is None:
        return format_html('<span class="kf-subtle">{}</span>', never or gettext("never"))
    exact = moment.astimezone(UTC)
    return format_html(
        '<time class="kf-when" datetime="{}" title="{}">{}</time>',
        exact.isoformat(timespec="seconds"),
        f"{exact:%Y-%m-%d %H:%M:%S} UTC",
        relative(moment),
    )


def relative(moment: datetime, now: datetime | None = None) -> str:
    """With one unit: 3 minutes ago; in 2 hours."""
    now = now or timezone.now()
    if abs((now - moment).total_seconds()) < 60:
        return gettext("just now") if moment <= now else gettext("in a moment")
    if moment <= now:
        return gettext("%(time)s ago") % {"time": timesince(moment, now, depth=1)}
    return gettext("in %(time)s") % {"time": timesince(now, moment, depth=1)}


def took(began: datetime | None, ended: datetime | None) -> str:
    """A duration: 340 ms, 2.1 s, 3 min 20 s; "" if it has not ended."""
    if began is None or ended is None:
        return ""
    seconds = max((ended - began).total_seconds(), 0.0)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def badge(text: object, tone: str = "calm") -> SafeString:
    """A status as text with a colour."""
    return format_html('<span class="kf-badge" data-tone="{}">{}</span>', tone if tone in TONES else "calm", text)


def link(url: str, text: object) -> SafeString:
    return format_html('<a class="kf-link" href="{}">{}</a>', url, text)


@dataclass(frozen=True)
class Column:
    """A bar of a chart: its label, and the count of each kind, in the order of the chart's kinds."""

    label: str
    values: Sequence[int]
    title: str = ""


@dataclass(frozen=True)
class Chart:
    """Stacked bars: kinds as (name, tone) from the bottom up. The table below the chart has the same numbers."""

    name: str
    kinds: Sequence[tuple[str, str]]
    columns: Sequence[Column]
    unit: str = ""

    @property
    def top(self) -> int:
        return max((sum(column.values) for column in self.columns), default=0)

    @property
    def total(self) -> int:
        return sum(sum(column.values) for column in self.columns)

    def bars(self) -> Iterable[tuple[Column, str, list[tuple[str, str, float]]]]:
        """Column, its text, and its parts: kind, tone, height in per cent of the tallest column."""
        for column in self.columns:
            pairs = list(zip(self.kinds, column.values, strict=True))
            parts = [(name, tone, round(100 * n / (self.top or 1), 2)) for (name, tone), n in pairs if n]
            text = ", ".join(f"{n} {name}" for (name, _), n in pairs if n) or gettext("none")
            yield column, f"{column.title or column.label}: {text}", parts
