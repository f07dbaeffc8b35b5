"""Which folder the sync takes, and how many keys that is. Where there is none yet, the first are made here."""

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

SHOWN = 100  # folders of one environment; a search finds the others
SEARCHED_FROM = 8  # folders, from which on there is a search


class SourceStep(Step):
    slug = "source"
    title = gettext_lazy("Source")
    lead = gettext_lazy("Which secrets go there. Each change of them follows by itself.")

    def fields(self) -> dict[str, forms.Field]:
        return {}

    @cached_property
    def projects(self) -> list[Project]:
        """Those that the person may sync from; with a connection of one project, that one alone."""
        mine = [pk for pk in self.actor.roles if self.actor.may(Right.EDIT_SYNCS, pk)]
        only = self.given("connection").get("projectId")
        return list(Project.objects.filter(pk__in=mine, **({"pk": only} if only else {})).order_by("name"))

    @cached_property
    def project(self) -> Project | None:
        """The one chosen, or the first. Raises NotFound for one that is not the person's to choose."""
        wish = self.values.get("project")
        if not wish:
            return self.projects[0] if self.projects else None
        found = next((each for each in self.projects if str(each.pk) == wish), None)
        if found is None and self.request.method == "POST":
            raise NotFound("There is no such project")
        return found or (self.projects[0] if self.projects else None)

    @cached_property
    def folders(self) -> list[Folder]:
        """Of all environments of the project, in their order."""
        return list(folders_with_counts(self.project)) if self.project else []

    @cached_property
    def environments(self) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for folder in self.folders:
            environment = folder.environment
            known = found.setdefault(environment.slug, {"slug": environment.slug, "name": environment.name, "keys": 0})
            known["keys"] += folder.keys  # type: ignore[attr-defined]
        return list(found.values())

    @property
    def environment(self) -> str:
        """The slug of the one chosen; else of the first that holds something."""
        slugs = [each["slug"] for each in self.environments]
        wish = self.values.get("environment", "")
        full = next((each["slug"] for each in self.environments if each["keys"]), slugs[0] if slugs else "")
        return wish if wish in slugs else full

    @cached_property
    def folder(self) -> Folder | None:
        """The one chosen; else the first of the environment that holds something."""
        here = [each for each in self.folders if each.environment.slug == self.environment]
        chosen = next((each for each in here if each.path == self.values.get("path")), None)
        full = next((each for each in here if each.keys), here[0] if here else None)  # type: ignore[attr-defined]
        return chosen or full

    @property
    def recursive(self) -> bool:
        if self.may_recurse and "path" in self.values:
            return "recursive" in self.values
        return bool(self.project and defaults_of(self.project).new_policy().recursive)

    @property
    def may_recurse(self) -> bool:
        """It is a word of the policy, which not everybody may write."""
        return bool(self.project and self.actor.may(Right.EDIT_POLICY, self.project.pk))

    @cached_property
    def source(self) -> Source | None:
        """What the chosen folder brings, imports and all."""
        if self.folder is None or self.project is None:
            return None
        sync = SecretSync(project=self.project, folder=self.folder)
        sync.policy = defaults_of(self.project).new_policy(sync=sync, recursive=self.recursive)
        return read(sync).source

    def context(self) -> dict[str, Any]:
        wish = self.values.get("search", "").lower()
        here = [each for each in self.folders if each.environment.slug == self.environment]
        fitting = [each for each in here if wish in each.path.lower() or each == self.folder]
        entries = self.source.entries if self.source else ()
        return {
            "form": self.form,
            "projects": self.projects,
            "project": self.project,
            "environments": self.environments,
            "environment": self.environment,
            "folders": fitting[:SHOWN],
            "more": max(0, len(fitting) - SHOWN),
            "searched": len(here) > SEARCHED_FROM,
            "search": self.values.get("search", ""),
            "folder": self.folder,
            "recursive": self.recursive,
            "may_recurse": self.may_recurse and any(each.path != "/" for each in here),
            "keys": len(entries),
            "names": [entry.key for entry in entries[:12]],
            "more_names": max(0, len(entries) - 12),
            "broken": [entry.key for entry in entries if entry.problem],
            "gaps": self.source.gaps if self.source else (),
            "may_make_project": self.actor.is_instance_admin,
            "may_write": bool(self.project and self.actor.may(Right.WRITE_SECRETS, self.project.pk)),
        }

    def submit(self) -> dict[str, Any] | None:
        if "make_project" in self.request.POST:
            made = create_project(self.actor, self.values.get("project_name", ""))
            self.values["project"] = str(made.pk)
            return None
        if self.project is None:
            raise BadRequest(_("There is no project to take secrets from"))
        if "add_secrets" in self.request.POST:
            self._add(self.request.POST.get("pasted", ""))
            return None
        here = [each for each in self.folders if each.environment.slug == self.values.get("environment")]
        if not here:
            raise BadRequest(_("Choose an environment"))
        folder = next((each for each in here if each.path == self.values.get("path")), None)
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
        """The first secrets of the folder, from the text of a dotenv, JSON or YAML file."""
        assert self.folder
        store_file(self.actor, folder_by_id(self.actor, self.folder.pk), parse(text), overwrite=False, prune=False)
