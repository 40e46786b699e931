"""librdkafka's settings for a client that is not librdkafka: translated, left out for a reason, or refused by name."""

import ssl

import pytest
import trustme
from aiokafka import AIOKafkaConsumer

from processors.engine.stop import INPUT, Stop
from processors.insights.client_settings import reader_settings


def test_addresses_and_passwords_are_translated() -> None:
    kafka = {
        "bootstrap.servers": "a:1,b:2",
        "security.protocol": "sasl_plaintext",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "u",
        "sasl.password": "p",
        "fetch.wait.max.ms": "50",
    }
    assert reader_settings(kafka) == {
        "bootstrap_servers": "a:1,b:2",
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "u",
        "sasl_plain_password": "p",
        "fetch_max_wait_ms": 50,
    }


def test_what_they_are_translated_to_is_known_to_the_client() -> None:
    known = AIOKafkaConsumer.__init__.__code__.co_varnames
    numbers = ("metadata.max.age.ms", "retry.backoff.ms", "connections.max.idle.ms", "fetch.max.bytes", "fetch.min.bytes")
    given = dict.fromkeys((*numbers, "max.partition.fetch.bytes"), "1")
    translated = reader_settings({"bootstrap.servers": "a:1", "client.rack": "r", "check.crcs": "true", **given})
    assert {*translated} <= {*known}


def test_trust_is_the_workers() -> None:
    authority = trustme.CA()
    kafka = {"bootstrap.servers": "a:1", "security.protocol": "SSL", "ssl.ca.pem": authority.cert_pem.bytes().decode()}
    context = reader_settings(kafka)["ssl_context"]
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1, "and nobody whom Python trusts besides"
    lax = reader_settings(kafka | {"ssl.endpoint.identification.algorithm": "none"})["ssl_context"]
    assert not lax.check_hostname


def test_what_concerns_a_worker_says_nothing_to_a_reader() -> None:
    kafka = {"group.protocol": "consumer", "transaction.timeout.ms": "1", "linger.ms": "5", "statistics.interval.ms": "1"}
    assert reader_settings({"bootstrap.servers": "a:1"} | kafka) == {"bootstrap_servers": "a:1"}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("sasl.mechanisms", "GSSAPI"),
        ("sasl.mechanism", "OAUTHBEARER"),
        ("sasl.oauthbearer.method", "oidc"),
        ("sasl.kerberos.principal", "k"),
        ("ssl.keystore.location", "k.p12"),
        ("ssl.cipher.suites", "X"),
        ("ssl.crl.location", "crl"),
        ("security.protocol", "carrier_pigeon"),
        ("plugin.library.paths", "x"),
        ("client.dns.lookup", "x"),
        ("fetch.max.bytes", "many"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(setting: str, value: str) -> None:
    with pytest.raises(Stop) as refused:
        reader_settings({"bootstrap.servers": "a:1", setting: value, "sasl.password": "secret"})
    assert refused.value.code == INPUT
    assert setting in refused.value.sentence
    assert "secret" not in refused.value.sentence


def test_a_certificate_that_cannot_be_read_is_named() -> None:
    with pytest.raises(Stop, match=r"ssl\.ca\.location cannot be read"):
        reader_settings({"bootstrap.servers": "a:1", "security.protocol": "SSL", "ssl.ca.location": "/nowhere.pem"})
