"""``sgdlab unpack STUDY``: packed runs in folders again, byte for byte."""

from sgdlab.commands.pack import moved, parser
from sgdlab.results.pack import unpack
from sgdlab.visible import visible


def main(argv: list[str]) -> int:
    """Unpack all runs and say how many.

    Returns:
        0.

    Raises:
        InputError: There is no study, nothing is packed in it, or a part is damaged.
    """
    typed = parser(
        "unpack", "Give the packed runs of a study their folders back, each file as it was."
    )
    study, unpacked = moved(typed, argv, unpack)
    print(f"{visible(str(study))}: {unpacked.runs:,} runs of {unpacked.after:,} bytes unpacked")
    return 0
