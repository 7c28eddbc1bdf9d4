"""What a PostgreSQL answers, told apart; by a server of a few lines that refuses in PostgreSQL's own words."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sensorthings_operator.api.database import DatabaseEndpoint
from sensorthings_operator.clients import database
from sensorthings_operator.clients.database import Credentials, ask
from sensorthings_operator.conditions.databasehosts import DatabaseAnswer, HostLook
from sensorthings_operator.desired.addresses import DatabaseAddress
from tests.unit.operator.samples import look, standby
from tests.unit.operator.virtual_time import on_virtual_time


def _address(port: int, mode: str = "disable") -> DatabaseAddress:
    return DatabaseAddress((DatabaseEndpoint(host="127.0.0.1", port=port),), "sensorthings", "air-db", mode, "db-ca")


async def _asked(address: DatabaseAddress, ca: str | None = None) -> HostLook:
    (seen,) = await ask(address, Credentials("frost", "hunter2", ca))
    return seen


@asynccontextmanager
async def _refusing(code: str) -> AsyncIterator[int]:
    """A server that answers each start of a session with an ErrorResponse of this SQLSTATE."""

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(4))
        await reader.readexactly(length - 4)
        fields = b"SFATAL\0" + f"C{code}\0".encode() + b"Mrefused\0\0"
        writer.write(b"E" + (len(fields) + 4).to_bytes(4) + fields)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(session, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("28P01", DatabaseAnswer.CREDENTIALS_REFUSED),
        ("28000", DatabaseAnswer.CREDENTIALS_REFUSED),
        ("3D000", DatabaseAnswer.DATABASE_MISSING),
        ("53300", DatabaseAnswer.UNREACHABLE),
        ("57P03", DatabaseAnswer.UNREACHABLE),
    ],
)
async def test_refusals_are_told_apart(code: str, answer: DatabaseAnswer) -> None:
    async with _refusing(code) as port:
        seen = await _asked(_address(port))
    assert seen.trouble is answer
    assert f"127.0.0.1:{port}" in seen.message
    assert "hunter2" not in seen.message


async def test_nobody_there() -> None:
    seen = await _asked(_address(1))
    assert seen.trouble is DatabaseAnswer.UNREACHABLE
    assert seen.message.startswith("PostgreSQL at 127.0.0.1:1 does not answer: ")


@pytest.mark.parametrize("ca", ["nonsense", "Überhaupt kein Zertifikat", "ä"])
async def test_a_ca_that_is_none_is_told_and_never_passed_over(ca: str) -> None:
    seen = await _asked(_address(1, "verify-full"), ca)
    assert seen.trouble is DatabaseAnswer.CA_INVALID
    assert "db-ca" in seen.message


def _certificate() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    now = datetime.now(UTC)
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


async def test_comments_in_a_bundle_may_be_in_any_language() -> None:
    bundle = f"# Zertifizierungsstelle für die Behörde\n{_certificate()}"
    assert (await _asked(_address(1, "verify-ca"), bundle)).trouble is DatabaseAnswer.UNREACHABLE


@pytest.mark.parametrize(
    ("mode", "verify", "hostname"),
    [
        ("require", ssl.CERT_NONE, False),
        ("verify-ca", ssl.CERT_REQUIRED, False),
        ("verify-full", ssl.CERT_REQUIRED, True),
    ],
)
def test_sslmode_means_what_postgresql_means(mode: str, verify: ssl.VerifyMode, hostname: bool) -> None:
    context = database._ssl(mode, _certificate())
    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode, context.check_hostname) == (verify, hostname)
    assert database._ssl("disable", None) is False


def test_credentials_do_not_show_their_password() -> None:
    credentials = Credentials("frost", "hunter2", "ca-text")
    for shown in (repr(credentials), str(credentials), f"{credentials}", f"{[credentials]}"):
        assert "hunter2" not in shown
        assert "ca-text" not in shown
        assert "frost" in shown


_PAIR = DatabaseAddress(
    (DatabaseEndpoint(host="db-0"), DatabaseEndpoint(host="db-1")), "sensorthings", "air-db", "disable", None
)


def _answering(monkeypatch: pytest.MonkeyPatch, **seconds: tuple[float, HostLook | None]) -> None:
    """Servers by their hosts: after how long each answers what; None where it is cancelled first."""

    async def look_at(_: DatabaseAddress, endpoint: DatabaseEndpoint, __: Credentials) -> HostLook:
        after, answer = seconds[endpoint.host.replace("-", "")]
        await asyncio.sleep(after)
        assert answer is not None
        return answer

    monkeypatch.setattr(database, "_look", look_at)


@on_virtual_time
async def test_a_server_that_hangs_is_not_waited_for_once_the_primary_has_answered() -> None:
    with pytest.MonkeyPatch.context() as patched:
        _answering(patched, db0=(1.0, look()), db1=(60.0, None))
        began = asyncio.get_running_loop().time()
        one, other = await ask(_PAIR, Credentials("frost", "hunter2"))
        assert asyncio.get_running_loop().time() - began == pytest.approx(2.5)
    assert one == look()
    assert (other.host, other.trouble) == ("db-1:5432", DatabaseAnswer.UNREACHABLE)
    assert other.message == "PostgreSQL at db-1:5432 does not answer: it is slow"


@on_virtual_time
async def test_a_primary_that_is_slow_is_waited_for() -> None:
    with pytest.MonkeyPatch.context() as patched:
        _answering(patched, db0=(4.9, look()), db1=(0.1, standby()))
        assert await ask(_PAIR, Credentials("frost", "hunter2")) == (look(), standby())


@on_virtual_time
async def test_a_question_that_is_given_up_leaves_nothing_behind() -> None:
    with pytest.MonkeyPatch.context() as patched:
        _answering(patched, db0=(60.0, None), db1=(60.0, None))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(_PAIR, Credentials("frost", "hunter2")), 1)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}


@on_virtual_time
async def test_a_server_that_the_spec_names_twice_is_asked_once() -> None:
    twice = replace(_PAIR, endpoints=(*_PAIR.endpoints, _PAIR.endpoints[0]))
    with pytest.MonkeyPatch.context() as patched:
        _answering(patched, db0=(0.1, look()), db1=(0.1, standby()))
        assert await ask(twice, Credentials("frost", "hunter2")) == (look(), standby())
