"""A user's part that ends the process: its run fails, and the others go on."""

import os
from types import TracebackType
from typing import Any, NoReturn

_exit, _abort = os._exit, os.abort
_within: list[int] = []


class EndedProcessError(BaseException):
    """A part has called what ends the process; not even ``except Exception`` of its own hides it.

    It is raised instead.
    """


def _instead_of_exit(status: int) -> NoReturn:
    if os.getpid() not in _within:  # a process that was forked ends as it is used to
        _exit(status)
    raise EndedProcessError(f"called os._exit({status}), which would end the process")


def _instead_of_abort() -> NoReturn:
    if os.getpid() not in _within:
        _abort()
    raise EndedProcessError("called os.abort(), which would end the process")


class Exits:
    """Within it, functions that end the process raise `EndedProcessError` instead."""

    def __enter__(self) -> None:
        _within.append(os.getpid())
        functions: Any = os
        functions._exit, functions.abort = _instead_of_exit, _instead_of_abort

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        _within.pop()
        if not _within:
            functions: Any = os
            functions._exit, functions.abort = _exit, _abort
