"""`funnelstream run`: one worker."""

import logging
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, get_args

import typer

from processors.cli.loading import Loaded, load
from processors.engine.process import run_process
from processors.engine.redelivery import REPLAY_INSTANCE
from processors.engine.settings import EngineSettings, Limits
from processors.engine.worker import Worker
from processors.stages.diff import Operation
from processors.stages.timeline import MoveKind
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
    if instance == REPLAY_INSTANCE:
        raise typer.BadParameter(f"{instance} is the name of dead letters' replays: name another one", param_hint="--instance")
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
        topics=application.own_topics,
        state_path=Path(application.state.path),
        limits=Limits(limits.batch_records, limits.batch_bytes, limits.batch_time / SECOND),
        listen=application.http.listen,
        keep_facts=application.topics.keep_facts / SECOND,
        label_sets=label_sets(loaded),
    )


def label_sets(loaded: Loaded) -> dict[str, Sequence[tuple[str, ...]]]:
    """The label sets of the live counters, all of which are known from the definitions, so that they exist at zero."""
    funnels, sources = loaded.funnels, loaded.program.sources.values()
    names = dict.fromkeys(funnel.funnel for funnel in funnels)
    places = dict.fromkeys(
        (each.funnel, place.name) for each in funnels for place in (*each.stages, *each.detours, *each.outcomes)
    )
    conversions = dict.fromkeys((funnel.funnel, conversion.name) for funnel in funnels for conversion in funnel.all_conversions)
    operations = get_args(Operation)
    return {
        "entries": [*places],
        "conversions": [(*each, counting, op) for each in conversions for counting in ("counted", "repeat") for op in operations],
        "transitions": [(name, op, kind) for name in names for op in operations for kind in get_args(MoveKind)],
        "refolds": [(name,) for name in names],
        "too_late": [(name,) for name in names],
        "facts": [(plan.name, kind) for plan in sources for kind in ("event", "change", "delete", "restore", "gap")],
        "duplicates": [(plan.name,) for plan in sources],
        "unconvertible": [(plan.name, field) for plan in sources for given in plan.fields.values() for field, _ in given],
        "cut": [(plan.name,) for plan in sources],
        "dead_letters": [(plan.name, reason) for plan in sources for reason in REASONS],
        "dropped": [(plan.name, reason) for plan in sources for reason in DROPPED],
    }


def log_to_stderr(level: str) -> None:
    """One line per event, time first, on standard error: standard output stays free for data."""
    logging.basicConfig(stream=sys.stderr, level=level.upper(), format="%(asctime)s %(levelname)s %(message)s", force=True)
