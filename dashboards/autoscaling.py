"""The dashboard of autoscaling: what each module of a service does under load, and the operator beside it.

Built by ``python -m dashboards``; https://grafana.com/docs/grafana/latest/dashboards/ says what the words mean.
"""

from itertools import count
from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, QueryVariable, Row
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard as Model
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    Panel,
    RowPanel,
    VariableRefresh,
    VariableSort,
)

from dashboards import asked
from dashboards.panels import DATASOURCE, figure, graph, timeline
from dashboards.query import METRICS_SINCE, Query
from dashboards.tier import HTTP, MQTT, Tier

UID: Final = "sensorthings-autoscaling"
_DAY_STEPS: Final = ((None, "red"), (7, "orange"), (21, "green"))
"""Days: cert-manager renews a third of a certificate's life before its end, 30 days before that of a public one."""
_ZERO_IS_FINE: Final = ((None, "green"), (1, "orange"))
_YES_IS_GOOD: Final = (("0", "no", "red"), ("1", "yes", "green"))
_NO_IS_GOOD: Final = (("0", "no", "green"), ("1", "yes", "orange"))


def dashboard() -> Model:
    """The whole dashboard."""
    built = (
        Dashboard("SensorThings: autoscaling")
        .uid(UID)
        .description("Pods, CPU and connections of a SensorThingsService, and the operator that keeps it.")
        .tags(["sensorthings", "generated"])
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("30s")
        .readonly()
        .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(_variable("namespace", "Namespace", asked.NAMESPACES, "namespace"))
        .with_variable(_variable("service", "Service", asked.SERVICE_NAMES, "service"))
    )
    _rows(built)
    return _numbered(built.build())


def _numbered(built: Model) -> Model:
    """Each panel with a number of its own, in the order in which they stand: links to a panel name it."""
    numbers = count(1)
    for panel in built.panels or ():
        panel.id_val = next(numbers)
        for below in panel.panels if isinstance(panel, RowPanel) else ():
            below.id_val = next(numbers)
    return built


