"""A Kubernetes control plane: etcd, kube-apiserver, kube-controller-manager and, when asked for, kube-scheduler.

It serves two masters: the node starts one in its own namespaces, the apiserver tests start one on plain loopback with
free ports and a temporary folder, which needs neither root nor a node:

    config = ControlPlaneConfig.on_loopback(tmp_path, kubernetes=ensure("kubernetes"), etcd=ensure("etcd"))
    with ControlPlane(config) as control_plane:
        ...  # control_plane.kubeconfig, control_plane.kubectl("get", "namespaces")

"""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from localcluster import audit, kubeconfig
from localcluster.errors import LocalClusterError
from localcluster.kubectl import Kubectl
from localcluster.pki import Authority, Request, key, service_address
from localcluster.processes import ON_THE_HOST, Daemon, Placement

if TYPE_CHECKING:
    from pathlib import Path

_READY_TIMEOUT = 120.0  # seconds
_RATES = ("--kube-api-qps=500", "--kube-api-burst=1000")


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlaneConfig:
    """What a control plane is started with.

    Args:
        folder: Holds everything it writes.
        kubernetes: Folder of the commands of Kubernetes.
        etcd: Folder of etcd's command (its module names it `server`).
        advertise: The address that the Service `kubernetes` leads to; none on loopback, where no pod asks for it.
        api_port: Of the API server, on `bind` and 127.0.0.1.
        etcd_port: For clients of etcd, on 127.0.0.1.
        etcd_peer_port: For etcd's peers, on 127.0.0.1.
        bind: Where the API server listens.
        hosts: More names and addresses for the API server's certificate.
        service_range: Addresses of Services.
        pod_range: Addresses of pods.
        placement: Namespaces and cgroups of the processes.
        scheduler: Whether to start a kube-scheduler.
        durable: Whether etcd waits for the disk. Without, a write is quicker and a power cut may lose the cluster.
        audited: Whether the API server writes down the calls of service accounts.
        apiserver_args: More arguments of kube-apiserver (another audit policy, a feature gate).
        controller_manager_args: More arguments of kube-controller-manager.
    """

    folder: Path
    kubernetes: Path
    etcd: Path
    api_port: int = 6443
    etcd_port: int = 2379
    etcd_peer_port: int = 2380
    advertise: str | None = None
    bind: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    service_range: str = "10.96.0.0/16"
    pod_range: str = "10.244.0.0/24"
    placement: Placement = ON_THE_HOST
    scheduler: bool = False
    durable: bool = False
    audited: bool = False
    apiserver_args: tuple[str, ...] = ()
    controller_manager_args: tuple[str, ...] = ()

    @classmethod
    def on_loopback(  # noqa: PLR0913 - the choices of a test, all by keyword
        cls,
        folder: Path,
        *,
        kubernetes: Path,
        etcd: Path,
        scheduler: bool = False,
        audited: bool = False,
        apiserver_args: tuple[str, ...] = (),
        controller_manager_args: tuple[str, ...] = (),
    ) -> Self:
        """A control plane for a test, on ports of 127.0.0.1 that are free now."""
        api_port, etcd_port, etcd_peer_port = _free_ports(3)
        return cls(
            folder=folder,
            kubernetes=kubernetes,
            etcd=etcd,
            api_port=api_port,
            etcd_port=etcd_port,
            etcd_peer_port=etcd_peer_port,
            scheduler=scheduler,
            audited=audited,
            apiserver_args=apiserver_args,
            controller_manager_args=controller_manager_args,
        )


def _free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody uses now, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


