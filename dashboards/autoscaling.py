"""The dashboard of autoscaling: what each module of a service does under load, and the operator beside it.

Built by ``python -m dashboards``; https://grafana.com/docs/grafana/latest/dashboards/ says what the words mean.
"""

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Dashboard as Model
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards import asked
from dashboards.page import finished, of_a_service, page
from dashboards.panels import DAY_STEPS, NO_IS_GOOD, YES_IS_GOOD, ZERO_IS_FINE, figure, graph, timeline
from dashboards.query import METRICS_SINCE
from dashboards.tier import HTTP, MQTT, Tier

UID: Final = "sensorthings-autoscaling"


def dashboard() -> Model:
    """The whole dashboard."""
    about = "Pods, CPU and connections of a SensorThingsService, and the operator that keeps it."
    rows = (
        ("$service at a glance", _glance()),
        ("HTTP", _tier(HTTP)),
        ("MQTT", _tier(MQTT)),
        ("MQTT connections (of a service that is exposed)", _connections()),
        ("Message bus", _bus()),
        ("Operator (all services)", _operator()),
    )
    later = ((f"FROST-Server's own metrics ({METRICS_SINCE} and later only)", _frost_server()),)
    return finished(of_a_service(page("autoscaling", UID, about)), rows, later)


def _glance() -> list[Builder[Panel]]:
    return [
        figure(
            "Ready", (asked.READY,), description="Clients are served as the spec wants.", width=3, words=YES_IS_GOOD
        ),
        figure(
            "Stalled", (asked.STALLED,), description="Nothing moves until somebody acts.", width=3, words=NO_IS_GOOD
        ),
        figure("Bus", (asked.BUS_CONNECTED,), description="Without it nothing is pushed.", width=3, words=YES_IS_GOOD),
        figure("HTTP pods", (HTTP.ready(),), description="Pods of the HTTP module that are ready.", width=3),
        figure("MQTT pods", (MQTT.ready(),), description="Pods of the MQTT module that are ready.", width=3),
        figure(
            "Autoscaler at its most",
            (HTTP.at_most(), MQTT.at_most()),
            description="The load asks for as many pods as the spec allows, or more.",
            width=5,
            words=NO_IS_GOOD,
        ),
        figure(
            "Certificate",
            (asked.CERTIFICATE_DAYS,),
            description="Days until the certificate expires with which the MQTT pods serve.",
            width=4,
            steps=DAY_STEPS,
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
            steps=ZERO_IS_FINE,
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
