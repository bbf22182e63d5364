"""The trials of a search in an SQLite file, as Optuna and ``optuna-dashboard`` read it."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from sqlalchemy.exc import SQLAlchemyError

from sgdlab.errors import InputError, UnwritableError, one_line
from sgdlab.search.space import Value


class Record:
    """One study in a file that may hold others.

    Args:
        path: The file, made by `open`.
        study: Name of the study.
        fixed: Settings that all trials share: attributes of the study.
    """

    def __init__(self, path: Path, study: str, fixed: Mapping[str, Value]) -> None:
        self._path = path
        self._study = study
        self._fixed = fixed
        self._known = False

    def open(self) -> None:
        """Make the file and the study where they are missing.

        Raises:
            InputError: The file cannot be written, or is no storage of this Optuna.
        """
        self.write([], complete=False)

    def write(self, trials: Sequence[FrozenTrial], complete: bool) -> None:
        """Bring the study to at least these trials; what it holds of them is left as it is.

        A study that holds other trials is replaced.

        Args:
            trials: All of the search so far, in order, finished.
            complete: The search is at its end, and further trials are no part of it.

        Raises:
            InputError: The file cannot be written, or is no storage of this Optuna.
        """
        with self._opened() as storage:
            study = self._study_in(storage)
            held = [_content(trial) for trial in study.get_trials(deepcopy=False)]
            told = [_content(trial) for trial in trials]
            common = min(len(held), len(told))
            if held[:common] != told[:common] or (complete and len(held) > len(told)):
                optuna.delete_study(study_name=self._study, storage=storage)
                study, common = self._study_in(storage), 0
            for trial in trials[common:]:
                study.add_trial(trial)

    def _study_in(self, storage: RDBStorage) -> optuna.Study:
        study = optuna.create_study(storage=storage, study_name=self._study, load_if_exists=True)
        for key, value in self._fixed.items():
            if study.user_attrs.get(key, ...) != value:
                study.set_user_attr(key, value)
        return study

    @contextmanager
    def _opened(self) -> Iterator[RDBStorage]:
        storage = None
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            known = self._known and self._path.exists()
            # A connection rather than a URL, in which some characters of a path mean other things.
            storage = RDBStorage(
                "sqlite://",
                engine_kwargs={"creator": lambda: sqlite3.connect(self._path, timeout=60)},
                skip_compatibility_check=known,
                skip_table_creation=known,
            )
            self._known = True
            yield storage
        except OSError as error:
            raise UnwritableError(error.errno, error.strerror, str(self._path)) from error
        except (RuntimeError, optuna.exceptions.OptunaError, SQLAlchemyError) as error:
            refusal = _root(error)
            if isinstance(refusal, sqlite3.OperationalError) and not self._path.is_dir():
                raise UnwritableError(None, one_line(refusal), str(self._path)) from error
            raise InputError(
                f"{self._path}: cannot hold the trials of search.method=tpe: {one_line(refusal)}; "
                "a damaged file may be removed, it is written again"
            ) from error
        finally:
            if storage is not None:
                storage.remove_session()
                storage.engine.dispose()


def _root(error: BaseException) -> BaseException:
    """Return the error of SQLite, without the statements that its wrappers add."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _content(trial: FrozenTrial) -> tuple[object, ...]:
    return trial.state, trial.value, trial.params, trial.distributions
