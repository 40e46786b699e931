"""What the brokers' certificates and our own look like: subject, issuer, names, how long, trusted or not.

A handshake of our own, because librdkafka says of a certificate no more than that it failed. It trusts what librdkafka would:
the CA of `ssl.ca.*`, the host name unless `ssl.endpoint.identification.algorithm` is none. A certificate that is not trusted is
shown as well, with the reason: it is the one to look at.
"""

import re
import socket
import ssl
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from processors.engine.findings import Finding, State

_TIMEOUT = 5.0
_SOON = 30
"""Days before its end from which a certificate is a warning."""
_KNOWN_TO_JAVA = {
    NameOID.COMMON_NAME: "CN",
    NameOID.COUNTRY_NAME: "C",
    NameOID.LOCALITY_NAME: "L",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.STREET_ADDRESS: "STREET",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.USER_ID: "UID",
}
_CHECK_CA = "correct kafka.ssl.ca.location, or give the broker a certificate of that CA for this host name"


class Shown(NamedTuple):
    """What a server showed: protocol, certificate, and why it is not trusted (empty when it is)."""

    protocol: str
    certificate: x509.Certificate
    refused: str


def uses_tls(kafka: Mapping[str, object]) -> bool:
    """Whether these settings ask for TLS."""
    return str(kafka.get("security.protocol", "plaintext")).lower() in ("ssl", "sasl_ssl")


def certificate_findings(kafka: Mapping[str, object], now: datetime | None = None) -> Iterator[Finding]:
    """The certificate of every bootstrap server, and the client's own.

    Args:
        kafka: librdkafka settings.
        now: Against which lifetimes are held; None: the time of this machine.
    """
    now = now or datetime.now(UTC)
    servers = str(kafka.get("bootstrap.servers", "")).split(",")
    if not uses_tls(kafka):
        yield Finding(
            "certificate", "TLS", "ok", f"is not used: security.protocol is {kafka.get('security.protocol', 'plaintext')}"
        )
        return
    try:
        _check_files(kafka)
        _context(kafka)
    except (OSError, ValueError) as why:
        yield Finding("certificate", "kafka.ssl.*", "missing", f"cannot be used ({why})", "correct the files that it names")
        return
    with ThreadPoolExecutor(max_workers=8) as threads:
        yield from threads.map(lambda server: _of_server(server.strip(), kafka, now), servers)
    yield from _of_client(kafka, now)


def client_principal(kafka: Mapping[str, object]) -> str:
    """`User:` and the subject of the client's certificate as brokers write it; empty without a certificate that can be read."""
    try:
        certificate = _own_certificate(kafka) if uses_tls(kafka) else None
    except (OSError, ValueError):
        return ""
    return "" if certificate is None else f"User:{distinguished_name(certificate.subject)}"


def distinguished_name(name: x509.Name) -> str:
    """A name as Java writes it, and so the brokers: RFC 2253, with more escaped and fewer attributes named than by RFC 4514."""
    return ",".join("+".join(map(_attribute, rdn)) for rdn in reversed(name.rdns))


def _attribute(attribute: x509.NameAttribute[Any]) -> str:
    if attribute.oid not in _KNOWN_TO_JAVA:
        return f"{attribute.oid.dotted_string}=#{_encoded_value(attribute).hex()}"
    text = re.sub(r'([,=+<>#;"\\])', r"\\\1", attribute.value)
    text = re.sub(r"^ | $", r"\\ ", text)
    return f"{_KNOWN_TO_JAVA[attribute.oid]}={text}"


def _encoded_value(attribute: x509.NameAttribute[Any]) -> bytes:
    """The DER of an attribute's value: in a name of one attribute it follows a sequence, a set, a sequence and the type."""
    der = x509.Name([attribute]).public_bytes()
    for _ in range(3):
        der = der[2 + (der[1] & 0x7F if der[1] & 0x80 else 0) :]
    return der[2 + der[1] :]


def handshake(server: str, kafka: Mapping[str, object]) -> Shown:
    """Shake hands as librdkafka would; if the certificate is not trusted, again without asking, so as to see it.

    Raises:
        OSError: The server does not answer, or does not speak TLS (`ssl.SSLError`), or a file of the settings cannot be read.
        ValueError: The server's address or a certificate in the settings cannot be read.
    """
    context = _context(kafka)
    try:
        return _shake(server, context, "")
    except ssl.SSLCertVerificationError as why:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return _shake(server, context, why.verify_message)


def _of_server(server: str, kafka: Mapping[str, object], now: datetime) -> Finding:
    try:
        shown = handshake(server, kafka)
    except ssl.SSLError as why:
        reason = why.reason or str(why)
        mend = "check security.protocol and the port: listeners without TLS answer like this, and those that want other protocols"
        return Finding("certificate", server, "missing", f"does not shake hands over TLS ({reason})", mend)
    except (OSError, ValueError) as why:
        mend = "correct kafka.bootstrap.servers, or start the broker"
        return Finding("certificate", server, "missing", f"shows no certificate ({why})", mend)
    said = f"{shown.protocol}, {_described(shown.certificate, now)}"
    if shown.refused:
        mend = "renew it" if _state(shown.certificate, now) == "missing" else _CHECK_CA
        return Finding("certificate", server, "missing", f"is not trusted ({shown.refused}): {said}", mend)
    if not _verifies(kafka):
        mend = "leave enable.ssl.certificate.verification out"
        return Finding("certificate", server, "warning", f"is not verified, as configured: {said}", mend)
    return Finding("certificate", server, _state(shown.certificate, now), f"is trusted: {said}", _renewal(shown.certificate, now))


