"""Traffic lights as Hamburg publishes them: a model, a loader, and a player that counts what is delivered.

Used by ``play.py`` beside it, and by end-to-end tests and benchmarks that put ``examples/hamburg`` on the path.
"""

from traffic_lights.loading import Loaded, load
from traffic_lights.model import Model, traffic_lights
from traffic_lights.playing import Plan, play
from traffic_lights.report import Delivery, Quantiles, Report

__all__ = ["Delivery", "Loaded", "Model", "Plan", "Quantiles", "Report", "load", "play", "traffic_lights"]
