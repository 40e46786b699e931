"""`funnelstream`: the commands, and the exit codes that scripts rely on.

0 ok; 1 the input or the definitions are at fault; 2 usage; 3 the environment is; 4 our own fault (a bug); 5 fenced or
gave up: restart me.
"""

import sys
import traceback
from importlib.metadata import version
from typing import Annotated

import typer

from processors.cli.cases import cases
from processors.cli.check import check
from processors.cli.config import config
from processors.cli.demo import demo
from processors.cli.dlq import dlq
from processors.cli.docs import docs
from processors.cli.explain import explain
from processors.cli.graph import graph
from processors.cli.insights import insights
from processors.cli.lint import lint
from processors.cli.replay import replay
from processors.cli.report import report
from processors.cli.reset import reset
from processors.cli.run import run
from processors.cli.schema import schema
from processors.cli.tap import tap
from processors.cli.topics import topics
from processors.engine.stop import BUG, Stop

INTERRUPTED = 130


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"funnelstream {version('funnelstream')}")
        raise typer.Exit


app = typer.Typer(
    name="funnelstream",
    help="Tracking events and CRM changes in, conversions and stage transitions out, exactly once.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Tracking events and CRM changes in, conversions and stage transitions out, exactly once."""


app.command()(run)
app.command()(replay)
app.command()(report)
app.command()(insights)
app.command()(check)
app.command()(demo)
app.command()(lint)
app.command("test")(cases)
app.command()(docs)
app.command()(explain)
app.command()(graph)
app.command()(schema)
app.command()(tap)
app.add_typer(dlq, name="dlq")
app.add_typer(config, name="config")
app.add_typer(topics, name="topics")
app.add_typer(reset, name="reset")


def main() -> None:
    """Entry point of the console script: runs the command and exits with its code."""
    sys.exit(run_command())


def run_command() -> int:
    """Run the command that `sys.argv` names; returns its exit code."""
    try:
        app(standalone_mode=True)
    except SystemExit as leaving:  # usage errors and typer.Exit
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except Stop as stop:
        print(f"funnelstream: {stop.sentence}", file=sys.stderr)
        return stop.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:  # the last line of defence: whatever was not foreseen is ours, and says so
        traceback.print_exc()
        print("funnelstream: this is a bug in funnelstream; please report it with the lines above.", file=sys.stderr)
        return BUG
    return 0


if __name__ == "__main__":
    main()
