"""The application's configuration: what one deployment reads, whom its identifiers mean, where it writes, and its bounds.

These models check the form of each value; what concerns several of them at once (a namespace that does not exist, Kafka
settings that contradict each other) is checked in `processors.configuration`. Secrets never show in a representation.
"""

import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StrictBool, StrictInt, StrictStr, WithJsonSchema

from schemas.definitions import Texts
from schemas.fields import FieldSource, FieldType, field_type, fields_of
from schemas.instants import DAY, MILLISECOND, parse_instant
from schemas.kafka_settings import is_secret
from schemas.mapping import RecordMapping
from schemas.mistakes import Misshapen, Mistake, nonblank, plain_name, shown
from schemas.quantities import Duration, Instant, Size
from schemas.shape import AtLeastOne, Shape

Format = Literal["segment", "snowplow", "cloudevents", "salesforce", "debezium", "hubspot", "pipedrive", "mapping"]
SHORTEST_KEY, LONGEST_KEY = 16, 64
"""Bytes of `identity.hash_key`: enough not to be guessed, and what the keyed hash takes."""

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}\Z")
_MASK = "***"


def _topic_name(name: str) -> str:
    if not _TOPIC.match(name) or name in (".", ".."):
        raise ValueError(f"{shown(name)} is no topic name: use letters, digits, '.', '_' and '-', at most 249")
    return name


def _application_name(name: str) -> str:
    if len(name) > 200:  # noqa: PLR2004 - room for "-changelog" and an instance within Kafka's 249
        raise ValueError("the name is too long: it becomes part of topic names, so use at most 200 characters")
    try:
        return _topic_name(name)
    except ValueError:
        raise ValueError(f"{shown(name)} becomes part of topic names: use letters, digits, '.', '_' and '-'") from None


def _namespace_name(name: str) -> str:
    if not _TOPIC.match(name):
        raise ValueError(f"{shown(name)} is no namespace: use letters, digits, '.', '_' and '-', such as hubspot.contact")
    return name


