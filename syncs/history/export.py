"""The history of runs as a file: one line per key of each run, for a spreadsheet or a program."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from syncs.history.serialize import RunInHistory, changes_as_json, run_as_json, run_with_keys
from syncs.models import SyncRun

COLUMNS = (
    "run",
    "sync",
    "destination",
    "operation",
    "trigger",
    "actor",
    "runStatus",
    "startedAt",
    "endedAt",
    "key",
    "sourceKey",
    "action",
    "outcome",
    "reason",
    "errorCode",
    "errorMessage",
)


def as_json(runs: Iterable[SyncRun]) -> Iterator[str]:
    """An array of runs with their keys, run by run."""
    yield "["
    for number, run in enumerate(runs):
        row: RunInHistory = {**run_with_keys(run), "sync": run.sync.name, "destination": run.sync.destination}
        yield ("," if number else "") + json.dumps(row)
    yield "]"


def as_csv(runs: Iterable[SyncRun]) -> Iterator[str]:
    """A header, then one line per key; a run without keys has one line of its own."""
    yield _line(COLUMNS)
    for run in runs:
        row = run_as_json(run)
        common = [
            row["id"],
            run.sync.name,
            run.sync.destination,
            row["operation"],
            row["trigger"],
            row["actor"]["name"],
            row["status"],
            row["startedAt"],
            row["endedAt"],
        ]
        empty = True
        for change in changes_as_json(run):
            empty = False
            error = change["error"] or {"code": "", "message": ""}
            own = [change["key"], change["sourceKey"], change["action"], change["outcome"], change["reason"]]
            yield _line([*common, *own, error["code"], error["message"]])
        if empty:
            yield _line([*common, "", "", "", "", run.message or "", "", ""])


def _line(cells: Iterable[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow([_escaped(str(cell or "")) for cell in cells])
    return out.getvalue()


def _escaped(cell: str) -> str:
    """Spreadsheets interpret some texts as formulas; a quote in front prevents that."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


FORMATS = {"json": (as_json, "application/json"), "csv": (as_csv, "text/csv; charset=utf-8")}
