"""Copies the projects of another server of the modelled API to this one: from Infisical, or from another Keyferry.

Everything is read with the other server's public API and stored through this one's services, environment by environment
and folder by folder. Equal data change nothing, so an import that was interrupted can be started again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import transaction

from config.access.models import Project
from config.access.roles import Actor
from config.access.services import PROJECT_SLUG, update_project
from config.errors import BadRequest, Invalid, ServiceError
from connections.http.client import ApiClient, quote
from syncs.models import Environment, Folder, Secret, SecretImport, Tag
from syncs.services.folders import create_environment, create_project, ensure_folder
from syncs.services.imports import add_import
from syncs.services.secrets import set_secrets
from syncs.services.tags import create_tag
from syncs.source.paths import normal_path
from syncs.source.selectors import environment_by_slug
from syncs.source.validation import SecretInput

BATCH = 200  # secrets stored at once


@dataclass
class Report:
    """Numbers of objects on the other server, and of new or different ones; `problems` name omitted ones."""

    found: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def count(self, description: str, *, changed: bool) -> None:
        self.found[description] = self.found.get(description, 0) + 1
        self.changed[description] = self.changed.get(description, 0) + changed


class Origin:
    """The other server, with a session. Raises IntegrationError."""

    def __init__(self, host: str, client_id: str, client_secret: str) -> None:
        self._host = host
        with ApiClient("Infisical", host, secrets=[client_secret], deadline=30) as client:
            response = client.request(
                "POST",
                "/api/v1/auth/universal-auth/login",
                json={"clientId": client_id, "clientSecret": client_secret},
            )
        token = _member(response, "accessToken")
        self._client = ApiClient(
            "Infisical", host, headers={"Authorization": f"Bearer {token}"}, secrets=[token], deadline=60
        )

    def close(self) -> None:
        self._client.close()

    def projects(self) -> list[dict[str, Any]]:
        return _list(self._client.request("GET", "/api/v1/workspace"), "workspaces")

    def project(self, project_id: str) -> dict[str, Any]:
        found: dict[str, Any] = _member(
            self._client.request("GET", f"/api/v1/workspace/{quote(project_id)}"), "workspace"
        )
        return found

    def tags(self, project_id: str) -> list[dict[str, Any]]:
        return _list(self._client.request("GET", f"/api/v1/workspace/{quote(project_id)}/tags"), "workspaceTags")

    def folders(self, project_id: str, environment: str, path: str = "/") -> Iterator[tuple[str, str | None]]:
        """Path and description of every folder below, parents first: one request per folder, as all servers support."""
        query = {"workspaceId": project_id, "environment": environment, "path": path}
        for folder in _list(self._client.request("GET", "/api/v1/folders", params=query), "folders"):
            below = f"{path.rstrip('/')}/{folder['name']}"
            yield below, folder.get("description")
            yield from self.folders(project_id, environment, below)

    def secrets(self, project_id: str, environment: str, path: str) -> list[dict[str, Any]]:
        query = {
            "workspaceId": project_id,
            "environment": environment,
            "secretPath": path,
            "viewSecretValue": "true",
            "expandSecretReferences": "false",
            "include_imports": "false",
        }
        return _list(self._client.request("GET", "/api/v3/secrets/raw", params=query), "secrets")

    def imports(self, project_id: str, environment: str, path: str) -> list[dict[str, Any]]:
        query = {"workspaceId": project_id, "environment": environment, "path": path}
        found = _list(self._client.request("GET", "/api/v1/secret-imports", params=query), "secretImports")
        return sorted(found, key=lambda each: each.get("position", 0))


def move_in(actor: Actor, origin: Origin, project_id: str | None, progress: Callable[[str, int, int], None]) -> Report:
    """Copy one project, or all that the login may see. `progress`: the current folder, its number, the total."""
    report = Report()
    chosen = [origin.project(project_id)] if project_id else origin.projects()
    for theirs in chosen:
        try:
            _Move(actor, origin, theirs, report, progress).all()
        except ServiceError as error:
            report.problems.append(f"project {theirs.get('slug')}: {error}")
    return report


class _Move:
    """One project."""

    def __init__(
        self,
        actor: Actor,
        origin: Origin,
        theirs: Mapping[str, Any],
        report: Report,
        progress: Callable[[str, int, int], None],
    ) -> None:
        self.actor, self.origin, self.theirs, self.report = actor, origin, theirs, report
        self.progress = progress
        self.id = str(_member(theirs, "id"))

    def all(self) -> None:
        self.project = self._project()
        self._tags()
        locations: list[tuple[Environment, str]] = []
        for theirs in self.theirs.get("environments", []):
            environment = self._environment(theirs)
            locations.append((environment, "/"))
            for path, description in self.origin.folders(self.id, environment.slug):
                if self._folder(environment, path, description):
                    locations.append((environment, path))
        for done, (environment, path) in enumerate(locations, start=1):
            self.progress(f"{self.project.slug} {environment.slug}{path}", done, len(locations))
            self._secrets(environment, path)
        # Imports last: their targets exist by now.
        for environment, path in locations:
            self._imports(environment, path)

    def _project(self) -> Project:
        slug, name = str(self.theirs.get("slug", "")), str(self.theirs.get("name", ""))[:64]
        known = Project.objects.filter(slug=slug).first()
        self.report.count("projects", changed=known is None)
        if known:
            return known
        if not PROJECT_SLUG.fullmatch(slug) or len(slug) > 64:
            raise BadRequest(f"the slug '{slug}' cannot be used here; rename the project on the other server")
        with transaction.atomic():
            created = create_project(self.actor, name, description=self.theirs.get("description"), environments=())
            # A slug that a server derived from a long name, or that was changed later, is not valid for a new project.
            return update_project(self.actor, created, slug=slug)

    def _tags(self) -> None:
        known = set(Tag.objects.filter(project=self.project).values_list("slug", flat=True))
        for theirs in self.origin.tags(self.id):
            slug = str(theirs.get("slug", ""))
            self.report.count("tags", changed=slug not in known)
            if slug not in known:
                color = str(theirs.get("color") or "")[:32]
                self._try(f"tag {slug}", partial(create_tag, self.actor, self.project, slug, color))

    def _environment(self, theirs: Mapping[str, Any]) -> Environment:
        slug, name = str(theirs["slug"]), str(theirs.get("name") or theirs["slug"])
        known = Environment.objects.select_related("project").filter(project=self.project, slug=slug).first()
        self.report.count("environments", changed=known is None)
        return known or create_environment(self.actor, self.project, name, slug)

    def _folder(self, environment: Environment, path: str, description: str | None) -> bool:
        """Whether it exists now."""
        try:
            path = normal_path(path)
        except Invalid as error:
            self.report.problems.append(f"folder {environment.slug}{path}: {error}")
            return False
        known = Folder.objects.filter(environment=environment, path=path).exists()
        self.report.count("folders", changed=not known)
        ensure_folder(self.actor, environment, path, description=description)
        return True

    def _secrets(self, environment: Environment, path: str) -> None:
        folder = Folder.objects.select_related("environment__project").get(environment=environment, path=path)
        theirs = [
            each for each in self.origin.secrets(self.id, environment.slug, path) if each.get("type") != "personal"
        ]
        location = f"{self.project.slug} {environment.slug}{path}"
        hidden = sorted(str(each["secretKey"]) for each in theirs if each.get("secretValueHidden"))
        if hidden:
            self.report.problems.append(f"{location}: the login may not read {', '.join(hidden[:20])}")
        readable = [each for each in theirs if not each.get("secretValueHidden")]
        for start in range(0, len(readable), BATCH):
            batch = [_input(each) for each in readable[start : start + BATCH]]
            self._store(folder, location, batch)

    def _store(self, folder: Folder, location: str, batch: list[SecretInput]) -> None:
        """All of the batch; if one is refused, the others one by one."""
        before = _versions(folder, batch)
        try:
            set_secrets(self.actor, folder, batch, resolved=False)
        except ServiceError as error:
            if len(batch) == 1:
                self.report.problems.append(f"{location} {batch[0].key}: {error}")
                return
            for one in batch:
                self._store(folder, location, [one])
            return
        after = _versions(folder, batch)
        for one in batch:
            self.report.count("secrets", changed=before.get(one.key) != after.get(one.key))

    def _imports(self, environment: Environment, path: str) -> None:
        folder = Folder.objects.select_related("environment__project").get(environment=environment, path=path)
        known = {
            (row.import_environment.slug, row.import_path)
            for row in SecretImport.objects.select_related("import_environment").filter(folder=folder)
        }
        for theirs in self.origin.imports(self.id, environment.slug, path):
            if theirs.get("isReserved"):
                continue  # created by a replication, not by a person
            slug, target = str(theirs["importEnv"]["slug"]), str(theirs["importPath"])
            self.report.count("imports", changed=(slug, target) not in known)
            if (slug, target) not in known:
                description = f"import of {slug}{target} into {environment.slug}{path}"
                self._try(description, partial(self._import, folder, slug, target))

    def _import(self, folder: Folder, slug: str, target: str) -> None:
        add_import(self.actor, folder, environment_by_slug(self.project, slug), target)

    def _try(self, description: str, do: Callable[[], object]) -> None:
        try:
            do()
        except ServiceError as error:
            self.report.problems.append(f"{self.project.slug} {description}: {error}")


def _versions(folder: Folder, batch: list[SecretInput]) -> dict[str, int]:
    keys = [one.key.strip() for one in batch]
    return dict(Secret.objects.filter(folder=folder, key__in=keys).values_list("key", "version"))


def _input(theirs: Mapping[str, Any]) -> SecretInput:
    return SecretInput(
        key=str(theirs["secretKey"]).strip(),
        value=str(theirs.get("secretValue") or ""),
        comment=str(theirs.get("secretComment") or ""),
        tags=sorted(str(tag["slug"]) for tag in theirs.get("tags") or ()),
        metadata=[
            {
                "key": str(each["key"]),
                "value": str(each.get("value") or ""),
                "isEncrypted": bool(each.get("isEncrypted")),
            }
            for each in theirs.get("secretMetadata") or ()
        ],
        skip_multiline_encoding=bool(theirs.get("skipMultilineEncoding")),
        reminder_note=theirs.get("secretReminderNote"),
        reminder_repeat_days=theirs.get("secretReminderRepeatDays"),
        exact=True,
    )


def _member(answer: Any, name: str) -> Any:
    if not isinstance(answer, dict) or name not in answer:
        raise BadRequest(f"The server's answer has no '{name}': is it one of the modelled API?")
    return answer[name]


def _list(answer: Any, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _member(answer, name)
    return found
