"""Reports of defects contain location and type, but no messages and no variables, because those may contain values."""

from __future__ import annotations

import logging
import traceback
from collections.abc import ItemsView
from types import TracebackType
from typing import Any

from django.http import HttpRequest
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Formatter(logging.Formatter):
    """Tracebacks without the exceptions' messages."""

    def format(self, record: logging.LogRecord) -> str:
        cached, record.exc_text = record.exc_text, None  # another formatter may have cached its text
        try:
            return super().format(record)
        finally:
            record.exc_text = cached

    def formatException(self, ei: ExcInfo) -> str:
        parts: list[str] = []
        error = ei[1]
        while error is not None:
            parts.append(
                "Traceback (most recent call last):\n"
                + "".join(traceback.format_tb(error.__traceback__))
                + type(error).__qualname__
            )
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n\n".join(reversed(parts))


class Filter(SafeExceptionReporterFilter):
    """Hides all variables and form data, even with DJANGO_DEBUG."""

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        return dict.fromkeys(request.POST, self.cleansed_substitute) if request else {}

    def get_traceback_frame_variables(self, request: Any, tb_frame: Any) -> ItemsView[str, Any]:
        return dict.fromkeys(tb_frame.f_locals, self.cleansed_substitute).items()


class Reporter(ExceptionReporter):
    """Django's debug page without the message of the exception."""

    def get_traceback_data(self) -> dict[str, Any]:
        data: dict[str, Any] = super().get_traceback_data()
        data["exception_value"] = "(hidden: it may contain a secret)"
        for frame in data["frames"]:
            frame.pop("exc_cause", None)
            frame.pop("exc_cause_explicit", None)
        return data