def _of_client(kafka: Mapping[str, object], now: datetime) -> Iterator[Finding]:
    try:
        certificate = _own_certificate(kafka)
    except (OSError, ValueError) as why:
        mend = "correct kafka.ssl.certificate.location or kafka.ssl.keystore.location"
        yield Finding("certificate", "client", "missing", f"has a certificate that cannot be read ({why})", mend)
        return
    if certificate is not None:
        yield Finding(
            "certificate", "client", _state(certificate, now), f"is {_described(certificate, now)}", _renewal(certificate, now)
        )


def _described(certificate: x509.Certificate, now: datetime) -> str:
    subject, issuer = certificate.subject.rfc4514_string() or "no subject", certificate.issuer.rfc4514_string()
    until = certificate.not_valid_after_utc
    names = ", ".join(_names(certificate))
    return (
        f"{subject}, issued by {issuer}" + (f", for {names}" if names else "") + f", until {until:%Y-%m-%d} ({_days(until, now)})"
    )


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]


def _days(until: datetime, now: datetime) -> str:
    return f"{(until - now).days} days left" if until > now else f"expired {(now - until).days} days ago"


def _state(certificate: x509.Certificate, now: datetime) -> State:
    left = certificate.not_valid_after_utc - now
    if left.total_seconds() <= 0:
        return "missing"
    return "warning" if left.days < _SOON else "ok"


def _renewal(certificate: x509.Certificate, now: datetime) -> str:
    return "" if _state(certificate, now) == "ok" else "renew it"


def _shake(server: str, context: ssl.SSLContext, refused: str) -> Shown:
    host, port = _address(server)
    with (
        socket.create_connection((host, port), _TIMEOUT) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        shown = secured.getpeercert(binary_form=True)
        assert shown is not None, "a server always shows a certificate"
        return Shown(secured.version() or "", x509.load_der_x509_certificate(shown), refused)


def _address(server: str) -> tuple[str, int]:
    """Host and port as librdkafka reads them: a protocol in front is allowed, 9092 is the port where none is named."""
    address = server.rpartition("://")[2]
    host, colon, port = address.rpartition(":")
    if not colon or host.endswith(":") or port.endswith("]"):
        return address.strip("[]"), 9092
    return host.strip("[]"), int(port)


def _check_files(kafka: Mapping[str, object]) -> None:
    """Open every file that the settings name: what `ssl` says of one that is not there does not name it; raises OSError."""
    for setting in ("ssl.ca.location", "ssl.certificate.location", "ssl.key.location", "ssl.keystore.location"):
        location = str(kafka.get(setting, "probe"))
        if location != "probe" and not Path(location).is_dir():
            Path(location).open("rb").close()


def _verifies(kafka: Mapping[str, object]) -> bool:
    return str(kafka.get("enable.ssl.certificate.verification", "true")).lower() == "true"


def _context(kafka: Mapping[str, object]) -> ssl.SSLContext:
    """A context that trusts as librdkafka does, without what Python adds to it in its default context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = str(kafka.get("ssl.endpoint.identification.algorithm", "https")).lower() == "https" and _verifies(
        kafka
    )
    context.verify_mode = ssl.CERT_REQUIRED if _verifies(kafka) else ssl.CERT_NONE
    location = str(kafka.get("ssl.ca.location", "probe"))
    if "ssl.ca.pem" in kafka:
        context.load_verify_locations(cadata=str(kafka["ssl.ca.pem"]))
    elif location == "probe":
        context.load_default_certs()
    elif Path(location).is_dir():
        context.load_verify_locations(capath=location)
    else:
        context.load_verify_locations(cafile=location)
    _show_own(context, kafka)
    return context


def _show_own(context: ssl.SSLContext, kafka: Mapping[str, object]) -> None:
    """Let the context show the client's certificate, where settings name one and its key as PEM."""
    password = str(kafka["ssl.key.password"]) if "ssl.key.password" in kafka else ""
    if "ssl.certificate.location" in kafka:
        location = str(kafka["ssl.certificate.location"])
        context.load_cert_chain(location, str(kafka.get("ssl.key.location", location)), lambda: password)
    elif "ssl.certificate.pem" in kafka:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as held:  # readable by this user only; ssl takes nothing but files
            held.write(f"{kafka['ssl.certificate.pem']}\n{kafka.get('ssl.key.pem', '')}\n")
            held.flush()
            context.load_cert_chain(held.name, None, lambda: password)


def _own_certificate(kafka: Mapping[str, object]) -> x509.Certificate | None:
    if "ssl.keystore.location" in kafka:
        password = str(kafka.get("ssl.keystore.password", "")).encode() or None
        held = pkcs12.load_pkcs12(Path(str(kafka["ssl.keystore.location"])).read_bytes(), password).cert
        return None if held is None else held.certificate
    if "ssl.certificate.pem" in kafka:
        return _first(str(kafka["ssl.certificate.pem"]).encode())
    if "ssl.certificate.location" in kafka:
        return _first(Path(str(kafka["ssl.certificate.location"])).read_bytes())
    return None


def _first(pem: bytes) -> x509.Certificate:
    certificates: Sequence[x509.Certificate] = x509.load_pem_x509_certificates(pem)
    return certificates[0]