def _number_in_text(value: Any) -> Any:
    """`"${PARTITIONS:-12}"` gives text, so a number may come as one."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value) else value


def _truth_in_text(value: Any) -> Any:
    return value == "true" if value in ("true", "false") else value


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65_535:  # noqa: PLR2004 - the largest port
        raise ValueError(f"{shown(text)} is no address: write HOST:PORT, such as 127.0.0.1:8080")
    return text


def _kafka_settings(value: Any) -> Any:
    """Every setting as librdkafka takes it: text."""
    if not isinstance(value, dict):
        return value
    wrong = [key for key, setting in value.items() if not isinstance(setting, str | int | float)]
    if wrong:
        raise Misshapen(
            [Mistake((key,), f"{key} takes a text, a number, true or false, not {shown(value[key])}") for key in wrong]
        )
    return {key: str(setting).lower() if isinstance(setting, bool) else str(setting) for key, setting in value.items()}


def _with_types(fields: Any) -> Any:
    """A field whose entry names no type takes that of its canonical name."""
    if not isinstance(fields, dict):
        return fields
    return {name: {"type": field_type(name)} | given if isinstance(given, dict) else given for name, given in fields.items()}


def _path(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"{shown(text)} holds a zero character, which no file's name can: write another path")
    return text


def _hash_key(key: SecretStr) -> SecretStr:
    if not SHORTEST_KEY <= len(key.get_secret_value().encode()) <= LONGEST_KEY:
        raise ValueError(f"the key must have {SHORTEST_KEY} to {LONGEST_KEY} bytes: make one with `openssl rand -hex 32`")
    return key


Text = Annotated[StrictStr, AfterValidator(nonblank)]
PathText = Annotated[Text, AfterValidator(_path)]
TopicName = Annotated[StrictStr, AfterValidator(_topic_name)]
TopicNames = Annotated[Texts, AfterValidator(lambda names: tuple(map(_topic_name, names)))]
Address = Annotated[StrictStr, AfterValidator(_address)]
Number = Annotated[StrictInt, BeforeValidator(_number_in_text)]
Truth = Annotated[StrictBool, BeforeValidator(_truth_in_text)]
Setting = WithJsonSchema({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}})


class OwnTopics(NamedTuple):
    """The names of our own topics, by role."""

    facts: str
    changelog: str
    transitions: str
    conversions: str
    leads: str
    metrics: str
    dead_letters: str


class Topics(Shape):
    """Our own topics. A name that is not given follows from the prefix, or for facts and changelog from the application.

    Attributes:
        partitions: Of facts and changelog, which must be equal, and of the published topics.
        replication: None: 3, or the number of brokers where there are fewer.
        keep_facts: Microseconds for which facts are kept after they were used.
        keep_metrics: Microseconds for which numbers are kept by the day; None: for ever.
    """

    prefix: TopicName = "funnel"
    partitions: Number = Field(default=12, ge=1, le=10_000)
    replication: Number | None = Field(default=None, ge=1, le=32_767)
    keep_facts: Duration = 7 * DAY
    keep_metrics: Annotated[Duration, Field(ge=DAY)] | None = Field(
        default=None, description="For how long numbers are kept by the day; older days become one sum."
    )
    facts: TopicName | None = None
    changelog: TopicName | None = None
    transitions: TopicName | None = None
    conversions: TopicName | None = None
    leads: TopicName | None = None
    metrics: TopicName | None = None
    dead_letters: TopicName | None = None

    def resolved(self, application: str) -> OwnTopics:
        """The names of our topics in an application of this name."""
        return OwnTopics(
            facts=self.facts or f"{application}-facts",
            changelog=self.changelog or f"{application}-changelog",
            transitions=self.transitions or f"{self.prefix}.transitions.v1",
            conversions=self.conversions or f"{self.prefix}.conversions.v1",
            leads=self.leads or f"{self.prefix}.leads.v1",
            metrics=self.metrics or f"{self.prefix}.metrics.v1",
            dead_letters=self.dead_letters or f"{self.prefix}.dead-letters.v1",
        )


class State(Shape):
    """Where the store lies: a cache of the changelog (ER-26)."""

    path: PathText = Field(default="./state", description="A folder; relative to this file.")


class Namespace(Shape):
    """One kind of identifier. The order of namespaces is their strength.

    Attributes:
        from_: Sources that may assert it; empty: any.
        normalise: email: lower case, and published only as a keyed hash.
        max_per_lead: More than this many at one lead belong to nobody.
    """

    name: Annotated[StrictStr, AfterValidator(_namespace_name)]
    kind: Literal["visitor", "lead", "deal", "account"]
    from_: Texts = Field(default=(), validation_alias="from", serialization_alias="from")
    normalise: Literal["email"] | None = None
    max_per_lead: Number | None = Field(default=None, ge=1)


class Identity(Shape):
    """Who is who. `look_back` in microseconds."""

    namespaces: Annotated[tuple[Namespace, ...], AtLeastOne] = Field(description="Strongest first.")
    look_back: Duration | None = Field(default=None, description="How far back a visitor's history follows the person.")
    ignore: tuple[StrictStr, ...] = Field(default=(), description="Values that are nobody's, added to the shipped list.")
    hash_key: Annotated[SecretStr, AfterValidator(_hash_key)] | None = Field(
        default=None, description="Key of the hash that stands for e-mail addresses; from the environment or a file."
    )


class Source(Shape):
    """An input: its topics, their format, and how it names things."""

    topics: TopicNames
    format: Format
    identifiers: dict[str, Text] = Field(default={}, description="The format's name of an identifier to a namespace.")
    session: Text | None = Field(default=None, description="The path of the session id, such as context.sessionId.")
    snapshot: Literal["seed", "count"] = Field(default="seed", description="Whole records: state only, or counted as changes.")
    fields: Annotated[dict[str, FieldSource], BeforeValidator(_with_types)] = Field(
        default={}, description="Canonical field to the source's own field."
    )
    mapping: RecordMapping | None = Field(default=None, description="What its records are; for the format mapping.")


class MoneySettings(Shape):
    """The reporting currency and the file of daily rates."""

    reporting: Annotated[StrictStr, Field(pattern=r"^[A-Z]{3}$")] = Field(description="ISO code, such as EUR.")
    rates: PathText = Field(description="A file of date,currency,rate; relative to this file.")


class Limits(Shape):
    """Bounds. Sizes in bytes, durations in microseconds, `past` an instant."""

    record_bytes: Size = 1 << 20
    nesting: Number = Field(default=64, ge=1, le=200)
    future: Duration = DAY
    past: Instant = parse_instant("1990-01-01")
    label_values: Number | None = Field(default=None, ge=1, description="Values of a metric label; the rest is `other`.")
    batch_records: Number = Field(default=10_000, ge=1)
    batch_bytes: Size = 8 << 20
    batch_time: Duration = 100 * MILLISECOND


class Http(Shape):
    """Where the worker answers /livez, /readyz and /metrics."""

    listen: Address = "127.0.0.1:8080"


class Insights(Shape):
    """The pages and their API."""

    listen: Address = "127.0.0.1:8081"
    token: SecretStr | None = None
    show_personal: Truth = False


class Log(Shape):
    """What is logged."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Application(Shape):
    """One deployment. `kafka` holds librdkafka settings as text; `authority` the sources of a field, strongest first."""

    application: Annotated[StrictStr, AfterValidator(_application_name)] = Field(
        description="Names group, transactional ids, facts and changelog; changing it starts empty."
    )
    definitions: PathText = Field(description="A folder (every *.yml except *.test.yml) or a file; relative to this file.")
    kafka: Annotated[dict[str, str], BeforeValidator(_kafka_settings), Setting] = Field(
        default={"bootstrap.servers": "localhost:9092"}, repr=False, description="librdkafka settings, verbatim."
    )
    topics: Topics = Topics()
    state: State = State()
    identity: Identity
    sources: Annotated[dict[Annotated[StrictStr, AfterValidator(plain_name)], Source], AtLeastOne]
    authority: dict[str, Texts] = Field(default={}, description="Field to sources; the first with a value wins.")
    money: MoneySettings | None = None
    limits: Limits = Limits()
    http: Http = Http()
    insights: Insights | None = None
    log: Log = Log()

    @property
    def own_topics(self) -> OwnTopics:
        """The resolved names of our own topics."""
        return self.topics.resolved(self.application)

    @property
    def field_types(self) -> dict[str, FieldType]:
        """The type of every canonical field that some source gives; all that give one agree on it."""
        return {field: given.type for source in self.sources.values() for field, given in fields_of(source).items()}

    def masked(self) -> dict[str, Any]:
        """The whole configuration as plain values, every secret replaced by `***` (ER-32)."""
        plain = self.model_dump(mode="json", by_alias=True)
        plain["kafka"] |= dict.fromkeys(filter(is_secret, self.kafka), _MASK)
        if self.identity.hash_key is not None:
            plain["identity"]["hash_key"] = _MASK
        if self.insights is not None and self.insights.token is not None:
            plain["insights"]["token"] = _MASK
        return plain
