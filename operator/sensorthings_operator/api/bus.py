"""The message bus between the modules. Part of a SensorThingsService's spec."""

from typing import Literal

from sensorthings_operator.api.base import (
    Hostname,
    Model,
    Port,
    Quantity,
    ResourceRequirements,
    VolumeStorage,
    cel,
    rules,
)


class BusStorage(VolumeStorage):
    """The volume of the bus: sessions and messages on their way, which a new bus does without."""

    size: Quantity = "1Gi"
    """Size of the volume."""
    when_deleted: Literal["Retain", "Delete"] = "Delete"
    """What happens to the volume when the service is deleted; a StatefulSet's persistentVolumeClaimRetentionPolicy."""


class MosquittoBus(Model):
    """A mosquitto of the service's own between its HTTP and MQTT modules."""

    storage: BusStorage = BusStorage()
    """Where sessions survive a restart: without it, the MQTT modules stay up and deliver nothing."""
    resources: ResourceRequirements = ResourceRequirements()
    """Compute resources of the bus."""


class ExternalBus(Model):
    """An MQTT broker run elsewhere."""

    host: Hostname
    """Where the broker answers."""
    port: Port = 1883
    """Its TCP port."""
    tls: bool = False
    """Speak TLS to it."""


class Bus(Model):
    """What carries new entities from the HTTP modules to the MQTT modules."""

    model_config = rules(
        cel(
            "(self.type == 'External') == has(self.external)",
            "external belongs to bus.type External, and is required there",
            field_path=".external",
        ),
        cel(
            "self.type == 'Mosquitto' || !has(self.mosquitto)",
            "mosquitto belongs to bus.type Mosquitto",
            field_path=".mosquitto",
        ),
    )

    type: Literal["Mosquitto", "External"] = "Mosquitto"
    """Mosquitto: one of the service's own. External: one run elsewhere."""
    mosquitto: MosquittoBus | None = None
    """Settings of the bus of type Mosquitto."""
    external: ExternalBus | None = None
    """The bus of type External."""
