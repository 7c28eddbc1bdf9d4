"""FROST-Server's modules: the HTTP tier and the MQTT tier. Part of a SensorThingsService's spec."""

from typing import Annotated, Final

from pydantic import Field

from sensorthings_operator.api.base import Model, ResourceRequirements, cel, rules
from sensorthings_operator.api.settings import SETTINGS_RULES


class Autoscaling(Model):
    """Bounds and target of a HorizontalPodAutoscaler."""

    model_config = rules(
        cel(
            "self.minReplicas <= self.maxReplicas",
            "minReplicas must not be greater than maxReplicas",
            field_path=".minReplicas",
        )
    )

    min_replicas: Annotated[int, Field(ge=1, le=1000)] = 1
    """Fewest pods."""
    max_replicas: Annotated[int, Field(ge=1, le=1000)]
    """Most pods."""
    target_cpu_utilization_percentage: Annotated[int, Field(ge=1, le=100, alias="targetCPUUtilizationPercentage")] = 70
    """Average CPU use, in percent of what the pods request, that the autoscaler aims at."""
    scale_up_tolerance_percentage: Annotated[int, Field(ge=0, le=100)] | None = None
    """How much of its target may be exceeded before pods are added; where it is not given, what the cluster was set up
    with: 10 percent, if nobody chose. Needs Kubernetes 1.33."""


_ONE_WAY_TO_SCALE: Final = cel(
    "!(has(self.replicas) && has(self.autoscaling))",
    "give replicas or autoscaling, not both: an autoscaler owns the number of pods",
    field_path=".replicas",
)

FrostSettings = Annotated[
    dict[str, Annotated[str, Field(max_length=4096)]],
    Field(max_length=64, json_schema_extra={"x-kubernetes-validations": SETTINGS_RULES}),
]
"""FROST-Server settings by their own names."""


class Tier(Model):
    """One module of FROST-Server as a Deployment."""

    replicas: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Number of pods where there is no autoscaling; 1 where neither is given."""
    autoscaling: Autoscaling | None = None
    """Let the load decide on the number of pods."""
    resources: ResourceRequirements = ResourceRequirements()
    """Compute resources of each pod; what is not given has the operator's defaults."""
    settings: FrostSettings = Field(default_factory=dict)
    """FROST-Server settings by their own names, such as `defaultTop`. Those the operator owns are refused."""


class HTTP(Tier):
    """The HTTP module: the SensorThings REST API."""

    model_config = rules(_ONE_WAY_TO_SCALE)

    read_replicas: Annotated[int, Field(ge=0, le=1000)] = 0
    """Pods that answer reads from the database's replicas. Needs exposure.type Gateway, which tells reads by method."""


class Publishing(Model):
    """Observations that clients publish by MQTT. They are stored by the HTTP module, and acknowledged once they are."""

    enabled: bool = False
    """Whether clients may publish at all; with auth.type Keycloak those whose token has the role create."""
    per_second: Annotated[int, Field(ge=1, le=100_000)] = 10
    """Messages a second that each client may publish; faster ones are slowed down, not refused. Clients with tokens of
    the same subject count as one, at each pod."""
    burst: Annotated[int, Field(ge=1, le=100_000)] = 20
    """Messages that may come at once before a client is slowed down."""


class MQTT(Tier):
    """The MQTT module: pushes Observations to subscribers, by TCP and by WebSocket."""

    model_config = rules(_ONE_WAY_TO_SCALE)

    publishing: Publishing = Publishing()
    """What clients may publish; nothing where it is not enabled."""
