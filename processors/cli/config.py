"""`funnelstream config show`: the configuration as it was understood, what librdkafka is told, and which definitions run."""

import json
import socket
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from ruamel.yaml import YAML

from processors.cli.loading import Loaded, load
from processors.configuration.shown import shown, shown_settings

config = typer.Typer(help="The configuration of an application.", no_args_is_help=True)


@config.callback()
def _group() -> None:
    """The configuration of an application."""


@config.command()
def show(
    config: Annotated[Path, typer.Option(help="The application's configuration.")],
    instance: Annotated[str | None, typer.Option(help="The worker whose clients are shown. Default: host name.")] = None,
    format: Annotated[Literal["yaml", "json"], typer.Option(help="How to print.")] = "yaml",
) -> None:
    """Print the configuration with defaults filled in and references replaced; instead of a secret, where it comes from."""
    told = _told(load(config), instance or socket.gethostname())
    if format == "json":
        print(json.dumps(told, indent=2))
        return
    yaml = YAML()
    yaml.width = 4096  # a value stays on its line
    yaml.dump(told, sys.stdout)


def _told(loaded: Loaded, instance: str) -> dict[str, Any]:
    from processors.cli.run import engine_settings
    from processors.engine.settings import Clients

    configuration = shown(loaded.application)
    clients = Clients(engine_settings(loaded, instance))
    kinds = {
        "consumer": clients.consumer(loaded.program.definitions.digest),
        "producer": clients.producer(),
        "restoring reader": clients.reader(),
        "admin": clients.admin(),
    }
    return {
        "configuration": configuration,
        "topics": loaded.application.own_topics._asdict(),
        "clients": {kind: shown_settings(settings, configuration["kafka"]) for kind, settings in kinds.items()},
        "definitions": {
            "digest": loaded.program.definitions.digest,
            "funnels": [
                {
                    "funnel": funnel.funnel,
                    "version": funnel.version,
                    "subject": funnel.subject,
                    "stages": [stage.name for stage in funnel.stages],
                    "conversions": [conversion.name for conversion in funnel.all_conversions],
                    "digest": funnel.digest,
                    "state": loaded.program.definitions.versions[f"{funnel.funnel}/{funnel.version}"],
                }
                for funnel in loaded.funnels
            ],
        },
    }
