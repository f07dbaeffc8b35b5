"""The source step: choose the folder, see its keys; in a new installation create the first project and secrets."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.access.models import Project
from config.access.roles import Right
from config.errors import BadRequest, NotFound
from syncs.engine.types import Source
from syncs.models import Folder, SecretSync
from syncs.services.files import store_file
from syncs.services.folders import create_project
from syncs.source.formats import parse
from syncs.source.loader import read
from syncs.source.selectors import defaults_of, folder_by_id, folders_with_counts

from .step import Step

LISTED = 100  # folders of an environment; search finds the others
SEARCH_FROM = 8  # folders; with more there is a search input


class SourceStep(Step):
    slug = "source"
    title = gettext_lazy("Source")
    lead = gettext_lazy("The folder to sync. Later changes of its secrets are synced automatically.")

    def fields(self) -> dict[str, forms.Field]:
        return {}

    @cached_property
    def projects(self) -> list[Project]:
        """Projects that the person may sync from; if the connection belongs to a project, only that one."""
        editable = [pk for pk in self.actor.roles if self.actor.may(Right.EDIT_SYNCS, pk)]
        only = self.result_of("connection").get("projectId")
        return list(Project.objects.filter(pk__in=editable, **({"pk": only} if only else {})).order_by("name"))

    @cached_property
    def project(self) -> Project | None:
        """The chosen project, or the first. Raises NotFound for one that the person may not choose."""
        requested = self.values.get("project")
        if not requested:
            return self.projects[0] if self.projects else None
        found = next((each for each in self.projects if str(each.pk) == requested), None)
        if found is None and self.request.method == "POST":
            raise NotFound("Project not found")
        return found or (self.projects[0] if self.projects else None)

    @cached_property
    def folders(self) -> list[Folder]:
        """The folders of all environments of the project."""
        return list(folders_with_counts(self.project)) if self.project else []

    @cached_property
    def environments(self) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for folder in self.folders:
            environment = folder.environment
            entry = found.setdefault(environment.slug, {"slug": environment.slug, "name": environment.name, "keys": 0})
            entry["keys"] += folder.keys  # type: ignore[attr-defined]
        return list(found.values())

    @property
    def environment(self) -> str:
        """The slug of the chosen environment, else of the first with secrets."""
        slugs = [each["slug"] for each in self.environments]
        requested = self.values.get("environment", "")
        default = next((each["slug"] for each in self.environments if each["keys"]), slugs[0] if slugs else "")
        return requested if requested in slugs else default

    @cached_property
    def folder(self) -> Folder | None:
        """The chosen folder, else the first of the environment with secrets."""
        folders = [each for each in self.folders if each.environment.slug == self.environment]
        chosen = next((each for each in folders if each.path == self.values.get("path")), None)
        default = next((each for each in folders if each.keys), folders[0] if folders else None)  # type: ignore[attr-defined]
        return chosen or default

    @property
    def recursive(self) -> bool:
        if self.may_recurse and "path" in self.values:
            return "recursive" in self.values
        return bool(self.project and defaults_of(self.project).new_policy().recursive)

    @property
    def may_recurse(self) -> bool:
        """`recursive` belongs to the policy, which needs a right of its own."""
        return bool(self.project and self.actor.may(Right.EDIT_POLICY, self.project.pk))

    @cached_property
    def source(self) -> Source | None:
        """The secrets of the chosen folder, including imports."""
        if self.folder is None or self.project is None:
            return None
        sync = SecretSync(project=self.project, folder=self.folder)
        sync.policy = defaults_of(self.project).new_policy(sync=sync, recursive=self.recursive)
        return read(sync).source

    def context(self) -> dict[str, Any]:
        query = self.values.get("search", "").lower()
        folders = [each for each in self.folders if each.environment.slug == self.environment]
        matching = [each for each in folders if query in each.path.lower() or each == self.folder]
        entries = self.source.entries if self.source else ()
        return {
            "form": self.form,
            "projects": self.projects,
            "project": self.project,
            "environments": self.environments,
            "environment": self.environment,
            "folders": matching[:LISTED],
            "more": max(0, len(matching) - LISTED),
            "has_search": len(folders) > SEARCH_FROM,
            "search": self.values.get("search", ""),
            "folder": self.folder,
            "recursive": self.recursive,
            "may_recurse": self.may_recurse and any(each.path != "/" for each in folders),
            "keys": len(entries),
            "names": [entry.key for entry in entries[:12]],
            "more_names": max(0, len(entries) - 12),
            "broken": [entry.key for entry in entries if entry.problem],
            "gaps": self.source.gaps if self.source else (),
            "may_create_project": self.actor.is_instance_admin,
            "may_write": bool(self.project and self.actor.may(Right.WRITE_SECRETS, self.project.pk)),
        }

    def submit(self) -> dict[str, Any] | None:
        if "create_project" in self.request.POST:
            created = create_project(self.actor, self.values.get("project_name", ""))
            self.values["project"] = str(created.pk)
            return None
        if self.project is None:
            raise BadRequest(_("There is no project to sync from"))
        if "add_secrets" in self.request.POST:
            self._add(self.request.POST.get("pasted", ""))
            return None
        folders = [each for each in self.folders if each.environment.slug == self.values.get("environment")]
        if not folders:
            raise BadRequest(_("Choose an environment"))
        folder = next((each for each in folders if each.path == self.values.get("path")), None)
        if folder is None:
            raise BadRequest(_("Choose a folder"))
        return {
            "projectId": str(self.project.pk),
            "project": self.project.name,
            "environment": folder.environment.slug,
            "environmentName": folder.environment.name,
            "secretPath": folder.path,
            "recursive": self.recursive,
        }

    def _add(self, text: str) -> None:
        """Add the first secrets of the folder from the text of a dotenv, JSON or YAML file."""
        assert self.folder
        store_file(self.actor, folder_by_id(self.actor, self.folder.pk), parse(text), overwrite=False, prune=False)
