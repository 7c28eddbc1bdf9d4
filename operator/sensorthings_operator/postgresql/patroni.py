"""Patroni's configuration, as far as pods and machines have it in common: who may lead, and when somebody else does.

Source: https://patroni.readthedocs.io/en/latest/dynamic_configuration.html and yaml_configuration.html.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# Patroni asks for loop_wait + 2 * retry_timeout <= ttl, and for a ttl of 20 at least.
_TTL_SECONDS: Final = 20
"""A primary that says nothing for so long is one no more."""
_LOOP_SECONDS: Final = 2
"""How soon Patroni sees that its PostgreSQL has gone."""
_FURTHEST_BEHIND_BYTES: Final = 1024 * 1024

INITDB: Final = (
    {"encoding": "UTF8"},
    {"locale": "C.UTF-8"},
    "data-checksums",
    {"auth-local": "peer"},
    {"auth-host": "scram-sha-256"},
)
"""How a database is made where there is none."""


@dataclass(frozen=True)
class Certificates:
    """Paths of the files with which an instance shows who it is, and verifies others."""

    authority: str
    certificate: str
    key: str


def agreed(parameters: Mapping[str, str], *, watchdog_margin_seconds: int = 0) -> dict[str, Any]:
    """What all instances have to do alike: Patroni's dynamic configuration.

    Args:
        parameters: PostgreSQL's, that must be the same everywhere.
        watchdog_margin_seconds: how long before the lease ends a watchdog restarts the machine; 0 without one.
    """
    return {
        "ttl": _TTL_SECONDS,
        "loop_wait": _LOOP_SECONDS,
        "retry_timeout": (_TTL_SECONDS - watchdog_margin_seconds - _LOOP_SECONDS) // 2,
        "maximum_lag_on_failover": _FURTHEST_BEHIND_BYTES,
        # A standby takes over at once; how long a primary recovers from a crash depends on what it had written. What
        # made it crash, such as a full disk, may do so again, and each new start would count as one more chance.
        "primary_start_timeout": 0,
        "synchronous_mode": True,
        # Without a standby the primary goes on alone; a standby that missed anything since is not promoted.
        "synchronous_mode_strict": False,
        "synchronous_node_count": 1,
        # A store of the lease that is away ends no primary whose standbys all say that it is theirs.
        "failsafe_mode": True,
        "check_timeline": True,
        "postgresql": {"use_pg_rewind": True, "use_slots": True, "parameters": dict(parameters)},
    }


def rest_api(files: Certificates) -> dict[str, str]:
    """TLS of Patroni's own API: whoever changes anything shows a certificate; those who only ask have none."""
    return {
        "certfile": files.certificate,
        "keyfile": files.key,
        "cafile": files.authority,
        "verify_client": "optional",
    }


def commands(files: Certificates) -> dict[str, str]:
    """How patronictl shows that it may."""
    return {"cacert": files.authority, "certfile": files.certificate, "keyfile": files.key}


def instance(replication: Mapping[str, str], rewind: Mapping[str, str]) -> dict[str, Any]:
    """What Patroni is told of its own PostgreSQL.

    Args:
        replication: how a standby logs in to stream.
        rewind: how a former primary logs in to follow again.
    """
    return {
        "use_unix_socket": True,
        "authentication": {
            # By the socket, as the account of the same name: it needs no password, and has none.
            "superuser": {"username": "postgres"},
            "replication": dict(replication),
            "rewind": dict(rewind),
        },
        "basebackup": [{"checkpoint": "fast"}],
        # What a former primary has that its successor lacks was acknowledged to nobody.
        "remove_data_directory_on_rewind_failure": True,
        "remove_data_directory_on_diverged_timelines": True,
    }
