"""`funnelstream insights`: pages, API and business metrics, for people and Prometheus."""

import logging
import secrets
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processors.cli.loading import Loaded, load
from processors.cli.projections import exchange_of
from processors.cli.run import engine_settings, log_to_stderr
from processors.engine.standalone import Standalone
from processors.engine.stop import ENVIRONMENT, Stop
from processors.metrics.outlines import outlines_of
from processors.shown.masking import mask_of
from schemas.application import Insights

if TYPE_CHECKING:
    from processors.insights.settings import InsightsSettings


def insights(config: Annotated[Path, typer.Option(help="The application's configuration.")]) -> None:
    """Serve what the workers publish: pages, a JSON API and /metrics; until SIGTERM."""
    loaded = load(config)
    level = loaded.application.log.level
    log_to_stderr(level)
    if level != "debug":  # what they say of their own doings; what goes wrong is said by insights
        for name, least in (("faust", "ERROR"), ("mode", "ERROR"), ("aiokafka", "CRITICAL")):
            logging.getLogger(name).setLevel(least)
    try:
        from processors.insights.process import run_process
    except ModuleNotFoundError as missing:
        raise Stop(
            ENVIRONMENT, f"insights needs {missing.name}, which is not installed: pip install 'funnelstream[insights]'"
        ) from missing
    raise typer.Exit(run_process(insights_settings(loaded), lambda beat: _contact(loaded, beat)))


def insights_settings(loaded: Loaded) -> "InsightsSettings":
    """What insights is told of the configuration."""
    from processors.insights.settings import InsightsSettings

    application = loaded.application
    told = application.insights or Insights()
    key = application.identity.hash_key
    return InsightsSettings(
        application=application.application,
        kafka=application.kafka,
        topics=application.own_topics,
        listen=told.listen,
        token=told.token.get_secret_value() if told.token is not None else None,
        mask=mask_of(application, show=told.show_personal),
        handle_key=secrets.token_bytes(32) if key is None else key.get_secret_value().encode(),
        outlines=outlines_of(loaded.funnels, application),
        funnels=loaded.funnels,
        exchange=exchange_of(loaded),
        named=loaded.program.identifiers.named,
    )


def _contact(loaded: Loaded, beat: Callable[[], None]) -> None:
    """Reach the brokers and the topics that are read; `Stop` says why not."""
    settings = engine_settings(loaded, "insights")
    topics = settings.topics
    with closing(Standalone(settings, beat)) as reader:
        reader.places((topics.metrics, topics.transitions, topics.leads))
