"""Where canonical fields come from: each has a name of its own, one type, and one source whose value wins."""

from collections.abc import Iterator, Mapping
from typing import Any

from processors.configuration.record_shapes import shapes_in
from processors.configuration.written import mapping_in, texts_in, there_are
from schemas.field_names import WELL_KNOWN, is_state_field
from schemas.fields import PRESETS, field_type, typed
from schemas.mapping import as_field_source
from schemas.mistakes import Mistake, Path, all_of, shown, suggestion


def check_sources_of_fields(sources: Mapping[str, Mapping[str, Any]], authority: Mapping[str, Any]) -> Iterator[Mistake]:
    """What is wrong with the fields of all sources, with paths from the root of the configuration.

    Args:
        sources: The sources as written, by name.
        authority: Field to the sources that decide on it, as written.
    """
    writers: dict[str, dict[str, str]] = {}
    places: dict[tuple[str, str], Path] = {}
    for name, source in sources.items():
        for field, preset in PRESETS.get(str(source.get("format")), {}).items():
            writers.setdefault(field, {})[name] = preset.type
        for path, fields in _written(name, source):
            yield from _fields(path, fields)
            for field, given in fields.items():
                places.setdefault((name, field), (*path, field))
                writers.setdefault(field, {}).setdefault(name, _type(field, given))
                if path[2] == "fields":  # which replaces a preset
                    writers[field][name] = _type(field, given)
    yield from _types(writers, places)
    yield from _authority(writers, sources, authority)


def _written(name: str, source: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Where a source writes which fields: under `fields`, and in the records of a mapping under `set`."""
    yield ("sources", name, "fields"), mapping_in(source, "fields")
    for path, shape in shapes_in(mapping_in(source, "mapping")):
        fields = mapping_in(shape, "set")
        yield (
            ("sources", name, "mapping", *path, "set"),
            {field: as_field_source(field, given) for field, given in fields.items()},
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
    for written, value in mapping_in(given, "values").items():
        try:
            typed(value, kind)
        except (KeyError, TypeError):
            return  # no such type: reported where the model refuses it
        except (ValueError, OverflowError):
            yield Mistake(
                (*path, "values", written), f"{name} is of type {kind}, and {shown(value)} is not: write a {kind} value"
            )


def _type(field: str, given: Any) -> str:
    return str(given.get("type", field_type(field))) if isinstance(given, dict) else field_type(field)


def _types(writers: Mapping[str, Mapping[str, str]], places: Mapping[tuple[str, str], Path]) -> Iterator[Mistake]:
    for field, types in writers.items():
        first, *others = types
        for name in others:
            if types[name] != types[first]:
                sentence = f"{field} is of type {types[name]} here, and of type {types[first]} in {first}: give both one type"
                yield Mistake(places.get((name, field), ("sources", name, "fields", field)), sentence, of_key=True)


def _authority(
    writers: Mapping[str, Mapping[str, str]], sources: Mapping[str, Any], authority: Mapping[str, Any]
) -> Iterator[Mistake]:
    for field, listed in authority.items():
        if field not in writers:
            hint = suggestion(field, writers) or ": leave it out"
            yield Mistake(("authority", field), f"no source gives {field}{hint}", of_key=True)
        for path, source in texts_in(listed, ("authority", field)):
            if source not in sources:
                yield Mistake(path, f"{source} is no source{suggestion(source, sources) or there_are('sources', sources)}")
    undecided: dict[tuple[str, ...], list[str]] = {}
    for field, names in writers.items():
        decided = {source for _, source in texts_in(authority.get(field), ())}
        if len(names) > 1 and not set(names) <= decided:
            undecided.setdefault(tuple(names), []).append(field)
    for writing, fields in undecided.items():
        mend = ", ".join(f"{field}: [{', '.join(writing)}]" for field in fields)
        sentence = f"{all_of(fields)} {'is' if len(fields) == 1 else 'are'} written by {all_of(writing)}: say whose value wins"
        yield Mistake(("authority", fields[0]), f"{sentence}, authority: {{{mend}}}")