class ControlPlane:
    """The processes of a control plane, started and stopped together. Both are idempotent."""

    def __init__(self, config: ControlPlaneConfig) -> None:
        self.config = config
        self.kubeconfig: Path = config.folder / "admin.kubeconfig"
        self._server = f"https://127.0.0.1:{config.api_port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _daemon(self, name: str) -> Daemon:
        return Daemon(name, self.config.folder / "run", self.config.folder / "log")

    @property
    def daemons(self) -> tuple[Daemon, ...]:
        """Its processes, in the order of their start."""
        names = ["etcd", "kube-apiserver", "kube-controller-manager"]
        return tuple(self._daemon(name) for name in ([*names, "kube-scheduler"] if self.config.scheduler else names))

    def kubectl(self, *args: str, stdin: str | None = None) -> str:
        """Call kubectl as administrator. Raises LocalClusterError when it fails."""
        return self._kubectl().run(*args, stdin=stdin)

    def _kubectl(self) -> Kubectl:
        net_only = Placement(net=self.config.placement.net)
        return Kubectl(self.config.kubernetes / "kubectl", self.kubeconfig, net_only)

    def authority(self) -> Authority:
        """The cluster's certificate authority, made if it is not there."""
        return Authority(self.config.folder / "pki")

    def client(self, name: str, user: str, *groups: str) -> Path:
        """The kubeconfig of a component, with a certificate for this user and these groups."""
        authority = self.authority()
        pair = authority.issue(Request(name, user, groups))
        path = self.config.folder / f"{name}.kubeconfig"
        return kubeconfig.write(path, name, self._server, authority, pair)

    def start(self) -> None:
        """Start what is not running and wait until the API server says that it is ready.

        Raises:
            LocalClusterError: A process ended, or the API server was not ready in 120 s.
        """
        self.config.folder.mkdir(parents=True, exist_ok=True)
        self.client("admin", "kubernetes-admin", "system:masters")
        self._start("etcd", self._etcd())
        self._start("kube-apiserver", self._apiserver())
        self._await_ready()
        self._start("kube-controller-manager", self._controller_manager())
        if self.config.scheduler:
            self._start("kube-scheduler", self._scheduler())

    def stop(self) -> None:
        """Stop its processes, the last started first."""
        for daemon in reversed(self.daemons):
            daemon.stop()

    def _start(self, name: str, argv: list[str | Path]) -> None:
        self._daemon(name).start(argv, self.config.placement)

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT
        while True:
            for name in ("etcd", "kube-apiserver"):
                self._daemon(name).check()
            try:
                self._kubectl().run("get", "--raw=/readyz", timeout=5)
            except LocalClusterError as error:
                if time.monotonic() > deadline:
                    last_words = self._daemon("kube-apiserver").last_words()
                    raise LocalClusterError(
                        f"The API server was not ready after {_READY_TIMEOUT:g} s:\n{last_words}", str(error)
                    ) from None
                time.sleep(0.1)
            else:
                return

    def _etcd(self) -> list[str | Path]:
        config = self.config
        client, peer = (f"http://127.0.0.1:{port}" for port in (config.etcd_port, config.etcd_peer_port))
        return [
            config.etcd / "server",
            f"--data-dir={config.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--log-level=warn",
            *([] if config.durable else ["--unsafe-no-fsync"]),
        ]

    def _apiserver(self) -> list[str | Path]:
        config = self.config
        authority = self.authority()
        names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
        addresses = ("127.0.0.1", str(service_address(config.service_range)), *config.hosts)
        serving = authority.issue(Request("apiserver", "kube-apiserver", hosts=(*names, *addresses)))
        to_kubelet = authority.issue(Request("apiserver-kubelet", "kube-apiserver", ("system:masters",)))
        front = authority.issue(Request("front-proxy", "front-proxy-client"))
        signing = config.folder / "pki" / "service-accounts.key"
        key(signing)
        # With no address to advertise nobody may try: the Service's endpoint must not be a loopback address.
        reach = ["--endpoint-reconciler-type=none"] if config.advertise is None else []
        return [
            config.kubernetes / "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{config.etcd_port}",
            f"--bind-address={config.bind}",
            f"--advertise-address={config.advertise or '127.0.0.1'}",
            f"--secure-port={config.api_port}",
            f"--service-cluster-ip-range={config.service_range}",
            f"--tls-cert-file={serving.certificate}",
            f"--tls-private-key-file={serving.key}",
            f"--client-ca-file={authority.certificate}",
            f"--service-account-key-file={signing}",
            f"--service-account-signing-key-file={signing}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            f"--kubelet-certificate-authority={authority.certificate}",
            f"--kubelet-client-certificate={to_kubelet.certificate}",
            f"--kubelet-client-key={to_kubelet.key}",
            "--kubelet-preferred-address-types=InternalIP",
            "--enable-aggregator-routing=true",
            f"--requestheader-client-ca-file={authority.certificate}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={front.certificate}",
            f"--proxy-client-key-file={front.key}",
            *reach,
            *(audit.arguments(config.folder) if config.audited else ()),
            *config.apiserver_args,
        ]

    def _controller_manager(self) -> list[str | Path]:
        config = self.config
        authority = self.authority()
        return [
            config.kubernetes / "kube-controller-manager",
            f"--kubeconfig={self.client('controller-manager', 'system:kube-controller-manager')}",
            f"--service-account-private-key-file={config.folder / 'pki' / 'service-accounts.key'}",
            f"--root-ca-file={authority.certificate}",
            f"--cluster-signing-cert-file={authority.certificate}",
            f"--cluster-signing-key-file={authority.key}",
            f"--cluster-cidr={config.pod_range}",
            "--allocate-node-cidrs=false",
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            "--horizontal-pod-autoscaler-sync-period=5s",
            "--secure-port=0",  # nobody scrapes it, and tests need no port more
            *_RATES,
            *config.controller_manager_args,
        ]

    def _scheduler(self) -> list[str | Path]:
        return [
            self.config.kubernetes / "kube-scheduler",
            f"--kubeconfig={self.client('scheduler', 'system:kube-scheduler')}",
            "--leader-elect=false",
            "--secure-port=0",
            *_RATES,
        ]
