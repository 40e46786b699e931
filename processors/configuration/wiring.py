"""What parts of a configuration say of each other: sources, namespaces, topics, fields and who decides between sources.

The checks look at what was written, so that one mistake of form does not hide these; values of another form than they
expect are left to the model.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from processors.configuration.field_sources import check_sources_of_fields
from processors.configuration.record_shapes import check_record_shapes, namespaces_named
from processors.configuration.written import mapping_in, texts_in, there_are
from schemas.application import OwnTopics
from schemas.mistakes import Mistake, Path, one_of, suggestion

_IDENTIFIERS = {
    "segment": ("anonymousId", "userId", "previousId", "groupId", "traits.email", "context.traits.email", "context.groupId"),
    "hubspot": ("contact.objectId", "deal.objectId", "company.objectId"),
}
"""Names of identifiers in the formats; in Segment calls any path may be one, in HubSpot any property too."""
_HUBSPOT_IDENTIFIER = re.compile(r"(contact|deal|company)\.(objectId|properties\..+)")
_MAKE_A_KEY = "make one with `openssl rand -hex 32`, keep it secret and write hash_key: ${FUNNELSTREAM_HASH_KEY}"


def check_wiring(written: Mapping[str, Any], own_topics: OwnTopics | None) -> Iterator[Mistake]:
    """Every contradiction between parts.

    Args:
        written: The configuration as written, references replaced.
        own_topics: The names of our own topics; None while they cannot be told.
    """
    sources = {name: source for name, source in mapping_in(written, "sources").items() if isinstance(source, dict)}
    yield from _namespaces(written, sources)
    yield from _identifiers(written, sources)
    yield from _topics(sources, own_topics)
    for name, source in sources.items():
        yield from _mapping_section(("sources", name), source)
    yield from check_sources_of_fields(sources, mapping_in(written, "authority"))


def _declared(written: Mapping[str, Any]) -> list[tuple[Path, Mapping[str, Any]]]:
    listed = mapping_in(written, "identity").get("namespaces")
    path: Path = ("identity", "namespaces")
    return [
        ((*path, index), item) for index, item in enumerate(listed if isinstance(listed, list) else []) if isinstance(item, dict)
    ]


def _namespaces(written: Mapping[str, Any], sources: Mapping[str, Any]) -> Iterator[Mistake]:
    seen: set[str] = set()
    for path, namespace in _declared(written):
        name = str(namespace.get("name", ""))
        if name in seen:
            yield Mistake((*path, "name"), f"namespace {name} is declared twice: its place in the list is its strength; keep one")
        seen.add(name)
        for place, source in texts_in(namespace.get("from"), (*path, "from")):
            if source not in sources:
                yield Mistake(place, f"{source} is no source{suggestion(source, sources) or there_are('sources', sources)}")
        if namespace.get("normalise") == "email" and mapping_in(written, "identity").get("hash_key") is None:
            sentence = f"hash_key missing: of namespace {name}, whose values are e-mail addresses, only a keyed hash is published"
            yield Mistake(("identity", "hash_key"), f"{sentence}; {_MAKE_A_KEY}")


def _identifiers(written: Mapping[str, Any], sources: Mapping[str, Any]) -> Iterator[Mistake]:
    declared = {str(namespace.get("name")): namespace for _, namespace in _declared(written)}
    for source, keys in sources.items():
        for name, namespace in mapping_in(keys, "identifiers").items():
            path = ("sources", source, "identifiers", name)
            if keys.get("format") != "mapping":  # which has identifiers of its own, below
                yield from _identifier_name(path, name, str(keys.get("format")))
                yield from _namespace(path, namespace, source, declared)
        mapping = mapping_in(keys, "mapping")
        for inner, namespace in namespaces_named(mapping):
            yield from _namespace(("sources", source, "mapping", *inner), namespace, source, declared)
        kinds = {name: str(namespace.get("kind")) for name, namespace in declared.items()}
        yield from check_record_shapes(("sources", source, "mapping"), mapping, kinds)


def _namespace(path: Path, name: Any, source: str, declared: Mapping[str, Mapping[str, Any]]) -> Iterator[Mistake]:
    if not isinstance(name, str) or not declared:  # that there are none is said where they belong
        return
    if name not in declared:
        yield Mistake(path, f"{name} is no declared namespace{suggestion(name, declared) or there_are('namespaces', declared)}")
        return
    trusted = [trusted for _, trusted in texts_in(declared[name].get("from"), ())]
    if trusted and source not in trusted:
        mend = f"add {source} to the `from` of {name}, or leave it out here"
        yield Mistake(path, f"{name} may only be asserted by {one_of(trusted)}, so this would never count: {mend}")


def _identifier_name(path: Path, name: str, source_format: str) -> Iterator[Mistake]:
    known = _IDENTIFIERS.get(source_format, ())
    slip = next((other for other in known if other != name and other.lower() == name.lower()), None)
    if slip is None and (source_format != "hubspot" or _HUBSPOT_IDENTIFIER.fullmatch(name)):
        return
    hint = f"; did you mean {slip}?" if slip else suggestion(name, known) or f": write {one_of(known)}, or OBJECT.properties.NAME"
    yield Mistake(path, f"{name} is no identifier of {source_format}{hint}", of_key=True)


def _topics(sources: Mapping[str, Any], own_topics: OwnTopics | None) -> Iterator[Mistake]:
    own: dict[str, str] = {}
    for role, topic in own_topics._asdict().items() if own_topics else ():
        if topic in own:
            yield Mistake(("topics", role), f"{role} and {own[topic]} are both {topic}: give each a topic of its own")
        own.setdefault(topic, role)
    readers: dict[str, str] = {}
    for name, source in sources.items():
        for path, topic in texts_in(source.get("topics"), ("sources", name, "topics")):
            if topic in own:
                yield Mistake(
                    path, f"{topic} is our own topic for {own[topic]}: name the topic of the source, or rename ours in `topics`"
                )
            if topic in readers:
                yield Mistake(
                    path, f"{topic} is read by {readers[topic]} already: a topic belongs to one source; leave it out here"
                )
            readers.setdefault(topic, name)


def _mapping_section(path: Path, source: Mapping[str, Any]) -> Iterator[Mistake]:
    if source.get("format") == "mapping":
        if "mapping" not in source:
            yield Mistake(
                (*path, "mapping"), "mapping missing: nothing says where the records are; write mapping: {records: [..]}"
            )
        for key, belongs in (
            ("identifiers", "each of the mapping's `records`"),
            ("fields", "the `set` of the mapping's `records`"),
        ):
            if source.get(key):
                yield Mistake((*path, key), f"{key} of a mapping stand in {belongs}: move them there", of_key=True)
        return
    if "mapping" in source:
        sentence = "mapping belongs to format: mapping; leave it out, or write that format"
        yield Mistake((*path, "mapping"), sentence, of_key=True)
    if not source.get("identifiers"):
        example = "identifiers: {userId: user}"
        yield Mistake(
            (*path, "identifiers"), f"identifiers missing: no record could be told to belong to anybody; write {example}"
        )
