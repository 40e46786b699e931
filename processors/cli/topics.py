"""`funnelstream topics create`: our topics, created on request and never otherwise."""

from pathlib import Path
from typing import Annotated

import typer

from processors.cli.loading import Loaded, load
from processors.engine.settings import Clients, make_client
from processors.engine.stop import ENVIRONMENT, Stop

topics = typer.Typer(help="The topics that the application writes.", no_args_is_help=True)


@topics.callback()
def _group() -> None:
    """The topics that the application writes."""


@topics.command()
def create(
    config: Annotated[Path, typer.Option(help="The application's configuration.")],
    with_sources: Annotated[
        bool, typer.Option("--with-sources", help="Create the sources' topics as well, if nobody else does.")
    ] = False,
) -> None:
    """Create the topics that are missing; one that exists is left as it is, and what differs in it is said."""
    from confluent_kafka.admin import AdminClient

    from processors.cli.run import engine_settings
    from processors.engine.broker_errors import BrokerErrors
    from processors.engine.contact import first_contact
    from processors.engine.topics import WantedTopic, create_topics, wanted_topics

    loaded = load(config)
    settings = engine_settings(loaded, "topics")
    wanted = wanted_topics(settings.topics, loaded.application.topics.partitions)
    if with_sources:
        wanted += [WantedTopic("source", name, loaded.application.topics.partitions, {}) for name in _source_topics(loaded)]
    errors = BrokerErrors(settings.kafka)
    admin = make_client(AdminClient, Clients(settings).admin() | errors.options())
    first_contact(admin, errors)
    reports = create_topics(admin, wanted, loaded.application.topics.replication)
    for report in reports:
        typer.echo(f"{report.state:<8} {report.name}" + (f" ({report.detail})" if report.detail else ""))
    differing = [report.name for report in reports if report.state == "differs" and report.name not in _source_topics(loaded)]
    if differing:
        raise Stop(
            ENVIRONMENT,
            f"{', '.join(differing)} exist but differ from what is wanted: write in `topics` what is there, or change "
            "them with your Kafka tools; never the partitions of facts or changelog once they hold records.",
        )


def _source_topics(loaded: Loaded) -> list[str]:
    return [topic for source in loaded.application.sources.values() for topic in source.topics]
