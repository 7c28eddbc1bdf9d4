"""The certificate authority: idempotent, private, and renewing what no longer fits."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from localcluster import kubeconfig, pki
from localcluster.pki import Authority, Request

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

_SERVER = Request("apiserver", "kube-apiserver", ("a", "b"), ("localhost", "127.0.0.1"))


def test_a_certificate_says_what_was_asked_for(tmp_path: Path) -> None:
    pair = Authority(tmp_path / "pki").issue(_SERVER)
    certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
    subject = certificate.subject
    assert [name.value for name in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == ["a", "b"]
    assert [name.value for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["kube-apiserver"]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [IPv4Address("127.0.0.1")]
    assert certificate.not_valid_before_utc < datetime.now(UTC) < certificate.not_valid_after_utc


def test_keys_are_their_owners_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    pair = authority.issue(_SERVER)
    assert [path.stat().st_mode & 0o777 for path in (authority.key, pair.key)] == [0o600, 0o600]
    assert (tmp_path / "pki").stat().st_mode & 0o777 == 0o700


def test_what_still_fits_is_kept(tmp_path: Path) -> None:
    first = Authority(tmp_path / "pki").issue(_SERVER).certificate.read_bytes()
    assert Authority(tmp_path / "pki").issue(_SERVER).certificate.read_bytes() == first


def test_other_names_make_another_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    first = authority.issue(_SERVER).certificate.read_bytes()
    wider = Request("apiserver", "kube-apiserver", ("a", "b"), ("localhost", "127.0.0.1", "172.30.0.2"))
    assert authority.issue(wider).certificate.read_bytes() != first


def test_one_near_its_end_is_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path / "pki")
    with monkeypatch.context() as patched:
        patched.setattr(pki, "_LEAF_LIFE", pki._RENEW_BEFORE / 2)
        short = authority.issue(_SERVER).certificate.read_bytes()
    assert authority.issue(_SERVER).certificate.read_bytes() != short


def test_a_key_without_its_certificate_and_the_reverse_are_mended(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    pair = authority.issue(_SERVER)
    pair.key.unlink()
    mended = authority.issue(_SERVER)
    certificate = x509.load_pem_x509_certificate(mended.certificate.read_bytes())
    assert certificate.public_key() == pki.key(mended.key).public_key()


def test_a_new_authority_signs_anew(tmp_path: Path) -> None:
    first = Authority(tmp_path / "pki")
    old = first.issue(_SERVER).certificate.read_bytes()
    first.key.unlink()
    second = Authority(tmp_path / "pki")
    renewed = x509.load_pem_x509_certificate(second.issue(_SERVER).certificate.read_bytes())
    assert second.issue(_SERVER).certificate.read_bytes() != old
    renewed.verify_directly_issued_by(x509.load_pem_x509_certificate(second.certificate.read_bytes()))


def test_the_first_address_of_the_range_is_the_api_servers() -> None:
    assert pki.service_address("10.96.0.0/16") == IPv4Address("10.96.0.1")


def test_a_kubeconfig_holds_its_certificates_and_is_its_owners_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    path = tmp_path / "kubeconfig"
    kubeconfig.write(path, "sta-local", "https://127.0.0.1:6443", authority, authority.issue(_SERVER))
    content = yaml.safe_load(path.read_text())
    assert content["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:6443"
    assert set(content["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}
    assert path.stat().st_mode & 0o777 == 0o600
