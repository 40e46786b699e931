"""TLS outside of librdkafka, which says of a handshake no more than that it failed: trusted is here what it would trust.

That is the CA of `ssl.ca.*`, and the host name unless `ssl.endpoint.identification.algorithm` is none.
"""

import socket
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def uses_tls(kafka: Mapping[str, object]) -> bool:
    """Whether these settings ask for TLS."""
    return str(kafka.get("security.protocol", "plaintext")).lower() in ("ssl", "sasl_ssl")


def verifies(kafka: Mapping[str, object]) -> bool:
    """Whether a client with these settings looks at the broker's certificate at all."""
    return str(kafka.get("enable.ssl.certificate.verification", "true")).lower() == "true"


@contextmanager
def shaken(listener: tuple[str, int], context: ssl.SSLContext, within: float) -> Iterator[ssl.SSLSocket]:
    """A connection to a listener after the handshake.

    Args:
        listener: Host and port.
        context: Whom to trust, and what to show.
        within: Seconds for each of its steps.

    Raises:
        OSError: The listener does not answer, does not speak TLS (`ssl.SSLError`), or is not trusted.
    """
    with (
        socket.create_connection(listener, within) as plain,
        context.wrap_socket(plain, server_hostname=listener[0]) as secured,
    ):
        yield secured


def trusting_all() -> ssl.SSLContext:
    """A context for a look at whoever answers; nothing is said to them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def trusting_as(kafka: Mapping[str, object]) -> ssl.SSLContext:
    """A context that trusts as a client with these settings does, without what Python adds to it in its default context.

    Raises:
        OSError: A file that the settings name cannot be read.
        ValueError: A certificate in them cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    of_host = str(kafka.get("ssl.endpoint.identification.algorithm", "https")).lower() == "https"
    context.check_hostname = of_host and verifies(kafka)
    context.verify_mode = ssl.CERT_REQUIRED if verifies(kafka) else ssl.CERT_NONE
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
