"""Hydra's sweeper for ``sgdlab lr-find -m``: range tests side by side, in this process."""

from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from hydra_plugins.sgdlab_sweeper import SgdlabSweeper


class RangeTestSweeper(SgdlabSweeper):
    """Makes a range test of every combination of the values given, and compares them."""

    def sweep(self, arguments: list[str]) -> Any:
        """Run the range tests that the command line and ``hydra.sweeper.params`` describe."""
        # Hydra imports every plugin at its start, so what is slow to import waits until here.
        from sgdlab.commands.range_tests import sweep

        assert self.hydra_context is not None
        assert self.config is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*self._parse_config(), *arguments])
        (jobs,) = self.split_arguments(overrides, max_batch_size=None)
        return sweep(self.config, self.hydra_context, jobs)
