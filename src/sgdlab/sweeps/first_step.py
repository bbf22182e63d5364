"""One whole step before a run leaves any file: what cannot end must not start."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sgdlab.config.instantiate import where
from sgdlab.config.schema import RunConfig
from sgdlab.datasets.rows import tensors
from sgdlab.diagnostics.recorder import DiagnosticError
from sgdlab.errors import InputError, one_line, reason_of
from sgdlab.models.outputs import described, outputs_of
from sgdlab.steps.criterion import StepCriterion
from sgdlab.steps.loss_check import A_SUM, EXAMPLES, deviation
from sgdlab.steps.precision import autocast
from sgdlab.steps.streams import seeded
from sgdlab.sweeps.faults import Tried, advice, advice_on_optimizer, last_batch, pass_on
from sgdlab.sweeps.output_check import look_at_columns
from sgdlab.training.build import Run
from sgdlab.training.evaluation import evaluate
from sgdlab.training.threads import on_threads, threads_for


@dataclass
class FirstStep:
    """Makes the first step and the last of an epoch, and evaluates, with real data.

    Args:
        run: A run that nobody goes on with: its weights change.
    """

    run: Run

    @property
    def _config(self) -> RunConfig:
        return self.run.config

    def stages(self) -> list[Callable[[], list[str] | None]]:
        """Return what is tried in turn; each returns what is probably not meant, or nothing."""
        before = [self._look_at_outputs, self._mean]
        return [*before, self._one_batch, self._last_batch, self._update, self._evaluate]

    def make(self, stage: int) -> list[str]:
        """Try one of the stages.

        Raises:
            InputError: Something fails, or is not what it says; names the part, the shape and
                what would help.
        """
        # Nothing that is drawn is missed by the run, and what is tried is the same each time.
        devices = [self.run.device] if self.run.device.type == "cuda" else []
        with seeded(0, devices), on_threads(threads_for(self.run, self._config.threads)):
            self.run.model.train()
            self.run.objective.loss.train()
            return self.stages()[stage]() or []

    def _look_at_outputs(self) -> list[str]:
        return self._outputs(self._batch(self.run.plan.batch_size, ""))

    def _one_batch(self) -> None:
        self._alone(self._batch(self.run.plan.batch_size, ""))

    def _last_batch(self) -> None:
        smallest = min(self.run.plan.sizes)
        if smallest < self.run.plan.batch_size:
            self._alone(self._batch(smallest, last_batch(self.run, smallest)))

    def _batch(self, size: int, what: str) -> Tried:
        return Tried(self.run.data.train.take(slice(size)), what)

    def _outputs(self, tried: Tried) -> list[str]:
        """Look at what the model returns in evaluation."""
        run, notes = self.run, list[str]()
        run.model.eval()
        with torch.no_grad():
            if not isinstance(run.objective.loss, StepCriterion):
                label = where(self._config, "model")
                notes = look_at_columns(self._returned(tried), tried.batch, run.data, label)
            self._measure(run.model, tried)
        return notes

    def _returned(self, tried: Tried) -> object:
        """Return the outputs of the model alone."""
        run = self.run
        try:
            with autocast(run.device, run.objective.half):
                return outputs_of(run.model, tried.batch.x)
        except BaseException as error:
            pass_on(error)
            what = f"{where(self._config, 'model')}: fails on {tried.name}"
            raise InputError(f"{what}: {reason_of(error)}{advice(error, tried, [])}") from error

    def _mean(self) -> list[str]:
        """Look whether the loss is a mean over examples."""
        run, label = self.run, where(self._config, "loss")
        some = run.data.train.take(slice(EXAMPLES))
        loss = run.objective.loss
        found = None
        if getattr(loss.loss, "mean_over", "examples") == "batch":
            found = "it says that it depends on which examples are together"
        elif run.data.problem is None:
            found = deviation(loss, run.model, some)
        notes = []
        if run.plan.accumulate > 1 and _has_batch_statistics(run.model):
            notes.append(
                f"accumulate={run.plan.accumulate} with batch norm: its statistics are those of "
                f"micro-batches of {run.plan.batch_size}, so the gradient is not exactly that of "
                "the one large batch"
            )
        if found is None:
            return notes
        line = f"{label}: not a mean over examples ({found})"
        if found.endswith(A_SUM):
            raise InputError(f"{line}; divide it by the number of examples, or return [n] values")
        if some.weight is not None:
            raise InputError(f"{line}: weights of examples cannot be applied; return [n] values")
        if run.plan.accumulate > 1 or run.plan.workers > 1:
            raise InputError(
                f"{line}: not with accumulate={run.plan.accumulate}; give it a method "
                "weight_of(target), or reduction=none, or set accumulate=1"
            )
        return [
            *notes,
            f"{line}: its values depend on the batch, in evaluations on eval.batch_size",
        ]

    def _measure(self, model: nn.Module, tried: Tried) -> object:
        """Return outputs; what fails is named as the model's or the loss's."""
        run, config = self.run, self._config
        seen: list[object] = []
        hook = model.register_forward_hook(lambda _, __, output: seen.append(output))
        try:
            with autocast(run.device, run.objective.half):
                value, output = run.objective.loss.measure(model, tried.batch)
        except BaseException as error:
            if isinstance(error, InputError) and seen:
                label, text = where(config, "loss"), one_line(error)
                raise InputError(text if label in text else f"{label}: {text}") from error
            pass_on(error)
            part = where(config, "loss") if seen else where(config, "model")
            what = f"{part}: fails on {tried.name}"
            if seen:
                what = (
                    f"{part}: fails on what {where(config, 'model')} returned, "
                    f"{described(seen[-1])}{tried.of_special}, for targets "
                    f"{described(tried.batch.y)}"
                )
            raise InputError(f"{what}: {reason_of(error)}{advice(error, tried, seen)}") from error
        finally:
            hook.remove()
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise InputError(
                f"{where(config, 'loss')}: has to return one number, the mean over the batch; "
                f"it returned {described(value)}"
            )
        self._value = value
        return output

    def _alone(self, tried: Tried) -> None:
        """Make the forward and the backward pass of a micro-batch."""
        run, config = self.run, self._config
        run.objective.zero_grad()
        self._measure(run.model, tried)
        try:
            self._value.reshape(()).backward()
        except BaseException as error:
            pass_on(error)
            raise InputError(
                f"{where(config, 'model')} and {where(config, 'loss')}: no gradient on "
                f"{tried.name}: {reason_of(error)}"
            ) from error
        named = dict(run.model.named_parameters())
        sparse = [n for n, p in named.items() if p.grad is not None and p.grad.is_sparse]
        if sparse:
            raise InputError(
                f"{where(config, 'model')}: the gradient of {sparse[0]} is sparse; "
                "leave out sparse=True"
            )
        if all(p.grad is None for p in run.objective.parameters):
            raise InputError(
                f"{where(config, 'model')}: the loss depends on none of its trainable parameters"
            )
        run.objective.zero_grad()

    def _update(self) -> None:
        """Make a whole update, as the run does: micro-batches, clipping, optimizer, diagnostics."""
        run, config = self.run, self._config
        most = run.plan.effective_batch_size
        some = run.data.train.take(slice(most // run.plan.world_size))
        update = list(run.changed(some).batches(run.plan.batch_size))
        recorder = run.diagnostics.recorder
        try:
            if recorder is not None:
                recorder.before(0)
            values = run.update.step(0, update, self._first_rate(), None)
            if recorder is not None:
                recorder.after(1, update, values, values.lr)
        except DiagnosticError as error:
            raise InputError(one_line(error)) from error
        except BaseException as error:
            pass_on(error)
            raise InputError(
                f"{where(config, 'optimizer')}: its step fails: {reason_of(error)}"
                f"{advice_on_optimizer(error)}"
            ) from error

    def _first_rate(self) -> float:
        """Return the learning rate of the first step."""
        try:
            return self.run.lr * self.run.schedule(0, *_length(self.run))
        except Exception as error:
            pass_on(error)
            what = f"{where(self._config, 'schedule')}: fails at step 0"
            raise InputError(f"{what}: {reason_of(error)}") from error

    def _evaluate(self) -> None:
        """Evaluate a batch of each size that evaluations have, and the metric on it."""
        run, size = self.run, self._config.eval.batch_size
        some = run.data.val.take(slice(min(size, EXAMPLES)))
        rest = len(run.data.val.y) % size
        loss, half = run.objective.loss, run.objective.half
        for batch in (some, *([run.data.val.take(slice(rest))] if 0 < rest < EXAMPLES else [])):
            try:
                evaluate(run.model, loss, run.metric, batch, size, half)
            except BaseException as error:
                pass_on(error)
                shape = [list(t.shape) for t in tensors(batch.x)]
                raise InputError(
                    f"{where(self._config, 'model')} or {where(self._config, 'metric')}: fails in "
                    f"evaluation on {shape[0]}: "
                    f"{reason_of(error)}"
                ) from error


def _length(run: Run) -> tuple[int, int]:
    return run.total_steps, run.plan.steps_per_epoch


def _has_batch_statistics(model: nn.Module) -> bool:
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules())
