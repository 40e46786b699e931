"""HubSpot's webhook events: what each subscription type states about a contact, a deal or a company.

It guards two things that HubSpot leaves open: events carry no unique id (`eventId` is not guaranteed to be one), so the id is
made of what they say (formats, A0; semantics, rule 20); and their order is not kept, so `occurredAt` and a rank within one
instant stand for it (rule 18).
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from processors.sources.parsing import digest, identifier_text, instant_from_milliseconds, shown
from processors.sources.statement import Decoded, Statement, Undecodable
from schemas.facts import FactKind, is_missing
from schemas.instants import format_instant

ABOUT = {"contact": "lead", "deal": "deal", "company": "account"}
"""The objects that funnels know, and the kind of entity that each of them is."""

UNSUPPORTED = Decoded((), unused="unsupported_type")
UNMAPPED = Decoded((), unused="unmapped_object")

IMPORT = "IMPORT"
"""changeSource of what somebody imported from a file: the past, or a list that was bought (rule 30)."""

_TYPE_IDS = {"0-1": "contact", "0-2": "company", "0-3": "deal"}
_WHOLE: dict[str, FactKind] = {"deletion": "delete", "restore": "restore", "privacyDeletion": "erase"}
_ACTIONS = frozenset({"propertyChange", "creation", "merge", *_WHOLE})


class Names:
    """The identifiers that a source lists, by object: `contact.objectId`, `contact.properties.email`."""

    __slots__ = ("_listed", "_of")

    def __init__(self, identifiers: Collection[str]) -> None:
        """Sort the names by object; a name of no object is never found in a record."""
        self._listed = frozenset(identifiers)
        self._of = {crm: tuple(name for name in identifiers if name.startswith(f"{crm}.")) for crm in ABOUT}

    def knows(self, crm: str) -> bool:
        """Whether the source lists any identifier of this object; where it lists none, it has no use for the object."""
        return bool(self._of[crm])

    def __contains__(self, name: str) -> bool:
        """Whether the source lists this name."""
        return name in self._listed

    def pick(self, crm: str, object_id: object, properties: Mapping[str, Any]) -> dict[str, str]:
        """The listed identifiers of one object.

        Raises:
            Undecodable: `no_identifier`: none of them has a usable value.
        """
        identifiers: dict[str, str] = {}
        for name in self._of[crm]:
            value = object_id if name == f"{crm}.objectId" else properties.get(name.removeprefix(f"{crm}.properties."))
            if (text := identifier_text(value)) is not None:
                identifiers[name] = text
        if identifiers:
            return identifiers
        names = ", ".join(self._of[crm])
        raise Undecodable("no_identifier", f"The {crm} has no usable value at any of the source's identifiers ({names}).")


class _Event(msgspec.Struct, frozen=True, gc=False):
    """A webhook event of a known object, before its action is looked at."""

    crm: str
    action: str
    body: Mapping[str, Any]
    occurred_at: int | None

    def digest(self, further: Iterable[object]) -> bytes:
        """What the event says; its delivery (attemptNumber, eventId, subscriptionId, appId, sourceId) does not count.

        The generic `object.*` types deliver a change a second time, so the type is written the specific way. `further` tells
        apart the statements of an event that makes several.
        """
        value = self.body.get("propertyValue")
        return digest(
            [
                identifier_text(self.body.get("portalId")),
                identifier_text(self.body.get("objectId")),
                f"{self.crm}.{self.action}",
                self.body.get("propertyName"),
                "" if value is None else value,
                self.occurred_at,
                *further,
            ]
        )


def decode_event(subscription: object, body: dict[str, Any], names: Names) -> Decoded:
    """The statements of one webhook event; types that no funnel knows are `unused`.

    Args:
        subscription: Its subscriptionType (older events: eventType).
        body: The event.
        names: The source's identifiers.

    Raises:
        Undecodable: `wrong_shape`, `wrong_time` or `no_identifier`.
    """
    if type(subscription) is not str:
        raise Undecodable("wrong_shape", f"subscriptionType is {shown(subscription)}, not a text such as contact.propertyChange.")
    crm, _, action = subscription.partition(".")
    if action == "associationChange":
        return _association(body, names)
    if crm == "object":
        crm = named_type(body) or crm
    if crm not in ABOUT or action not in _ACTIONS:
        return UNSUPPORTED
    if not names.knows(crm):
        return UNMAPPED
    event = _Event(crm, action, body, instant_from_milliseconds(body.get("occurredAt"), "occurredAt"))
    if action == "merge":
        return _merge(event, names)
    if action == "propertyChange":
        return _property_change(event, names)
    identifiers = names.pick(crm, body.get("objectId"), {})
    if action == "creation":
        # HubSpot keeps the time of creation in this property; a creation is the change that sets it.
        properties = {} if event.occurred_at is None else {"createdate": format_instant(event.occurred_at)}
        return Decoded([_statement("change", event, identifiers, properties=properties)])
    return Decoded([_statement(_WHOLE[action], event, identifiers)])


def named_type(body: Mapping[str, Any]) -> str | None:
    """The object that a record names by objectTypeId; an id of none of the three is returned as it is."""
    written = body.get("objectTypeId") or body.get("object_type_id")
    return _TYPE_IDS.get(written, written) if type(written) is str else None


def _property_change(event: _Event, names: Names) -> Decoded:
    name, value = event.body.get("propertyName"), event.body.get("propertyValue")
    if type(name) is not str or not name or "propertyValue" not in event.body:
        raise Undecodable("wrong_shape", f"The {event.crm}.propertyChange lacks propertyName or propertyValue.")
    if type(value) is dict or type(value) is list:
        raise Undecodable("wrong_shape", f"propertyValue of {shown(name)} is {shown(value)}, not a single value.")
    identifiers = names.pick(event.crm, event.body.get("objectId"), {name: value})
    # A lifecycle stage goes back by a clear and then a set, and both may carry one occurredAt (formats, A6): the set must stand
    # last, which a hash would leave to chance. A creation at the same instant comes before it too.
    rank = 0 if is_missing(value) else 1
    return Decoded([_statement("change", event, identifiers, properties={name: value}, source_order=rank)])


def _merge(event: _Event, names: Names) -> Decoded:
    body, name = event.body, f"{event.crm}.objectId"
    merged, primary = body.get("mergedObjectIds"), body.get("primaryObjectId")
    survivor = identifier_text(body.get("newObjectId")) or identifier_text(primary)
    if survivor is None or type(merged) is not list:
        raise Undecodable("wrong_shape", f"The {event.crm}.merge lacks mergedObjectIds, or a primaryObjectId or newObjectId.")
    # Where a merge creates an object (newObjectId), the primary is merged into it as well.
    losers = {text for loser in (*merged, primary) if (text := identifier_text(loser)) and text != survivor}
    if not losers:
        raise Undecodable("no_identifier", f"The {event.crm}.merge names no usable id other than {survivor}.")
    if name not in names:
        return UNMAPPED
    # One digest for each link: of what a merge says in common only, since an array of ids may be long and so may stray fields.
    common = {key: body[key] for key in ("portalId", "objectId", "changeSource") if key in body}
    event = msgspec.structs.replace(event, body=common)
    target = {name: survivor}
    links = [_statement("link", event, {name: loser}, target=target, further=(loser, survivor)) for loser in sorted(losers)]
    return Decoded(links)


def _association(body: dict[str, Any], names: Names) -> Decoded:
    """A contact joins or leaves a deal: one statement with one id, whichever of the two sides sent it."""
    ends = _ends(body)
    if sorted(ends) != ["contact", "deal"]:
        return UNSUPPORTED
    if "deal.objectId" not in names or "contact.objectId" not in names:
        return UNMAPPED
    ids = {crm: identifier_text(body.get(field)) for crm, field in zip(ends, ("fromObjectId", "toObjectId"), strict=True)}
    deal, contact = ids["deal"], ids["contact"]
    if deal is None or contact is None:
        raise Undecodable("no_identifier", "The association of a deal with a contact lacks a usable fromObjectId or toObjectId.")
    removed = body.get("associationRemoved") in (True, "true")
    own = {key: value for key, value in body.items() if key in {"portalId", "changeSource"}}
    event = _Event("deal", "associationChange", own, instant_from_milliseconds(body.get("occurredAt"), "occurredAt"))
    identifiers, named = {"deal.objectId": deal}, {"contact.objectId": contact}
    further = (deal, contact, removed)
    if removed:
        # No target means detached. Whom from is kept in the properties, since the deal may have other contacts left.
        return Decoded([_statement("attach", event, identifiers, properties=named, further=further)])
    return Decoded([_statement("attach", event, identifiers, target=named, further=further)])


def _ends(body: dict[str, Any]) -> list[str]:
    """The objects at both ends of an association, from their type ids or from its name (`DEAL_TO_CONTACT`)."""
    ids = body.get("fromObjectTypeId"), body.get("toObjectTypeId")
    if all(type(written) is str for written in ids):
        return [_TYPE_IDS.get(str(written), str(written)) for written in ids]
    name = body.get("associationType")
    if type(name) is not str:
        raise Undecodable("wrong_shape", f"associationType is {shown(name)}, not a text such as DEAL_TO_CONTACT.")
    return name.lower().split("_to_")


def _statement(
    kind: FactKind,
    event: _Event,
    identifiers: Mapping[str, str],
    *,
    properties: Mapping[str, Any] | None = None,
    target: Mapping[str, str] | None = None,
    source_order: int = 0,
    further: Iterable[object] = (),
) -> Statement:
    fingerprint = event.digest(further)
    change_source = event.body.get("changeSource")
    return Statement(
        kind=kind,
        identifiers=identifiers,
        occurred_at=event.occurred_at,
        source_order=source_order,
        id=fingerprint.hex(),
        fingerprint=fingerprint,
        properties=properties or {},
        about=ABOUT[event.crm],
        change_source=identifier_text(change_source) if type(change_source) is str else None,
        provenance="backfill" if change_source == IMPORT else "live",
        target=target or {},
    )
