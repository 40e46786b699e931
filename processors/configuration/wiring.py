"""What parts of a configuration say of each other: sources, namespaces, topics, fields and who decides between sources.

The checks look at what was written, so that one mistake of form does not hide these; values of another form than they
expect are left to the model.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.application import OwnTopics
from schemas.field_names import WELL_KNOWN, is_state_field
from schemas.fields import PRESETS, field_type, typed
from schemas.mistakes import Mistake, Path, one_of, shown, suggestion

_MAKE_A_KEY = "make one with `openssl rand -hex 32`, keep it secret and write hash_key: ${FUNNELSTREAM_HASH_KEY}"


def check_wiring(written: Mapping[str, Any], own_topics: OwnTopics | None) -> Iterator[Mistake]:
    """Every contradiction between parts.

    Args:
        written: The configuration as written, references replaced.
        own_topics: The names of our own topics; None while they cannot be told.
    """
    sources = {name: source for name, source in _mapping(written, "sources").items() if isinstance(source, dict)}
    yield from _namespaces(written, sources)
    yield from _identifiers(written, sources)
    yield from _topics(sources, own_topics)
    for name, source in sources.items():
        yield from _mapping_section(("sources", name), source)
        yield from _fields(("sources", name, "fields"), _mapping(source, "fields"))
    yield from _authority(written, sources)


def _mapping(written: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = written.get(key)
    return value if isinstance(value, dict) else {}


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """A text or the texts of a list, each with its place."""
    if isinstance(value, str):
        yield path, value
    for index, item in enumerate(value if isinstance(value, list) else []):
        if isinstance(item, str):
            yield (*path, index), item


def _declared(written: Mapping[str, Any]) -> list[tuple[Path, Mapping[str, Any]]]:
    listed = _mapping(written, "identity").get("namespaces")
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
        for place, source in _texts(namespace.get("from"), (*path, "from")):
            if source not in sources:
                yield Mistake(place, f"{source} is no source{suggestion(source, sources) or _there_are('sources', sources)}")
        if namespace.get("normalise") == "email" and _mapping(written, "identity").get("hash_key") is None:
            sentence = f"hash_key missing: of namespace {name}, whose values are e-mail addresses, only a keyed hash is published"
            yield Mistake(("identity", "hash_key"), f"{sentence}; {_MAKE_A_KEY}")


def _identifiers(written: Mapping[str, Any], sources: Mapping[str, Any]) -> Iterator[Mistake]:
    declared = {str(namespace.get("name")): namespace for _, namespace in _declared(written)}
    for source, keys in sources.items():
        for name, namespace in _mapping(keys, "identifiers").items():
            if not isinstance(namespace, str):
                continue
            path = ("sources", source, "identifiers", name)
            if namespace not in declared:
                hint = suggestion(namespace, declared) or _there_are("namespaces", declared)
                yield Mistake(path, f"{namespace} is no declared namespace{hint}")
                continue
            trusted = [trusted for _, trusted in _texts(declared[namespace].get("from"), ())]
            if trusted and source not in trusted:
                mend = f"add {source} to the `from` of {namespace}, or leave it out here"
                yield Mistake(path, f"{namespace} may only be asserted by {one_of(trusted)}, so this would never count: {mend}")


def _there_are(what: str, names: Mapping[str, Any]) -> str:
    return f": write one of the declared {what} ({', '.join(names)})" if names else f": there are no {what}; declare it first"


def _topics(sources: Mapping[str, Any], own_topics: OwnTopics | None) -> Iterator[Mistake]:
    own: dict[str, str] = {}
    for role, topic in own_topics._asdict().items() if own_topics else ():
        if topic in own:
            yield Mistake(("topics", role), f"{role} and {own[topic]} are both {topic}: give each a topic of its own")
        own.setdefault(topic, role)
    readers: dict[str, str] = {}
    for name, source in sources.items():
        for path, topic in _texts(source.get("topics"), ("sources", name, "topics")):
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
        return
    if "mapping" in source:
        sentence = "mapping belongs to format: mapping; leave it out, or write that format"
        yield Mistake((*path, "mapping"), sentence, of_key=True)
    if not source.get("identifiers"):
        example = "identifiers: {userId: user}"
        yield Mistake(
            (*path, "identifiers"), f"identifiers missing: no record could be told to belong to anybody; write {example}"
        )


def _fields(path: Path, fields: Mapping[str, Any]) -> Iterator[Mistake]:
    for name, given in fields.items():
        place = (*path, name)
        if not is_state_field(name):
            close = suggestion(name, WELL_KNOWN) or ": it begins with lead., deal. or account."
            yield Mistake(place, f"{name} is no canonical field{close}", of_key=True)
        if not isinstance(given, dict):
            continue
        if "unlisted" in given and "values" not in given:
            yield Mistake(
                (*place, "unlisted"), "unlisted without values: there is no list; write values, or leave it out", of_key=True
            )
        yield from _values(place, name, given)


def _values(path: Path, name: str, given: Mapping[str, Any]) -> Iterator[Mistake]:
    kind = given.get("type", field_type(name))
    for written, value in _mapping(given, "values").items():
        try:
            typed(value, kind)
        except KeyError:
            return  # no such type: reported where the model refuses it
        except (ValueError, OverflowError):
            yield Mistake(
                (*path, "values", written), f"{name} is of type {kind}, and {shown(value)} is not: write a {kind} value"
            )


def _authority(written: Mapping[str, Any], sources: Mapping[str, Any]) -> Iterator[Mistake]:
    authority = _mapping(written, "authority")
    for field, listed in authority.items():
        for path, source in _texts(listed, ("authority", field)):
            if source not in sources:
                yield Mistake(path, f"{source} is no source{suggestion(source, sources) or _there_are('sources', sources)}")
    writers: dict[str, list[str]] = {}
    for name, source in sources.items():
        for field in {**PRESETS.get(str(source.get("format")), {}), **_mapping(source, "fields")}:
            writers.setdefault(field, []).append(name)
    for field, names in writers.items():
        decided = [source for _, source in _texts(authority.get(field), ())]
        left_out = [name for name in names if name not in decided]
        if len(names) > 1 and left_out:
            sentence = (
                f"{field} is written by {' and '.join(names)}: say whose value wins, authority: {{{field}: [{', '.join(names)}]}}"
            )
            yield Mistake(("authority", field), sentence)
