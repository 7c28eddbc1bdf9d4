"""A certificate authority of the database's own, and a certificate for each of its machines. Database layer.

Nobody but the three machines has a certificate of it, so that having one is enough to speak to etcd and to command
Patroni. Its key stays in Pulumi's state; the machines fetch theirs from the key vault.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pulumi
import pulumi_tls as tls
from pulumi import Output, ResourceOptions

from sensorthings_stacks.machines import secrets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi import Input

_DAY: Final = 24  # hours
_AUTHORITY_HOURS: Final = 3650 * _DAY
_MACHINE_HOURS: Final = 730 * _DAY
_EARLY_HOURS: Final = 365 * _DAY


@dataclass(frozen=True)
class CertificatesArgs:
    """Arguments of Certificates."""

    addresses: Mapping[str, Input[str]]
    """Address of each machine, by its name."""
    domain: Input[str]
    """DNS zone in which the machines are found."""
    shared: Mapping[str, Sequence[str]]
    """Names in that zone under which a machine answers besides, by its own name."""


class Certificates(pulumi.ComponentResource):
    """Keys and certificates. A certificate is renewed by the first `pulumi up` of its last year."""

    authority: Output[str]
    """The authority's certificate, with which all others are verified."""
    secrets: dict[str, Output[str]]
    """All that the machines need of it, as secrets by their names."""

    def __init__(self, name: str, args: CertificatesArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("sensorthings:database:Certificates", name, None, opts)
        self._name = name
        self._authority_key = self._key("authority")
        authority = tls.SelfSignedCert(
            f"{name}-authority",
            private_key_pem=self._authority_key,
            subject=tls.SelfSignedCertSubjectArgs(common_name=f"{name} database"),
            is_ca_certificate=True,
            allowed_uses=["cert_signing", "crl_signing", "digital_signature"],
            validity_period_hours=_AUTHORITY_HOURS,
            # With another authority, every certificate and every client changes.
            opts=ResourceOptions(parent=self, protect=True),
        )
        self.authority = authority.cert_pem
        self.secrets = {secrets.AUTHORITY: self.authority}
        for machine, address in args.addresses.items():
            domain = Output.from_input(args.domain)
            in_zone = [Output.concat(host, ".", domain) for host in (machine, *args.shared.get(machine, ()))]
            names: list[Input[str]] = [machine, *in_zone]
            key = self._key(machine)
            self.secrets[secrets.key(machine)] = key
            self.secrets[secrets.certificate(machine)] = self._certificate(machine, key, names, address)
        self.register_outputs({"authority": self.authority})

    def _key(self, owner: str) -> Output[str]:
        made = tls.PrivateKey(
            f"{self._name}-{owner}", algorithm="ECDSA", ecdsa_curve="P256", opts=ResourceOptions(parent=self)
        )
        return Output.secret(made.private_key_pem_pkcs8)

    def _certificate(
        self, machine: str, key: Output[str], names: Sequence[Input[str]], address: Input[str]
    ) -> Output[str]:
        request = tls.CertRequest(
            f"{self._name}-{machine}",
            private_key_pem=key,
            subject=tls.CertRequestSubjectArgs(common_name=machine),
            dns_names=list(names),
            ip_addresses=[address],
            opts=ResourceOptions(parent=self),
        )
        signed = tls.LocallySignedCert(
            f"{self._name}-{machine}",
            cert_request_pem=request.cert_request_pem,
            ca_private_key_pem=self._authority_key,
            ca_cert_pem=self.authority,
            # Each machine is a server, and a client of the others.
            allowed_uses=["digital_signature", "server_auth", "client_auth"],
            validity_period_hours=_MACHINE_HOURS,
            early_renewal_hours=_EARLY_HOURS,
            opts=ResourceOptions(parent=self),
        )
        return signed.cert_pem
