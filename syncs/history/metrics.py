"""Metrics for Prometheus: counted from the tables on request, so that every web process reports the same."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, F
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from syncs.models import ManagedSecret, SecretSync, Status, SyncRun

from .states import counted_by_destination


class _Tables(Collector):
    def collect(self) -> Iterator[Metric]:
        syncs = GaugeMetricFamily("keyferry_syncs", "Syncs by destination and status", labels=["destination", "status"])
        for destination, state, count in counted_by_destination():
            syncs.add_metric([destination, state], count)
        yield syncs
        runs = GaugeMetricFamily("keyferry_runs", "Runs kept, by operation and status", labels=["operation", "status"])
        for run in SyncRun.objects.values("operation", "status").annotate(count=Count("pk")).order_by():
            runs.add_metric([run["operation"], run["status"]], run["count"])
        yield runs
        behind = SecretSync.objects.filter(wanted_rev__gt=F("done_rev"), is_auto_sync_enabled=True).count()
        yield GaugeMetricFamily("keyferry_syncs_behind", "Syncs with a change that no run has carried", value=behind)
        due = SyncRun.objects.filter(status=Status.PENDING, due_at__lte=timezone.now())
        oldest = due.order_by("due_at").values_list("due_at", flat=True).first()
        waited = (timezone.now() - oldest).total_seconds() if oldest else 0.0
        yield GaugeMetricFamily(
            "keyferry_oldest_due_run_seconds", "How long the first due run has waited", value=waited
        )
        owned = ManagedSecret.objects.exclude(sync=None).count()
        yield GaugeMetricFamily("keyferry_managed_secrets", "Keys at destinations that syncs own", value=owned)


def metrics(request: HttpRequest) -> HttpResponse:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Tables())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
