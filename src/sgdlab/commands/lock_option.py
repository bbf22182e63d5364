"""The flag of the commands that write into a folder in which others may write, too."""

from sgdlab.config.parser import Parser
from sgdlab.results.lock import REFUSE, WAIT


def add_lock(parser: Parser, held: str) -> None:
    """Add ``--lock``, which says what to do where another process holds a folder.

    Args:
        parser: The parser of the command.
        held: The folder, for the help.
    """
    parser.add_argument(
        "--lock",
        choices=(REFUSE, WAIT),
        default=REFUSE,
        help=f"while another process writes into the {held}: refuse, or wait for it "
        "(default: refuse)",
    )
