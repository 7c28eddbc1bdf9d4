"""What runs a connector: a Deployment with one pod, or a CronJob where there is a schedule.

The token is a file that the token service renews; a pod waits until the first one is there. Environment variables name
the files, and never hold what is in them.
"""

from typing import Any, Final

from sensorthings_operator.api.connector import ConnectorContainer, EnvVar
from sensorthings_operator.desired import pods
from sensorthings_operator.desired.connector import configuration
from sensorthings_operator.desired.connector.feed import TOKEN, Feed, labels, metadata, selector
from sensorthings_operator.desired.metadata import Manifest
from sensorthings_operator.desired.settings import OperatorSettings

FOLDER: Final = "/var/run/secrets/sensorthings.city"
"""Of the token, of the tokens of devices, and of the CA."""
RESOURCES: Final = {"cpu": "20m", "memory": "64Mi"}
_GRACE_SECONDS: Final = 30
_KEPT_JOBS: Final = 3


def build(feed: Feed, settings: OperatorSettings) -> list[Manifest]:
    """The Deployment or the CronJob; nothing for an external connector."""
    container = feed.connector.spec.container
    if container is None:
        return []
    scheduled = feed.connector.spec.schedule is not None
    return [_cron_job(feed, container, settings) if scheduled else _deployment(feed, container, settings)]


def environment(feed: Feed, settings: OperatorSettings) -> dict[str, str]:
    """The variables that every connector finds (docs/connectors.md)."""
    variables = {"SENSORTHINGS_URL": feed.url(settings), "SENSORTHINGS_CONNECTOR": feed.connector.name}
    if feed.takes_tokens():
        variables["SENSORTHINGS_TOKEN_FILE"] = f"{FOLDER}/{TOKEN}"
    if feed.authorities:
        variables["SENSORTHINGS_CA_FILE"] = f"{FOLDER}/{configuration.CA}"
    return variables


def _deployment(feed: Feed, container: ConnectorContainer, settings: OperatorSettings) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(feed.connector, feed.connector.workload_name),
        "spec": {
            "replicas": 0 if feed.connector.spec.suspend else 1,
            "revisionHistoryLimit": 3,
            # Two at once would feed everything twice.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector(feed.connector)},
            "template": _template(feed, container, settings, restart_policy="Always"),
        },
    }


def _cron_job(feed: Feed, container: ConnectorContainer, settings: OperatorSettings) -> Manifest:
    template = _template(feed, container, settings, restart_policy="Never")
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata(feed.connector, feed.connector.workload_name),
        "spec": {
            "schedule": feed.connector.spec.schedule,
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "suspend": feed.connector.spec.suspend,
            "successfulJobsHistoryLimit": _KEPT_JOBS,
            "failedJobsHistoryLimit": _KEPT_JOBS,
            "jobTemplate": {
                "metadata": {"labels": labels(feed.connector)},
                "spec": {"backoffLimit": 2, "template": template},
            },
        },
    }


def _template(
    feed: Feed, container: ConnectorContainer, settings: OperatorSettings, *, restart_policy: str
) -> Manifest:
    secrets = feed.connector.spec.image_pull_secrets
    files = _files(feed)
    pod: Manifest = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": restart_policy,
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "securityContext": pods.restricted(container.run_as_user),
        "containers": [_container(feed, container, settings, has_files=bool(files))],
        "volumes": [pods.TMP_VOLUME, *([{"name": "sensorthings", "projected": {"sources": files}}] if files else [])],
    }
    if secrets:
        pod["imagePullSecrets"] = [{"name": secret.name} for secret in secrets]
    return {"metadata": {"labels": labels(feed.connector)}, "spec": pod}


def _container(feed: Feed, container: ConnectorContainer, settings: OperatorSettings, *, has_files: bool) -> Manifest:
    fields: dict[str, Any] = {}
    if container.command:
        fields["command"] = container.command
    if container.args:
        fields["args"] = container.args
    files = {"name": "sensorthings", "mountPath": FOLDER, "readOnly": True}
    return pods.container(
        "connector",
        container.image,
        settings,
        **fields,
        # Ours come last: of two variables with one name Kubernetes takes the last.
        env=[*map(_variable, container.env), *pods.env(environment(feed, settings))],
        resources=pods.resources(container.resources, **RESOURCES),
        volumeMounts=[pods.TMP_MOUNT, *([files] if has_files else [])],
    )


def _variable(variable: EnvVar) -> Manifest:
    return variable.model_dump(by_alias=True, exclude_none=True)


def _files(feed: Feed) -> list[Manifest]:
    """Sources of the projected volume: the tokens' Secret, without which the pod waits, and the CA's ConfigMap."""
    sources: list[Manifest] = []
    if feed.takes_tokens():
        # Without items: a device that comes or goes is a file that comes or goes, and no reason for another pod.
        sources.append({"secret": {"name": feed.connector.token_secret}})
    if feed.authorities:
        file = {"key": configuration.CA, "path": configuration.CA}
        sources.append({"configMap": {"name": feed.connector.workload_name, "items": [file]}})
    return sources
