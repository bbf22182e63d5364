"""``sgdlab list [GROUP]``: what there is to choose from."""

from sgdlab.errors import InputError, offer
from sgdlab.groups import groups, members

HIDDEN = ("search",)


def main(arguments: list[str]) -> int:
    """Print every member of every group, or of one, with a line each.

    Raises:
        InputError: There is no such group.
    """
    shown = [group for group in groups() if group not in HIDDEN]
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        raise InputError(f"list takes one group: {', '.join(shown)}")
    for group in arguments or shown:
        if group not in groups():
            raise InputError(f"list {group}: no such group; {offer(group, shown)}")
        found = members(group)
        width = max(map(len, found), default=0)
        print(group)
        for name, line in found.items():
            print(f"  {name:<{width}}  {line}")
    return 0
