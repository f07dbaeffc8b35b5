"""What the documentation takes from the syncs: a page for each destination, the error codes, and pages of the admin."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from config.schemas.json_schema import alternatives, described
from config.ui.docs import block, pages_below
from config.ui.help import register_help
from config.ui.markdown import code, escaped, table
from connections.provider import providers
from syncs.destination.base import Destination, destinations
from syncs.destination.catalogue import Facts, catalogue, facts_of
from syncs.engine.error_codes import Code


def error_codes() -> str:
    rows = [(code(each.value), escaped(each.meaning), escaped(each.remedy)) for each in Code]
    return table(("Code", "Meaning", "What to do"), rows)


def destination_index() -> str:
    rows = [
        (
            f"[{escaped(each.name)}](destinations/{each.slug}.md)",
            code(each.slug),
            _yes(each.imports),
            escaped(each.drift),
        )
        for each in catalogue()
    ]
    return table(("Destination", "Slug", "Import", "Drift"), rows)


def destination_pages() -> Iterable[tuple[str, str]]:
    """The last part of each page's path, and its Markdown."""
    return [(found.slug, destination_page(found)) for found in destinations]


_AFTER = "The policy's `afterWrites` can be %s; see [after the writes](../syncs.md#after-the-writes)."
_OWN_POLICY = "Members of `destination` in the [policy](../syncs.md#the-policy) of a sync."


def destination_page(found: type[Destination]) -> str:
    facts = facts_of(found)
    parts = [f"# {escaped(facts.name)}", _summary(facts)]
    parts += ["## What to enter", *_config(found)]
    parts += ["## Options", _members(described(found.Options))]
    if found.after_writes:
        parts += ["## After the writes", _AFTER % code(found.after_writes[0])]
    if found.Policy.model_fields:
        parts += ["## Policy", _OWN_POLICY, _members(described(found.Policy))]
    parts += ["## Connection", escaped(_sentence(f"Needs: {facts.rights}")), *_methods(found)]
    parts += ["## Limits", "\n".join(f"- {escaped(each)}" for each in (*facts.limits, f"Pace: {facts.pace}."))]
    parts += ["## Drift", escaped(facts.drift)]
    parts += ["## Good to know", escaped(facts.note)] if facts.note else []
    checks = "\n".join(f"- {escaped(str(each))}" for each in facts.verified)
    parts += ["## Verified", checks or "Not verified.", f"[Documentation of the service]({facts.docs})"]
    return "\n\n".join(parts)


def _summary(facts: Facts) -> str:
    imports = "Values can be read back and imported." if facts.imports else "Values cannot be imported."
    return f"Slug: {code(facts.slug)}. {imports} See [how to read this page](../destinations.md#how-to-read-a-page)."


def _config(found: type[Destination]) -> Iterable[str]:
    schema = described(found.described_config())
    variants = alternatives(schema) or [schema]
    if len(variants) == 1:
        yield _members(variants[0])
        return
    for scope, variant in zip(facts_of(found).scopes, variants, strict=True):
        yield f"### {scope}"
        yield _members(variant)


def _methods(found: type[Destination]) -> Iterable[str]:
    provider = providers.get(found.provider)
    for method, model in provider.methods.items() if provider else ():
        yield f"### {method}"
        yield _members(described(model))


def _members(schema: Mapping[str, Any]) -> str:
    """A table of an object's members, out of its JSON schema."""
    required = schema.get("required", ())
    rows = [
        (code(name), " ".join(_about(member)), _yes(name in required))
        for name, member in schema.get("properties", {}).items()
    ]
    return table(("Member", "Meaning", "Required"), rows)


def _about(member: Mapping[str, Any]) -> Iterable[str]:
    if title := member.get("title"):
        yield f"**{escaped(title)}.**"
    if description := member.get("description"):
        yield escaped(_sentence(description))
    if "enum" in member:
        choices = [code(str(each)) if each else "nothing" for each in member["enum"]]
        yield f"One of {', '.join(choices)}." if len(choices) > 1 else f"Always {choices[0]}."
    if "default" in member:
        default = member["default"]
        yield f"Default: {code(default if isinstance(default, str) else json.dumps(default))}."
    if member.get("writeOnly"):
        yield "Never shown again."


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _sentence(text: str) -> str:
    return f"{text.rstrip('.')}."


block("error-codes", error_codes)
block("destinations", destination_index)
pages_below("destinations", destination_pages)
register_help(
    {
        "admin:index": "concepts#how-they-get-there",
        "admin:destinations": "destinations",
        "secrets": "secrets#the-editor",
        "secrets_at": "secrets#the-editor",
        "syncs.syncdraft": "syncs#connect-and-sync",
        "admin:syncs_syncdraft_changelist": "syncs#choose-a-destination",
        "admin:syncs_syncdraft_step/destination": "syncs#choose-a-destination",
        "admin:syncs_syncdraft_step/connection": "syncs#choose-a-connection",
        "admin:syncs_syncdraft_step/source": "syncs#choose-the-source",
        "admin:syncs_syncdraft_step/target": "syncs#choose-the-target",
        "admin:syncs_syncdraft_step/options": "syncs#choose-options",
        "admin:syncs_syncdraft_step/plan": "syncs#look-at-the-plan",
        "admin:syncs_syncdraft_run": "syncs#run-a-sync",
        "syncs.secretsync": "syncs",
        "admin:syncs_secretsync_plan": "syncs#look-at-a-plan",
        "admin:syncs_secretsync_why": "syncs#find-out-why-a-key-is-there",
        "admin:syncs_secretsync_delete": "syncs#remove-what-a-sync-wrote",
        "syncs.syncrun": "syncs#run-a-sync",
        "admin:syncs_syncrun_undo": "syncs#undo-a-run",
        "run.held": "syncs#decide-on-a-held-run",
        "sync.policy": "syncs#the-policy",
        "sync.drift": "syncs#check-for-drift",
        "syncs.managedsecret": "architecture#ledger",
        "syncs.notificationtarget": "syncs#notifications",
        "syncs.notice": "syncs#notifications",
        "syncs.secret": "secrets",
        "syncs.folder": "concepts#where-secrets-are",
        "syncs.environment": "concepts#where-secrets-are",
        "syncs.secretimport": "secrets#imports",
        "syncs.secretreference": "secrets#references",
        "syncs.secretversion": "secrets#the-editor",
        "syncs.tag": "secrets#tags",
        "syncs.runchange": "concepts#outcomes-of-a-key",
        "syncs.initialset": "syncs#the-policy",
        "syncs.formerlocation": "syncs#change-a-sync",
        "syncs.owedaction": "syncs#after-the-writes",
        "syncs.driftcheck": "concepts#drift",
        "syncs.lease": "architecture#a-run",
    }
)
