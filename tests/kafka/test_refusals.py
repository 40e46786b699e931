"""Connections that brokers refuse end within a few tries, with the reason and the setting that mends it (ER-16).

All are tried at once, through the contact that every command makes first. Tries are counted, not seconds: each takes two and a
half at most (`contact.py`), and a busy machine may need one more to hear the refusal.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
import trustme

from processors.engine.admin import AdminClient
from processors.engine.broker_errors import BrokerErrors
from processors.engine.contact import first_contact
from processors.engine.settings import make_client
from processors.engine.stop import Stop
from tests.kafka.guarded import Guarded

TRIES = 12
"""30 s at most. What is certain takes one or two; what must be heard alone for two seconds up to seven, most of them short."""
PLAINTEXT = {"security.protocol": "PLAINTEXT"}
STRANGER = trustme.CA()
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def without(settings: dict[str, str], *prefixes: str) -> dict[str, str]:
    return {name: value for name, value in settings.items() if not name.startswith(prefixes)}


CASES: dict[str, tuple[Callable[[Guarded], dict[str, str]], tuple[str, ...]]] = {
    "wrong password": (
        lambda guarded: guarded.scram(password="not-the-password"),
        ("invalid credentials", "correct sasl.username and sasl.password"),
    ),
    "unknown user": (lambda guarded: guarded.scram("nobody"), ("correct sasl.username and sasl.password",)),
    "wrong mechanism": (
        lambda guarded: guarded.scram(mechanism="PLAIN"),
        ("does not take this SASL mechanism", "SCRAM-SHA-512,SCRAM-SHA-256", "set sasl.mechanisms"),
    ),
    "wrong CA": (
        lambda guarded: guarded.scram() | {"ssl.ca.pem": STRANGER.cert_pem.bytes().decode()},
        ("certificate verify failed", "unable to get local issuer certificate", "set ssl.ca.location"),
    ),
    "a certificate for another host": (
        lambda guarded: guarded.scram() | guarded.address("MISNAMED"),
        ("certificate verify failed", "not valid for '", "as the certificate does"),
    ),
    "an expired client certificate": (
        lambda guarded: guarded.mutual(until=LONG_AGO),
        ("SSL alert", "it has expired", "set ssl.certificate.location and ssl.key.location"),
    ),
    "no client certificate": (
        lambda guarded: without(guarded.mutual(), "ssl.certificate", "ssl.key"),
        ("SSL alert", "none was sent", "set ssl.certificate.location and ssl.key.location"),
    ),
    "plaintext to TLS": (
        lambda guarded: guarded.address("SCRAM") | PLAINTEXT,
        ("the listener speaks TLS", "set security.protocol to SSL or SASL_SSL instead of PLAINTEXT"),
    ),
    "plaintext to TLS that wants certificates": (
        lambda guarded: guarded.address("MUTUAL") | PLAINTEXT,
        ("the listener speaks TLS", "set security.protocol to SSL or SASL_SSL instead of PLAINTEXT"),
    ),
    "SASL without TLS to TLS": (
        lambda guarded: guarded.scram() | {"security.protocol": "SASL_PLAINTEXT"},
        ("the listener speaks TLS", "set security.protocol to SASL_SSL instead of SASL_PLAINTEXT"),
    ),
    "TLS to plaintext": (
        lambda guarded: guarded.mutual() | guarded.address("PLAINTEXT"),
        ("closed when TLS begins", "take SSL out of security.protocol"),
    ),
    "SASL over TLS to SASL without": (
        lambda guarded: guarded.scram() | guarded.address("OPEN"),
        ("closed when TLS begins", "take SSL out of security.protocol"),
    ),
    "SASL to a listener without": (
        lambda guarded: guarded.scram() | guarded.address("PLAINTEXT") | {"security.protocol": "SASL_PLAINTEXT"},
        ("does not use SASL", "take SASL_ out of security.protocol"),
    ),
    "SASL over TLS to mTLS": (
        lambda guarded: guarded.mutual() | guarded.scram() | guarded.address("MUTUAL"),
        ("does not use SASL", "take SASL_ out of security.protocol"),
    ),
    "plaintext to SASL": (
        lambda guarded: guarded.address("OPEN") | PLAINTEXT,
        ("wants SASL", "set security.protocol to SASL_PLAINTEXT instead of PLAINTEXT"),
    ),
    "TLS to SASL over TLS": (
        lambda guarded: guarded.mutual() | guarded.address("SCRAM"),
        ("wants SASL", "set security.protocol to SASL_SSL instead of SSL"),
    ),
}
"""Settings that brokers refuse, and what is said of them."""


def refusal(settings: dict[str, Any]) -> Stop:
    """How a client ends that would wait an hour for brokers to come up; one that tries once too often fails."""
    errors, tries = BrokerErrors(settings), count(1)

    def beat() -> None:
        assert next(tries) <= TRIES, "it still waits"

    with pytest.raises(Stop) as stopped:
        first_contact(make_client(AdminClient, settings | errors.options()), errors, within=3600, beat=beat)
    return stopped.value


@pytest.fixture(scope="module")
def refusals(guarded: Guarded) -> Iterator[dict[str, Future[Stop]]]:
    with ThreadPoolExecutor(len(CASES)) as pool:
        yield {name: pool.submit(refusal, settings(guarded)) for name, (settings, _) in CASES.items()}


@pytest.mark.parametrize("case", CASES)
def test_er16_a_refused_connection_ends_with_the_reason_and_the_mend(refusals: dict[str, Future[Stop]], case: str) -> None:
    stopped = refusals[case].result()
    assert stopped.code == 3
    assert "refuse this client" in stopped.sentence
    for said in CASES[case][1]:
        assert said in stopped.sentence
