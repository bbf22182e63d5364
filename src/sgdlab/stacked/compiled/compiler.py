"""Compiled steps for the stacks of a group, where a compiler is at hand."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait

import torch
from torch import Tensor

from sgdlab import signals
from sgdlab.stacked.compiled.graph import Form, Graph, Steps, compiled
from sgdlab.stacked.compiled.plan import Plan, plan
from sgdlab.stacked.group import Group
from sgdlab.stacked.update import advance_with
from sgdlab.terminal.notices import warn


class Compiler:
    """Makes the graphs of a group's stacks in the background, each once.

    All stacks have the same number of rows and share the graphs. The first call of each is made
    uncompiled, too. Where no compiler is installed, or it fails, or gives another result, a line
    says so and the same steps run uncompiled.

    Args:
        group: What the runs have in common.
        plan: How compiled code trains them.
    """

    def __init__(self, group: Group, plan: Plan) -> None:
        self._group, self.plan = group, plan
        self.works = True
        self._lock = threading.Lock()
        self._graphs: dict[Form, Future[Graph]] = {}
        self._unproven: dict[Form, Steps] = {}
        self._threads: list[threading.Thread] = []

    def prepare(self, form: Form, flat: Sequence[Tensor]) -> None:
        """Begin to compile the graph of a form, unless that has been begun.

        Args:
            form: The form.
            flat: Arguments of the graph, for their shapes.
        """
        with self._lock:
            if form in self._graphs:
                return
            self._graphs[form] = made = Future[Graph]()
            self._threads.append(threading.Thread(target=self._make, args=(made, form, flat)))
            self._threads[-1].start()

    def close(self) -> None:
        """Wait for what is being compiled, which nothing can break off."""
        for thread in self._threads:
            thread.join()

    def _make(self, made: Future[Graph], form: Form, flat: Sequence[Tensor]) -> None:
        group = self._group
        try:
            model = group.stacked.fresh()
            model.load([group.model.state_dict()] * self.plan.width, flat[0].device)
            advance = advance_with(model, group.loss, group.rule, list(form.class_of))
            self._unproven[form] = steps = Steps(form, model, advance)
            with group.lock:
                made.set_result(compiled(steps, flat))
        except BaseException as error:  # whoever waits has to hear of it
            made.set_exception(error)

    @torch.no_grad()
    def steps(self, form: Form, flat: Sequence[Tensor]) -> Sequence[Tensor] | None:
        """Return what the graph of a form gives, once it is there.

        Args:
            form: A form that `prepare` knows.
            flat: The arguments.

        Returns:
            None: the compiler fails, or the process is told to stop while it is waited for.
        """
        made = self._graphs.get(form)
        if made is None or not self.works:
            return None
        while not made.done():
            if signals.asked():
                return None
            wait([made], timeout=0.2)
        try:
            steps = self._unproven.pop(form, None)
            # Running statistics are updated in place.
            before = [] if steps is None else [tensor.clone() for tensor in flat]
            found = made.result()(*flat)
            if steps is not None:
                _compare(found, steps(*before))
            return found
        except Exception as error:
            with self._lock:
                told, self.works = not self.works, False
            if not told:
                line = next(iter(str(error).strip().splitlines()), type(error).__name__)
                warn(f"stacked.compile: {type(error).__name__}: {line}; going on uncompiled")
            return None


def _compare(found: Sequence[Tensor], expected: Sequence[Tensor]) -> None:
    """Compare what compiled and uncompiled steps give, where both are finite.

    Raises:
        ArithmeticError: They differ by more than rounding, and what it grows to in some steps.
    """
    for ours, theirs in zip(found, expected, strict=True):
        both = ours.isfinite() & theirs.isfinite()
        a, b = ours[both].double(), theirs[both].double()
        within = 1e-6 if theirs.dtype == torch.float64 else 1e-2
        if a.numel() and (a - b).norm() > within * (b.norm() + 1e-6):
            raise ArithmeticError("its steps are not those of uncompiled code")


@contextlib.contextmanager
def compilers_of(groups: Sequence[Group]) -> Iterator[list[Compiler | None]]:
    """Give each group the compiler of its stacks, None where they are not compiled."""
    plans = [plan(group) for group in groups]
    made = [how and Compiler(group, how) for group, how in zip(groups, plans, strict=True)]
    try:
        yield made
    finally:
        for compiler in made:
            if compiler is not None:
                compiler.close()
