"""Refusals: what brokers mean when they do not let a client in, told apart from brokers that are not up yet (ER-16).

Waiting mends a connection that is refused or breaks, never a wrong password, authority or protocol. librdkafka retries all of
them for ever, and says which it is only in its own words; here these words become a meaning and a mend.
"""

import re
import ssl
from collections.abc import Mapping
from typing import NamedTuple

from confluent_kafka import KafkaError

from processors.engine.tls import shaken, trusting_all, trusting_as

_PROBE_WITHIN = 10.0
"""Seconds. Only a listener that hangs takes as long: one that speaks no TLS closes the connection."""

_ADDRESS = re.compile(r"(?:\w+://)?\[?([^/\s]+?)\]?:(\d+)")


class Refusal(NamedTuple):
    """A way to be refused.

    Attributes:
        words: A pattern of librdkafka's words that tells it; empty: the code does.
        meaning: What it means.
        mend: What to do, naming the settings under `kafka`.
        certain: One is enough. What is not certain looks the same while a broker, or a proxy before it, starts: it counts only
            when nothing else is heard for some seconds.
    """

    words: str
    meaning: str
    mend: str
    certain: bool = True


BY_CODE: dict[int | None, tuple[Refusal, ...]] = {
    KafkaError._AUTHENTICATION: (
        Refusal(
            "Unsupported SASL mechanism",
            "the listener does not take this SASL mechanism",
            "set sasl.mechanisms to one that it names",
        ),
        Refusal(
            "not valid in current SASL state",
            "the listener does not use SASL",
            "take SASL_ out of security.protocol, or name the SASL listener in bootstrap.servers",
        ),
        Refusal(
            "SASL OAUTHBEARER token",
            "the token endpoint gives this client no token",
            "correct the sasl.oauthbearer settings, and see that the endpoint answers",
            certain=False,
        ),
        Refusal(
            "",
            "the brokers do not accept these credentials",
            "correct sasl.username and sasl.password; a SCRAM user has a password for each mechanism, and may lack this one",
        ),
    )
}
_UNTRUSTED = Refusal(
    "certificate verify failed",
    "the broker's certificate is not valid for this client",
    "set ssl.ca.location to the authority that issued it, and name brokers (bootstrap.servers, and their advertised.listeners) "
    "as the certificate does",
)
_SILENT = Refusal(
    r"Disconnected.* in state (APIVERSION_QUERY|UP)|Disconnected while requesting ApiVersion",
    "every connection is closed without a word, as by a listener that speaks another protocol",
    "set security.protocol to that of the listener, or name another listener in bootstrap.servers",
    certain=False,
)
BY_WORDS = (
    _UNTRUSTED,
    Refusal(
        "alert (bad certificate|certificate|unknown ca|unsupported certificate)",
        "the broker does not accept a certificate of this client: none was sent, it has expired, or its authority is not trusted",
        "set ssl.certificate.location and ssl.key.location to a certificate that is valid now, of an authority in the broker's "
        "truststore",
    ),
    Refusal(
        "wrong version number|http request|packet length too long|record layer failure",
        "the listener does not speak TLS",
        "take SSL out of security.protocol, or name the TLS listener in bootstrap.servers",
    ),
    Refusal(
        r"PLAINTEXT broker listener\?|Disconnected.* in state SSL_HANDSHAKE",
        "every connection is closed when TLS begins, as by a listener that does not speak it",
        "take SSL out of security.protocol, or name the TLS listener in bootstrap.servers",
        certain=False,
    ),
    _SILENT,
)


def refusal_of(said: str, code: int | None = None) -> Refusal | None:
    """Which refusal librdkafka speaks of, in an error with its code or in a line of its log; None: waiting may mend it."""
    found = (each for each in (*BY_CODE.get(code, ()), *BY_WORDS) if re.search(each.words, said))
    return next(found, None)


def explained(refusal: Refusal, said: str, kafka: Mapping[str, object]) -> str:
    """Reason, meaning and mend for the person who must act; asks the broker where librdkafka's words leave several meanings.

    Args:
        refusal: What was found.
        said: What librdkafka said.
        kafka: The settings of the client.
    """
    address = _ADDRESS.search(said)
    listener = (address[1], int(address[2])) if address else None
    meaning, mend = refusal.meaning, refusal.mend
    if refusal is _UNTRUSTED and listener:
        why = _why_untrusted(listener, kafka)
        meaning += f" ({why})" if why else ""
    elif refusal is _SILENT and listener:
        meaning, mend = _other_protocol(listener, kafka) or (meaning, mend)
    return f"{said}: {meaning}; {mend}"


def _why_untrusted(listener: tuple[str, int], kafka: Mapping[str, object]) -> str:
    """Why a certificate is not valid, in the words of OpenSSL: librdkafka says the same of a wrong authority and a wrong host."""
    try:
        with shaken(listener, trusting_as(kafka), _PROBE_WITHIN):
            pass
    except ssl.SSLCertVerificationError as why:
        return str(why.verify_message).rstrip(".")
    except (OSError, ValueError):
        pass
    return ""


def _other_protocol(listener: tuple[str, int], kafka: Mapping[str, object]) -> tuple[str, str] | None:
    """Meaning and mend where the listener's protocol can be told from ours."""
    ours = str(kafka.get("security.protocol", "plaintext")).upper()
    if ours not in ("SSL", "SASL_SSL") and _speaks_tls(listener):
        wanted = "SASL_SSL" if ours == "SASL_PLAINTEXT" else "SSL or SASL_SSL"
        return "the listener speaks TLS", f"set security.protocol to {wanted} instead of {ours}"
    if ours in ("SSL", "PLAINTEXT"):
        wanted = "SASL_SSL" if ours == "SSL" else "SASL_PLAINTEXT"
        meaning = "every connection is closed without a word, as by a listener that wants SASL"
        return meaning, f"set security.protocol to {wanted} instead of {ours}, with sasl.mechanisms and credentials"
    return None


def _speaks_tls(listener: tuple[str, int]) -> bool:
    try:
        with shaken(listener, trusting_all(), _PROBE_WITHIN):
            return True
    except OSError:
        return False
