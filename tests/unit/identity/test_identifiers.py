"""Whom a record is about: the strongest identifier that its source may assert (identity, R2 and R14)."""

from hashlib import blake2b

import pytest

from processors.identity.identifiers import SHARED_VALUES, Identifiers
from schemas.application import Namespace

KEY = b"0123456789abcdef"
NAMESPACES = [
    {"name": "contact", "kind": "lead", "from": ["crm"]},
    {"name": "user", "kind": "lead"},
    {"name": "email", "kind": "lead", "normalise": "email"},
    {"name": "anonymous", "kind": "visitor"},
]
NAMES = {"contactId": "contact", "userId": "user", "traits.id": "user", "traits.email": "email", "anonymousId": "anonymous"}


def strongest(said: dict[str, str], source: str = "web", key: bytes = KEY) -> tuple[str, str] | None:
    """The entity and its kind."""
    chooser = Identifiers([Namespace.model_validate(one) for one in NAMESPACES], ["Staff"], key)
    found = chooser.strongest(said, chooser.ranked(source, NAMES))
    return None if found is None else (found.text, found.kind)


@pytest.mark.parametrize(
    ("rule", "source", "said", "chosen"),
    [
        ("the strongest", "web", {"anonymousId": "a", "userId": "u"}, ("user:u", "lead")),
        ("whatever stands first", "web", {"userId": "u", "anonymousId": "a"}, ("user:u", "lead")),
        ("trusted", "crm", {"userId": "u", "contactId": "7"}, ("contact:7", "lead")),
        ("R14: not asserted by this source", "web", {"userId": "u", "contactId": "7"}, ("user:u", "lead")),
        ("R14: nothing that it may assert", "web", {"contactId": "7"}, None),
        ("nothing at all", "web", {}, None),
        ("R14: an ignored value", "web", {"userId": "undefined", "anonymousId": "a"}, ("anonymous:a", "visitor")),
        ("in any case, with spaces", "web", {"userId": " NULL ", "anonymousId": "a"}, ("anonymous:a", "visitor")),
        ("of the configured list", "web", {"userId": "staff"}, None),
        ("spaces around", "web", {"userId": " u 1 "}, ("user:u 1", "lead")),
        ("case is kept", "web", {"userId": "U"}, ("user:U", "lead")),
        ("of two of one namespace the first named", "web", {"userId": "u", "traits.id": "v"}, ("user:u", "lead")),
        ("unless it is ignored", "web", {"userId": "0", "traits.id": "v"}, ("user:v", "lead")),
        ("a colon within", "web", {"userId": "a:b"}, ("user:a:b", "lead")),
    ],
)
def test_strongest(rule: str, source: str, said: dict[str, str], chosen: tuple[str, str] | None) -> None:
    assert strongest(said, source) == chosen, rule


@pytest.mark.parametrize("value", sorted(SHARED_VALUES))
def test_values_that_are_nobody_s_are_never_somebody(value: str) -> None:
    assert strongest({"userId": value}) is None
    assert strongest({"traits.email": value.upper()}) is None


def test_an_email_is_a_keyed_hash_of_its_lower_case() -> None:
    """Of a namespace with `normalise: email` the published id and key are a keyed hash."""
    hashed = blake2b(b"a@b.c", key=KEY, digest_size=16).hexdigest()
    for written in ("a@b.c", " A@B.c "):
        assert strongest({"traits.email": written}) == (f"email:{hashed}", "lead")
    assert strongest({"traits.email": "a@b.c"}, key=b"fedcba9876543210") != (f"email:{hashed}", "lead")
