"""The command `ddbench`: its group, and what becomes of errors. Imports nothing heavy, so that help is instant."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

from ddbench.cli.lazy import BROKEN_PIPE, Entry, LazyGroup
from ddbench.errors import DdbenchError, printable
from ddbench.version import __version__

INTERRUPTED = 130
INTERNAL = 70
WRONG_USE = 2

COMMANDS = {
    "run": Entry("ddbench.cli.run:run", "Run the cells of a suite; run again to resume."),
    "plan": Entry("ddbench.cli.plan:plan", "Show what a suite would run: cells, items, bytes."),
    "prepare": Entry("ddbench.cli.prepare:prepare", "Make beforehand what cells share: data, fits, experts."),
    "status": Entry("ddbench.cli.status:status", "Show how far a run folder is."),
    "table": Entry("ddbench.cli.table:table", "Print the results of a folder as tables."),
    "compare": Entry("ddbench.cli.compare:compare", "Say how far one set of rows is above another, paired."),
    "leaderboard": Entry("ddbench.cli.leaderboard:leaderboard", "Build tables and a site from results."),
    "validate": Entry("ddbench.cli.validate:validate", "Check suites, recipes, results, run folders, distilled sets."),
    "evaluate": Entry("ddbench.cli.evaluate:evaluate", "Score any distilled set, made here or elsewhere."),
    "export": Entry("ddbench.cli.export:export", "Write a set as images, Parquet or safetensors, with a card."),
    "publish": Entry("ddbench.cli.publish:publish", "Send results and sets to a dataset repository or a folder."),
    "verify": Entry("ddbench.cli.verify:verify", "Re-evaluate published sets: does the claim hold?"),
    "list": Entry("ddbench.cli.list:list_plugins", "List what is installed: codecs, methods, suites, recipes, …"),
    "info": Entry("ddbench.cli.info:info", "Describe one plug-in and its arguments, or the rules of a recipe."),
    "codec": Entry("ddbench.cli.codec:codec", "Train a codec, or measure what codecs alone lose and cost."),
    "doctor": Entry("ddbench.cli.doctor:doctor", "Check this machine: packages, devices, plug-ins, data."),
}

EPILOG = """\b
Exit codes:
  0    all is well
  1    some cells failed; the rest have results
  2    asked wrongly: a name, an argument, a suite file
  3    data, files or the machine are not as they should be; mend that, then run the same command again
  70   a bug in ddbench
  130  interrupted; run the same command again to resume

\b
Example:
  ddbench run quickstart
"""


@click.group(
    cls=LazyGroup,
    entries=COMMANDS,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="ddbench")
@click.option("--traceback", is_flag=True, help="Show where an error came from.")
def cli(traceback: bool) -> None:
    """The open benchmark for dataset distillation: every codec with every method, at equal measured bytes."""


def execute(arguments: Sequence[str]) -> int:
    """Runs a command line and returns its exit code; errors become a line on standard error."""
    show = "--traceback" in arguments
    # The flag may stand anywhere, since it is added to a command line that has just failed.
    words = ["--traceback", *(a for a in arguments if a != "--traceback")] if show else list(arguments)
    interrupted = _note_interrupts()
    try:
        code = cli.main(words, prog_name="ddbench", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return WRONG_USE
    except click.ClickException as error:
        error.show()
        return WRONG_USE
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        return BROKEN_PIPE
    except DdbenchError as error:
        if show:
            raise
        click.echo(f"error: {printable(str(error))}", err=True)
        return error.exit_code
    except Exception as error:
        if interrupted:
            click.echo("Interrupted.", err=True)
            return INTERRUPTED
        if show:
            raise
        text = printable(" ".join(str(error).split()))
        click.echo(
            f"internal error: {type(error).__name__}: {text} "
            "(this is a bug in ddbench; run the command again with --traceback and report what it says)",
            err=True,
        )
        return INTERNAL


def _note_interrupts() -> list[int]:
    """A list that holds something once Ctrl-C was pressed: pressed amid an import it may surface as any error."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> NoReturn:
        seen.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, note)
    return seen


def _restart_to_train() -> None:
    """This process anew, where it lacks the environment that workers train in: for commands that work themselves."""
    from ddbench.engines.allocator import environment_to_train_in

    environment = environment_to_train_in()
    if environment is not None and sys.platform == "linux":
        os.execve(sys.executable, [sys.executable, "-m", "ddbench.cli.main", *sys.argv[1:]], environment)


def main() -> NoReturn:
    """The entry point of the console script."""
    if sys.argv[1:2] == ["prepare"] or sys.argv[1:3] == ["codec", "train"]:
        _restart_to_train()
    code = execute(sys.argv[1:])
    if code == BROKEN_PIPE:
        # Whatever is still buffered has no reader; the interpreter would complain while it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


if __name__ == "__main__":
    main()