def _variable(name: str, label: str, query: Query, value: str) -> QueryVariable:
    """A choice among the values of a label, asked anew when the time range changes: services come and go."""
    return (
        QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query(f"label_values({query.expression}, {value})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _rows(built: Dashboard) -> None:
    for title, panels in (
        ("$service at a glance", _glance()),
        ("HTTP", _tier(HTTP)),
        ("MQTT", _tier(MQTT)),
        ("MQTT connections (of a service that is exposed)", _connections()),
        ("Message bus", _bus()),
        ("Operator (all services)", _operator()),
    ):
        built.with_row(Row(title))
        for panel in panels:
            built.with_panel(panel)
    later = Row(f"FROST-Server's own metrics ({METRICS_SINCE} and later only)")
    for panel in _frost_server():
        later.with_panel(panel)
    built.with_row(later)


def _glance() -> list[Builder[Panel]]:
    return [
        figure(
            "Ready", (asked.READY,), description="Clients are served as the spec wants.", width=3, words=_YES_IS_GOOD
        ),
        figure(
            "Stalled", (asked.STALLED,), description="Nothing moves until somebody acts.", width=3, words=_NO_IS_GOOD
        ),
        figure("Bus", (asked.BUS_CONNECTED,), description="Without it nothing is pushed.", width=3, words=_YES_IS_GOOD),
        figure("HTTP pods", (HTTP.ready(),), description="Pods of the HTTP module that are ready.", width=3),
        figure("MQTT pods", (MQTT.ready(),), description="Pods of the MQTT module that are ready.", width=3),
        figure(
            "Autoscaler at its most",
            (HTTP.at_most(), MQTT.at_most()),
            description="The load asks for as many pods as the spec allows, or more.",
            width=5,
            words=_NO_IS_GOOD,
        ),
        figure(
            "Certificate",
            (asked.CERTIFICATE_DAYS,),
            description="Days until the certificate expires with which the MQTT pods serve.",
            width=4,
            steps=_DAY_STEPS,
        ),
        timeline(
            "Conditions that hold",
            (asked.CONDITIONS,),
            description="Of the status of the service. Reconciling and Stalled are fine where they do not hold.",
        ),
    ]


def _tier(tier: Tier) -> list[Builder[Panel]]:
    return [
        graph(
            f"{tier.title}: pods",
            tier.replicas(),
            description="Pods that are ready and that are wanted, and between which bounds the autoscaler decides.",
            width=12,
            bounds=("min", "max"),
        ),
        graph(
            f"{tier.title}: CPU against the target",
            tier.utilization(),
            description="CPU of FROST-Server's containers in percent of what they request, as the autoscaler sees it: "
            "above the target it adds pods.",
            width=12,
            unit="percent",
            bounds=("target",),
        ),
        graph(
            f"{tier.title}: CPU by pod",
            (tier.cpu(),),
            description="Cores in use. A pod that does much more than the others holds the connections of many.",
            width=12,
        ),
        graph(
            f"{tier.title}: memory by pod",
            (tier.memory(),),
            description="Memory that can't be taken from it (working set).",
            width=12,
            unit="bytes",
        ),
    ]


def _connections() -> list[Builder[Panel]]:
    return [
        graph(
            "Connections by pod",
            (asked.CONNECTIONS,),
            description="Open connections, by TCP (mqtts) and WebSocket (wss). New pods get new connections only: an "
            "autoscaler moves none.",
            width=12,
        ),
        graph(
            "New connections",
            (asked.NEW_CONNECTIONS,),
            description="Connections that clients opened.",
            width=12,
            unit="cps",
        ),
        graph(
            "Connections that failed",
            asked.REFUSED_CONNECTIONS,
            description="Handshakes that failed, connections beyond what one pod takes, and those that FROST-Server "
            "did not take.",
            width=12,
            unit="cps",
        ),
        graph(
            "Bytes",
            asked.MQTT_BYTES,
            description="Bytes from and to clients, after decryption.",
            width=12,
            unit="Bps",
        ),
    ]


def _bus() -> list[Builder[Panel]]:
    return [
        graph("Bus: CPU", (asked.BUS_CPU,), description="Cores in use; mosquitto uses one at most.", width=12),
        graph(
            "Bus: memory",
            (asked.BUS_MEMORY,),
            description="It grows with messages for modules that are away.",
            width=12,
            unit="bytes",
        ),
    ]


def _operator() -> list[Builder[Panel]]:
    return [
        figure("Services", (asked.SERVICES,), description="SensorThingsServices that exist.", width=6),
        figure(
            "Last pass",
            (asked.LAST_PASS,),
            description="Time since a pass was finished. Every service has one in resyncSeconds, of many two a second.",
            width=6,
            unit="s",
            steps=((None, "green"), (600, "orange"), (1800, "red")),
        ),
        figure(
            "Waiting for a pass",
            (asked.QUEUE_DEPTH,),
            description="Services that changed and were not looked at yet.",
            width=6,
            steps=((None, "green"), (100, "orange")),
        ),
        figure(
            "Brought back",
            (asked.DRIFT_REPAIRS,),
            description="Children that somebody changed and the operator brought back in the time shown.",
            width=6,
            steps=_ZERO_IS_FINE,
        ),
        graph("Passes", (asked.PASSES,), description="Finished passes, by their result.", width=8, unit="ops"),
        graph(
            "Duration of a pass",
            asked.PASS_SECONDS,
            description="Half of the passes, and 95 of 100, took less.",
            width=8,
            unit="s",
        ),
        graph(
            "Calls to the Kubernetes API",
            (asked.API_CALLS,),
            description="By verb and HTTP status. A service at rest costs a read now and then, and no write.",
            width=8,
            unit="reqps",
        ),
    ]


def _frost_server() -> list[Builder[Panel]]:
    return [
        graph(
            "Duration of an HTTP request",
            asked.REQUEST_SECONDS,
            description="Half of the requests, and 95 of 100, took less.",
            width=8,
            unit="s",
        ),
        graph(
            "Duration of an SQL query",
            (asked.SQL_SECONDS,),
            description="95 of 100 queries of both modules took less.",
            width=8,
            unit="s",
        ),
        graph("MQTT sessions", (asked.SESSIONS,), description="Sessions that FROST-Server has open.", width=8),
        graph(
            "Messages that wait",
            asked.QUEUES,
            description="In the queues from the bus and to the subscribers.",
            width=12,
        ),
        graph(
            "Messages that were dropped",
            asked.OVERRUNS,
            description="Queues that were full: subscribers miss Observations.",
            width=12,
            unit="cps",
        ),
    ]
