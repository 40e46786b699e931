"""`funnelstream check`: what is there and what is missing before a worker can run, each with its mend."""

import json
import logging
import shlex
import socket
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from processors.cli.loading import load
from processors.cli.tables import Format, print_csv
from processors.engine.findings import Finding, missing
from processors.engine.stop import ENVIRONMENT


def check(
    config: Annotated[Path, typer.Option(help="The application's configuration.")],
    instance: Annotated[
        str | None, typer.Option(help="The worker whose permissions are looked at, as `run` is told. Default: host name.")
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print.")] = "table",
) -> None:
    """Look at brokers, certificates, credentials, topics, permissions and definitions; exit code 3 when something is missing."""
    from processors.cli.run import engine_settings, log_to_stderr
    from processors.engine.inspection import Inspection

    loaded = load(config)
    log_to_stderr("error")
    logging.getLogger("librdkafka").setLevel(logging.CRITICAL + 1)  # what matters of it becomes a finding
    topics = loaded.application.topics
    settings = engine_settings(loaded, instance or socket.gethostname())
    findings = []
    for found in Inspection(settings, topics.partitions, topics.replication, loaded.program.definitions).findings():
        finding = naming(config, found)
        findings.append(finding)
        if format == "table":
            _print(finding)
    if format == "json":
        typer.echo(json.dumps([finding._asdict() for finding in findings], indent=2))
    elif format == "csv":
        print_csv(Finding._fields, findings)
    typer.echo(_summary(findings), err=format != "table")
    if missing(findings):
        raise typer.Exit(ENVIRONMENT)


def naming(config: Path, finding: Finding) -> Finding:
    """The finding with the configuration that was given in its commands, so that they can be copied."""
    return finding._replace(mend=finding.mend.replace("--config FILE", f"--config {shlex.quote(str(config))}"))


def _print(finding: Finding) -> None:
    """One line, never wrapped, so that a command in it can be copied; the mend on a line of its own."""
    typer.echo(f"{finding.state:<8} {finding.area:<12} {finding.subject} {finding.says}")
    if finding.mend:
        typer.echo(f"{'':<8} -> {finding.mend}")


def _summary(findings: Sequence[Finding]) -> str:
    counts = Counter(finding.state for finding in findings)
    return ", ".join(
        f"{counts[state]} {state}" for state in ("ok", "warning", "missing", "unknown") if counts[state] or state == "missing"
    )
