"""Certificates as `check` shows them, against a throwaway TLS server: trusted, not trusted and why, about to end, not there."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.x509.oid import NameOID

from processors.engine.certificates import certificate_findings, client_principal, distinguished_name
from processors.engine.findings import Finding

CA = trustme.CA(organization_name="Acme CA")
NOW = datetime.fromtimestamp(time.time(), UTC)
LATER = NOW + timedelta(days=10)


@contextmanager
def server(leaf: trustme.LeafCert | None, clients: trustme.CA | None = None) -> Iterator[str]:
    """A server with this certificate; None: one that does not speak TLS. `clients`: the CA whose clients it lets in."""
    listening = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if leaf is not None:
        leaf.configure_cert(context)
    if clients is not None:
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # later versions show their certificate before they look at the client's
        context.verify_mode = ssl.CERT_REQUIRED
        clients.configure_trust(context)
    thread = threading.Thread(target=_serve, args=(listening, context if leaf is not None else None))
    thread.start()
    yield f"127.0.0.1:{listening.getsockname()[1]}"
    listening.shutdown(socket.SHUT_RDWR)
    thread.join()
    listening.close()


def _serve(listening: socket.socket, context: ssl.SSLContext | None) -> None:
    while True:
        try:
            plain, _ = listening.accept()
        except OSError:
            return
        try:
            with plain:
                if context is None:
                    plain.recv(100)
                    plain.sendall(b"no TLS here")
                else:
                    context.wrap_socket(plain, server_side=True).close()
        except OSError:  # the client did not like what it saw
            pass


@pytest.fixture
def kafka(tmp_path: Path) -> dict[str, Any]:
    CA.cert_pem.write_to_path(tmp_path / "ca.pem")
    return {"security.protocol": "SSL", "ssl.ca.location": str(tmp_path / "ca.pem")}


def of_server(kafka: dict[str, Any], leaf: trustme.LeafCert | None, **how: Any) -> Finding:
    with server(leaf, how.get("clients")) as address:
        return next(certificate_findings(kafka | {"bootstrap.servers": address}, how.get("now")))


def test_a_trusted_certificate_is_shown_with_subject_issuer_names_end_and_protocol(kafka: dict[str, Any]) -> None:
    leaf = CA.issue_cert("127.0.0.1", "broker-1", common_name="broker-1", not_after=LATER + timedelta(days=90))
    finding = of_server(kafka, leaf)
    assert finding.state == "ok"
    for said in (
        "TLSv1.3",
        "CN=broker-1",
        "issued by",
        "O=Acme CA",
        "broker-1, 127.0.0.1",
        "99 days left",
        f"until {LATER + timedelta(days=90):%Y-%m-%d}",
    ):
        assert said in finding.says, said


def test_the_ca_may_stand_in_the_settings_itself(kafka: dict[str, Any]) -> None:
    given = {"security.protocol": "SSL", "ssl.ca.pem": CA.cert_pem.bytes().decode()}
    assert of_server(given, CA.issue_cert("127.0.0.1", not_after=LATER + timedelta(days=90))).state == "ok"


@pytest.mark.parametrize(("after", "state", "said"), [(0, "warning", "9 days left"), (20, "missing", "expired 10 days ago")])
def test_a_certificate_near_or_past_its_end_is_said(kafka: dict[str, Any], after: int, state: str, said: str) -> None:
    finding = of_server(kafka, CA.issue_cert("127.0.0.1", not_after=LATER), now=NOW + timedelta(days=after))
    assert (finding.state, finding.mend) == (state, "renew it")
    assert said in finding.says


def test_a_certificate_that_has_ended_is_shown_although_it_is_not_trusted(kafka: dict[str, Any]) -> None:
    finding = of_server(kafka, CA.issue_cert("127.0.0.1", not_before=NOW - timedelta(days=9), not_after=NOW - timedelta(days=2)))
    assert (finding.state, finding.mend) == ("missing", "renew it")
    assert "certificate has expired" in finding.says
    assert "expired 2 days ago" in finding.says


def test_a_certificate_of_another_ca_or_for_another_host_is_shown_with_why_it_is_not_trusted(kafka: dict[str, Any]) -> None:
    other = of_server(kafka, trustme.CA(organization_name="Somebody").issue_cert("127.0.0.1"))
    host = of_server(kafka, CA.issue_cert("elsewhere"))
    assert (other.state, host.state) == ("missing", "missing")
    assert "not trusted" in other.says
    assert "O=Somebody" in other.says
    assert "not valid for" in host.says
    assert "for elsewhere" in host.says


def test_what_the_settings_do_not_verify_is_not_held_against_it(kafka: dict[str, Any]) -> None:
    leaf = CA.issue_cert("elsewhere", not_after=LATER + timedelta(days=90))
    assert of_server(kafka | {"ssl.endpoint.identification.algorithm": "none"}, leaf).state == "ok"
    unverified = of_server(kafka | {"enable.ssl.certificate.verification": "false"}, leaf)
    assert unverified.state == "warning"
    assert "not verified" in unverified.says


def test_a_listener_without_tls_is_told_from_one_that_is_not_there(kafka: dict[str, Any]) -> None:
    assert "does not shake hands over TLS" in of_server(kafka, None).says
    [absent] = certificate_findings(kafka | {"bootstrap.servers": "127.0.0.1:1"})
    assert "refused" in absent.says


def test_a_ca_file_that_is_not_there_is_the_one_thing_said(kafka: dict[str, Any], tmp_path: Path) -> None:
    gone = kafka | {"bootstrap.servers": "127.0.0.1:1,127.0.0.1:2", "ssl.ca.location": str(tmp_path / "gone.pem")}
    [finding] = certificate_findings(gone)
    assert (finding.state, finding.subject) == ("missing", "kafka.ssl.*")


@pytest.mark.parametrize("inline", [False, True], ids=["files", "in the settings"])
def test_a_client_certificate_is_presented_and_shown_and_names_the_principal(
    kafka: dict[str, Any], tmp_path: Path, *, inline: bool
) -> None:
    own = CA.issue_cert("worker@acme", common_name="worker", organization_name="Acme", not_after=LATER + timedelta(days=90))
    certificate, key = own.cert_chain_pems[0].bytes(), own.private_key_pem.bytes()
    if inline:
        kafka |= {"ssl.certificate.pem": certificate.decode(), "ssl.key.pem": key.decode()}
    else:
        (tmp_path / "own.pem").write_bytes(certificate)
        (tmp_path / "own.key").write_bytes(key)
        kafka |= {"ssl.certificate.location": str(tmp_path / "own.pem"), "ssl.key.location": str(tmp_path / "own.key")}
    leaf = CA.issue_cert("127.0.0.1", not_after=LATER + timedelta(days=90))
    with server(leaf, clients=CA) as address:
        brokers, client = certificate_findings(kafka | {"bootstrap.servers": address})
    assert (brokers.state, client.state) == ("ok", "ok")
    assert "CN=worker" in client.says
    assert client_principal(kafka).startswith("User:CN=worker,")
    assert key.decode() not in str((brokers, client))


def test_a_broker_that_wants_a_certificate_which_is_not_configured_is_said(kafka: dict[str, Any]) -> None:
    assert of_server(kafka, CA.issue_cert("127.0.0.1"), clients=CA).state == "missing"


@pytest.mark.parametrize(
    ("attributes", "written"),
    [
        (
            [(NameOID.COUNTRY_NAME, "DE"), (NameOID.LOCALITY_NAME, "München"), (NameOID.COMMON_NAME, " x ")],
            r"CN=\ x\ ,L=München,C=DE",
        ),
        ([(NameOID.ORGANIZATION_NAME, 'a=b#c, d+e<f>;"g\\')], r"O=a\=b\#c\, d\+e\<f\>\;\"g\\"),
        (
            [(NameOID.COMMON_NAME, "#lead"), (NameOID.EMAIL_ADDRESS, "a@b.de"), (NameOID.SERIAL_NUMBER, "77")],
            r"2.5.4.5=#13023737,1.2.840.113549.1.9.1=#16066140622e6465,CN=\#lead",
        ),
        ([(NameOID.TITLE, "t" * 63)], "2.5.4.12=#0c3f" + "74" * 63),
    ],
)
def test_a_name_is_written_as_the_brokers_write_it(attributes: list[tuple[x509.ObjectIdentifier, str]], written: str) -> None:
    """The right sides were printed by X500Principal.getName() of Java 17."""
    assert distinguished_name(x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])) == written
