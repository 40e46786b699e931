"""`funnelstream run`: one worker."""

import logging
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from processors.cli.loading import Loaded, load
from processors.engine.process import run_process
from processors.engine.settings import EngineSettings, Limits, TopicNames
from processors.engine.worker import Worker
from processors.topology.deadletters import REASONS
from processors.topology.ingest import DROPPED
from processors.topology.topology import Topology
from schemas.instants import SECOND


def run(
    config: Annotated[Path, typer.Option(help="The application's configuration.")],
    instance: Annotated[
        str | None,
        typer.Option(
            help="Name of this worker, stable over restarts: static member, transactional id, store. Default: host name."
        ),
    ] = None,
) -> None:
    """Read the sources, advance the leads, publish what changed; until SIGTERM."""
    loaded = load(config)
    log_to_stderr(loaded.application.log.level)
    worker = Worker(engine_settings(loaded, instance or socket.gethostname()), Topology(loaded.program))
    raise typer.Exit(run_process(worker))


def engine_settings(loaded: Loaded, instance: str) -> EngineSettings:
    """What the engine is told of the configuration."""
    application = loaded.application
    limits = application.limits
    return EngineSettings(
        application=application.application,
        instance=instance,
        kafka=application.kafka,
        source_topics={topic: name for name, source in application.sources.items() for topic in source.topics},
        topics=TopicNames(**application.own_topics._asdict()),
        state_path=Path(application.state.path),
        limits=Limits(limits.batch_records, limits.batch_bytes, limits.batch_time / SECOND),
        listen=application.http.listen,
        keep_facts=application.topics.keep_facts / SECOND,
        label_sets=label_sets(loaded),
    )


def label_sets(loaded: Loaded) -> dict[str, Sequence[tuple[str, ...]]]:
    """The label sets of the live counters that are known from the definitions, so that they exist at zero."""
    places = [
        (funnel.funnel, place.name) for funnel in loaded.funnels for place in (*funnel.stages, *funnel.detours, *funnel.outcomes)
    ]
    conversions = [
        (funnel.funnel, conversion.name, counting, "announce")
        for funnel in loaded.funnels
        for conversion in funnel.conversions
        for counting in ("counted", "repeat")
    ]
    kinds = ("advance", "regress", "outcome", "reopen")
    return {
        "entries": places,
        "conversions": conversions,
        "transitions": [(funnel.funnel, "announce", kind) for funnel in loaded.funnels for kind in kinds],
        "refolds": [(funnel.funnel,) for funnel in loaded.funnels],
        "too_late": [(funnel.funnel,) for funnel in loaded.funnels],
        "dead_letters": [(name, reason) for name in loaded.application.sources for reason in REASONS],
        "dropped": [(name, reason) for name in loaded.application.sources for reason in DROPPED],
    }


def log_to_stderr(level: str) -> None:
    """One line per event, time first, on standard error: standard output stays free for data."""
    logging.basicConfig(stream=sys.stderr, level=level.upper(), format="%(asctime)s %(levelname)s %(message)s", force=True)
