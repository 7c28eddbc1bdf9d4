"""Grafana dashboards as code: what they ask (``asked``, ``questions``), how each looks, and the files made of it.

``python -m dashboards`` writes the JSON files of this folder, which Grafana reads; people edit the code.
"""

from dashboards.questions import queries

__all__ = ["queries"]
