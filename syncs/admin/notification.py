"""Notification targets, with a test message, and the messages that were sent."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget

from config.access.models import Project
from config.access.roles import Actor, Right
from config.errors import ServiceError
from config.ui.base import ReadOnlyAdmin, ServiceAdmin, ServiceForm, actor_of
from syncs.models import Notice, NoticeState, NotificationTarget
from syncs.notifications import targets as services
from syncs.notifications.targets import RECIPIENTS, TargetInput


class _TargetForm(ServiceForm):
    aliases = {"states": "events"}
    url = forms.CharField(
        required=False,
        strip=True,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False),
        help_text=_(
            "An apprise URL such as slack://..., discord://... or json://.... It is encrypted and never shown again."
        ),
    )
    recipients = forms.ChoiceField(
        required=False,
        choices=(("", "no e-mail"), *((name, f"{name} of the project") for name in RECIPIENTS)),
        widget=UnfoldAdminSelectWidget(),
        help_text=_("E-mail instead of a URL."),
    )
    events = forms.MultipleChoiceField(
        choices=NoticeState.choices, required=False, widget=forms.CheckboxSelectMultiple()
    )

    class Meta:
        model = NotificationTarget
        fields = ("name", "is_enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        is_new = self.instance._state.adding
        if "events" in self.fields:
            self.fields["events"].initial = list(NoticeState.values) if is_new else self.instance.states
            self.fields["recipients"].initial = self.instance.recipients
            if not is_new and self.instance.url_sealed is not None:
                self.fields["url"].help_text = f"Leave blank to keep the stored URL ({self.instance.scheme}://...)."

    def target_input(self) -> TargetInput:
        data = self.cleaned_data
        changed = data["recipients"] != self.instance.recipients or not self.instance.url_sealed
        return TargetInput(
            name=data["name"],
            url=data["url"] or None,
            recipients=(data["recipients"] or None) if changed else None,
            states=data["events"],
            is_enabled=data["is_enabled"],
        )


@admin.register(NotificationTarget)
class NotificationTargetAdmin(ServiceAdmin):
    form = _TargetForm
    project_path = "project"
    edit = Right.MANAGE_PROJECT
    list_display = ("name", "project", "scheme", "recipients", "health", "last_sent_at")
    list_filter = ("project", "scheme", "is_enabled")
    list_select_related = ("project",)
    search_fields = ("name", "scheme", "project__name")
    actions = ("test_now",)
    actions_submit_line = ("save_and_test",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("project")

    @display(description=_("State"), label={"ready": "success", "off": "default", "failing": "danger"})
    def health(self, obj: NotificationTarget) -> str:
        if not obj.is_enabled:
            return "off"
        return "failing" if obj.last_error else "ready"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        general = ["name", "is_enabled"] if obj else ["project", "name", "is_enabled"]
        sections = [
            (None, {"fields": general}),
            ("Recipient", {"fields": ["url", "recipients"]}),
            ("Events", {"fields": ["events"]}),
        ]
        if obj:
            sections.append(("Last messages", {"fields": ["last_sent_at", "last_failed_at", "last_error"]}))
        return sections

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["fields"] = ["name", "is_enabled"] if obj else ["project", "name", "is_enabled"]
        return super().get_form(request, obj, change=change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("last_sent_at", "last_failed_at", "last_error")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "project":
            actor = actor_of(request)
            managed = [project_id for project_id in actor.roles if actor.may(Right.MANAGE_PROJECT, project_id)]
            kwargs["queryset"] = Project.objects.filter(pk__in=managed)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def create(self, actor: Actor, form: Any) -> NotificationTarget:
        return services.create_target(actor, form.cleaned_data["project"], form.target_input())

    def change(self, actor: Actor, obj: NotificationTarget, form: Any) -> None:
        services.update_target(actor, obj, form.target_input())

    def remove(self, actor: Actor, obj: NotificationTarget) -> None:
        services.delete_target(actor, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "syncs_notificationtarget_save_and_test" in request.POST:
            self.save_and_test(request, obj)

    @action(description=_("Save and send a test message"))
    def save_and_test(self, request: HttpRequest, obj: Any) -> None:
        self.test_now(request, self.get_queryset(request).filter(pk=obj.pk))

    @admin.action(description=_("Send a test message"))
    def test_now(self, request: HttpRequest, queryset: Any) -> None:
        for target in queryset:
            try:
                services.test_target(actor_of(request), target)
                messages.success(request, _("%(target)s: message accepted.") % {"target": target.name})
            except ServiceError as error:
                messages.error(request, str(error))


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    """Messages that were sent. They contain names of keys and never values."""

    project_path = "target__project_id"
    see = Right.SEE_SYNCS
    list_display = ("created_at", "title", "target", "state", "status", "attempts", "error")
    list_filter = ("state", "status", "target__project")
    list_select_related = ("target",)
    search_fields = ("title", "target__name", "error")
    date_hierarchy = "created_at"
