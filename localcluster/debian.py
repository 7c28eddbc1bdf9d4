"""Installs the Debian packages that the cluster needs. The first step of `up`."""

from __future__ import annotations

import shutil
import subprocess

from localcluster.commands import run
from localcluster.errors import LocalClusterError

PACKAGES = (
    "bind9-host",  # asks the cluster's DNS
    "buildah",  # images
    "ca-certificates",
    "conntrack",  # kube-proxy
    "containernetworking-plugins",  # pods' network
    "curl",  # the commands that `up` prints
    "iproute2",
    "iptables",  # kube-proxy, portmap
    "kmod",  # kube-proxy looks for modules
    "maven",  # images
    "mmdebstrap",  # images
    "openjdk-17-jdk-headless",  # images
    "procps",  # sysctl
    "runc",
    "util-linux",  # nsenter, unshare
)


def parse_installed(listing: str) -> set[str]:
    """Names of the packages that are installed, from lines of `dpkg-query`'s `${Package} ${db:Status-Status}`."""
    rows = (line.split() for line in listing.splitlines())
    return {row[0] for row in rows if row[1:] == ["installed"]}


def missing(wanted: tuple[str, ...] = PACKAGES) -> list[str]:
    """Those of the packages that are not installed. Raises LocalClusterError when this is no Debian."""
    if shutil.which("dpkg-query") is None:
        raise LocalClusterError("This machine has no dpkg.", "The local cluster needs Debian 12 or newer.")
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *wanted]
    # It ends with 1 when it does not know some package, which is an answer here.
    listing = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    installed = parse_installed(listing)
    return [name for name in wanted if name not in installed]


def ensure(wanted: tuple[str, ...] = PACKAGES) -> list[str]:
    """Install the packages that are missing and return their names.

    Raises:
        LocalClusterError: apt-get fails.
    """
    names = missing(wanted)
    if names:
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        remedy = "Is a Debian mirror reachable? See /etc/apt/sources.list."
        patient = ["-o", "DPkg::Lock::Timeout=300"]  # seconds; another apt-get may be at work
        run(["apt-get", *patient, "update"], env=quiet, remedy=remedy)
        run(["apt-get", *patient, "install", "--yes", "--no-install-recommends", *names], env=quiet, remedy=remedy)
    return names
