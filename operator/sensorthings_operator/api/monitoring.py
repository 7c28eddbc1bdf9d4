"""What is set up for those who watch the service. Part of a SensorThingsService's spec."""

from sensorthings_operator.api.base import Model


class Monitoring(Model):
    """What a monitoring system is told of the service."""

    pod_monitor: bool = False
    """Make a PodMonitor, by which the Prometheus Operator has the service's metrics scraped."""
    verify_delivery: bool = True
    """Post an Observation to a Datastream of the operator's own now and then, see that every MQTT pod tells of it, and
    start a pod anew that does not. False also deletes what the check keeps in the service's data."""
