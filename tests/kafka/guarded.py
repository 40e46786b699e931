"""A broker that asks who we are, in every way there is: SCRAM with and without TLS, and certificates on both sides.

Its PLAINTEXT listener lets in everybody as an administrator: it is for the tests, and for brokers among themselves.
"""

from datetime import datetime

import trustme
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported at run time
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives import serialization

from tests.broker.discovery import start_private_broker
from tests.kafka.permissions import USER

OWNER = "owner"
"""May do everything."""
PASSWORD = "worker-secret-7"
"""Of both users, in every mechanism."""
KEY_PASSWORD = "key-secret-8"
MECHANISMS = {"SCRAM-SHA-512": ScramMechanism.SCRAM_SHA_512, "SCRAM-SHA-256": ScramMechanism.SCRAM_SHA_256}
LISTENERS = {"SCRAM": "SASL_SSL", "MUTUAL": "SSL", "OPEN": "SASL_PLAINTEXT", "MISNAMED": "SASL_SSL"}
"""MISNAMED shows a certificate that was issued for another host."""

_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": f"User:ANONYMOUS;User:{OWNER}",
    "sasl.enabled.mechanisms": ",".join(MECHANISMS),
    "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/",
    "listener.name.mutual.ssl.client.auth": "required",
}


class Guarded:
    """The broker, its authority, and the settings of clients that it lets in.

    Attributes:
        broker: Without its users; everybody is an administrator at its `bootstrap`.
        bootstrap: The same address.
    """

    def __init__(self) -> None:
        self._authority = trustme.CA()
        certificate = self._authority.issue_cert("localhost", "127.0.0.1")
        misnamed = self._authority.issue_cert("elsewhere.example")
        properties = _AUTHORIZER | self._stores(certificate) | self._stores(misnamed, "listener.name.misnamed.")
        for name, mechanism in ((name, mechanism) for name in ("scram", "open", "misnamed") for mechanism in MECHANISMS):
            properties[f"listener.name.{name}.{mechanism.lower()}.sasl.jaas.config"] = _LOGIN
        self.broker = start_private_broker(properties, LISTENERS)
        self.bootstrap = self.broker.bootstrap
        self.kill, self.start, self.stop = self.broker.kill, self.broker.start, self.broker.stop
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        for user in (USER, OWNER):
            self.set_password(user, PASSWORD)

    def set_password(self, user: str, password: str) -> None:
        """Of a user, who is made if there is none."""
        for mechanism in MECHANISMS.values():  # a request takes a user once
            change = UserScramCredentialUpsertion(user, ScramCredentialInfo(mechanism, 4096), password.encode())
            self._admin.alter_user_scram_credentials([change])[user].result(30)

    def address(self, listener: str) -> dict[str, str]:
        """The setting that names a listener."""
        return {"bootstrap.servers": self.broker.listeners[listener]}

    def scram(self, user: str = USER, mechanism: str = "SCRAM-SHA-512", password: str = PASSWORD) -> dict[str, str]:
        """SASL over TLS."""
        return self.address("SCRAM") | {
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": mechanism,
            "sasl.username": user,
            "sasl.password": password,
            "ssl.ca.pem": self.authority,
        }

    def mutual(self, user: str = USER, until: datetime | None = None) -> dict[str, str]:
        """A certificate of our own, from the authority that the broker trusts; its key is protected by a password."""
        certificate = self._authority.issue_cert(f"{user}.example", common_name=user, not_after=until)
        return self.address("MUTUAL") | {
            "security.protocol": "SSL",
            "ssl.ca.pem": self.authority,
            "ssl.certificate.pem": _chain(certificate),
            "ssl.key.pem": _key(certificate, KEY_PASSWORD),
            "ssl.key.password": KEY_PASSWORD,
        }

    @property
    def authority(self) -> str:
        """The certificate of the authority, as PEM."""
        return self._authority.cert_pem.bytes().decode()

    def _stores(self, certificate: trustme.LeafCert, prefix: str = "") -> dict[str, str]:
        stores = {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.certificate.chain": _chain(certificate),
            "ssl.keystore.key": _key(certificate),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.certificates": self.authority,
        }
        return {f"{prefix}{name}": value for name, value in stores.items()}


def _chain(certificate: trustme.LeafCert) -> str:
    return "".join(pem.bytes().decode() for pem in certificate.cert_chain_pems)


def _key(certificate: trustme.LeafCert, password: str = "") -> str:
    """The private key as PKCS #8, the only form that brokers read."""
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    protection = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection).decode()
