"""Grafana dashboards as code: what they ask (``asked``), how it looks (``autoscaling``), and the files made of it.

``python -m dashboards`` writes the JSON files of this folder, which Grafana reads; people edit the code.
"""

from dashboards.asked import queries

__all__ = ["queries"]
