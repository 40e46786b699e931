"""Names of fields, as definitions write them: canonical fields of the state, and paths into an event.

`lead.*`, `deal.*` and `account.*` are state; `event.*` exists only at the instant of the event. A name that is neither gets a
sentence that says what was probably meant.
"""

from difflib import get_close_matches

from schemas.mistakes import one_of, suggestion

STATE_GRAINS = ("lead", "deal", "account")
EVENT_ROOTS = ("event.properties.", "event.context.", "event.campaign.")
EVENT_FIELDS = ("event.session_id", "event.page")

WELL_KNOWN = tuple(
    f"{grain}.{name}"
    for grain, names in {
        "lead": "lifecycle_stage status created_at owner source email name company country",
        "deal": "stage pipeline owner amount currency created_at closed_at is_won is_closed product name source",
        "account": "territory industry owner name created_at country employees",
    }.items()
    for name in names.split()
)
"""Fields that most CRMs have: a name one slip away from one of these is taken for the slip."""
COMBINING = ("all", "any", "not", "happened")
"""Keys of a condition that are no fields."""


def is_state_field(name: str) -> bool:
    """Whether a name is of the form of a canonical field: lead.*, deal.* or account.*."""
    grain, _, rest = name.partition(".")
    return grain in STATE_GRAINS and bool(rest)


def is_event_field(name: str) -> bool:
    """Whether a name is a path into an event that definitions may read."""
    return name in EVENT_FIELDS or any(name.startswith(root) and len(name) > len(root) for root in EVENT_ROOTS)


def state_complaint(key: str) -> str | None:
    """What is wrong with a key of a state, as a sentence; None for a field of the state."""
    if is_state_field(key):
        return None
    if key.startswith("event."):
        return f"{key} cannot be read in a state: test it in a signal, when: {{event: NAME, {key}: ..}}"
    if key in ("event", "conversion", "if"):
        return f"{key} belongs to a signal: write it under `when`"
    known = [*COMBINING, *WELL_KNOWN, *(f"{grain}.{key.rpartition('.')[2]}" for grain in STATE_GRAINS)]
    return f"{key} is no field{suggestion(key, known)} (fields begin with {one_of(f'{grain}.' for grain in STATE_GRAINS)})"


def event_complaint(key: str) -> str | None:
    """What is wrong with a key of a signal, as a sentence; None for a field of the event."""
    if is_event_field(key):
        return None
    if is_state_field(key) or key in COMBINING:
        return f"{key} is state, not part of the event: write it as if: {{{key}: ..}} beside event"
    if key.startswith("event."):
        return f"{key} is no event field; did you mean {_meant_event_field(key.removeprefix('event.'))}?"
    return f"{key} is no key of a signal{suggestion(key, ('event', 'if', *EVENT_FIELDS))}"


def _meant_event_field(rest: str) -> str:
    head, _, tail = rest.partition(".")
    if tail:
        root = get_close_matches(head[:100], [root.split(".")[1] for root in EVENT_ROOTS], n=1)
        return f"event.{root[0] if root else 'properties'}.{tail}"
    own = get_close_matches(f"event.{rest[:100]}", EVENT_FIELDS, n=1, cutoff=0.9)
    return own[0] if own else f"event.properties.{rest or 'NAME'}"
