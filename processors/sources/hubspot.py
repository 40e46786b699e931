"""Decoder of the format `hubspot`: webhook events and whole CRM objects, alone or in an array (formats, A6).

It guards that one bad element of an array does not take the others with it, and that an object says what it is before it is
believed. Identifiers are named `contact.objectId`, `deal.objectId`, `company.objectId`, or `contact.properties.NAME` for the
value of a property, in a whole object or in the change of that property. A whole deal that comes with its associations names its
contact too, so that it reaches its lead (semantics, rule 13). What webhook events say: `hubspot_events`.
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from processors.sources.elements import decode_elements
from processors.sources.hubspot_events import ABOUT, UNMAPPED, UNSUPPORTED, Names, decode_event, named_type
from processors.sources.parsing import (
    NESTING,
    check_nesting,
    digest,
    identifier_text,
    instant_from_milliseconds,
    read_json,
    shown,
)
from processors.sources.statement import Decoded, SourceRecord, Statement, Undecodable

_TELLING = (
    ("deal", ("dealstage", "dealname", "pipeline")),
    ("contact", ("email", "firstname", "lastname")),
    ("company", ("domain",)),
    ("contact", ("lifecyclestage",)),
)
"""Properties that tell what an object is where it does not say so; the first hit counts, since contacts may have the domain of
their company and companies a lifecycle stage."""

_read = msgspec.json.Decoder().decode


class HubSpotDecoder:
    """Keeps the contract of `processors.sources.statement.Decoder`."""

    __slots__ = ("_names", "_nesting")

    def __init__(self, identifiers: Collection[str], nesting: int = NESTING) -> None:
        """Prepare the lookups.

        Args:
            identifiers: Names of the identifiers to take; objects of which none is listed are dropped as `unmapped_object`.
            nesting: Levels of arrays and objects that a record may have.
        """
        self._names = Names(identifiers)
        self._nesting = nesting

    def decode(self, record: SourceRecord) -> Decoded:
        """Decode one event or object, or an array of them.

        Raises:
            Undecodable: `empty`, `not_utf8`, `not_json`, `too_deep`, `wrong_shape`, `wrong_time` or `no_identifier`; of an array
                only where no element can be used, and then for the first.
        """
        value = record.value or b""
        body = read_json(_read, value)
        check_nesting(value, body, self._nesting)
        return decode_elements(body, self._element) if type(body) is list else self._element(body)

    def _element(self, body: object) -> Decoded:
        if type(body) is not dict:
            raise Undecodable("wrong_shape", f"A webhook event or a CRM object is wanted, not {shown(body)}.")
        subscription = body.get("subscriptionType") or body.get("eventType")
        if subscription is not None:
            return decode_event(subscription, body, self._names)
        if "id" in body and type(body.get("properties")) is dict:
            return self._whole_object(body, body["properties"])
        sentence = "This is neither a webhook event (subscriptionType, objectId) nor a CRM object (id, properties)."
        raise Undecodable("wrong_shape", sentence)

    def _whole_object(self, body: dict[str, Any], properties: dict[str, Any]) -> Decoded:
        crm = named_type(body) or _told_type(properties)
        if crm not in ABOUT:
            return UNSUPPORTED
        if not self._names.knows(crm):
            return UNMAPPED
        archived = body.get("archived") is True
        occurred_at = _as_of(body, archived)
        contact = _contact_of(body) if crm == "deal" and "contact.objectId" in self._names else {}
        values = {name: value for name, value in properties.items() if type(value) is not dict and type(value) is not list}
        statement = Statement(
            kind="delete" if archived else "change",
            identifiers=self._names.pick(crm, body["id"], properties) | contact,
            occurred_at=occurred_at,
            id=None,
            fingerprint=digest([crm, identifier_text(body["id"]), archived, occurred_at, properties, *contact.values()]),
            properties={} if archived else values,
            about=ABOUT[crm],
            provenance="snapshot",
        )
        return Decoded([statement])


def _as_of(body: Mapping[str, Any], archived: bool) -> int | None:
    """When the object became what it is; re-publishers write the names with underscores."""
    fields = ("archivedAt", "archived_at") if archived else ()
    for field in (*fields, "updatedAt", "updated_at"):
        if (instant := instant_from_milliseconds(body.get(field), field)) is not None:
            return instant
    return None


def _contact_of(deal: Mapping[str, Any]) -> dict[str, str]:
    """The contact that a whole deal is associated with, as an identifier; of several the greatest id (identity, R10).

    Raises:
        Undecodable: `wrong_shape`: associations are there, and no objects and lists as the API writes them.
    """
    found: Any = deal
    for key, kind in (("associations", dict), ("contacts", dict), ("results", list)):
        if (found := found.get(key)) is None:
            return {}
        if type(found) is not kind:
            raise Undecodable(
                "wrong_shape", f"{key} of the deal is {shown(found)}; the API writes associations.contacts.results."
            )
    ids = [text for each in found if type(each) is dict and (text := identifier_text(each.get("id"))) is not None]
    return {"contact.objectId": max(ids)} if ids else {}


def _told_type(properties: Mapping[str, Any]) -> str:
    for crm, names in _TELLING:
        if any(name in properties for name in names):
            return crm
    sentence = (
        "The object does not say what it is: publish it with objectTypeId (0-1 contact, 0-2 company, 0-3 deal) or with "
        "a property that tells (dealstage, dealname, pipeline; email, firstname, lastname, lifecyclestage; domain)."
    )
    raise Undecodable("wrong_shape", sentence)
