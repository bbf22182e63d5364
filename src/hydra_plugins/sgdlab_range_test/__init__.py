"""Hydra's sweeper for ``sgdlab lr-find -m``: range tests side by side, in this process."""

from typing import Any

from hydra_plugins.sgdlab_sweeper import SgdlabSweeper


class RangeTestSweeper(SgdlabSweeper):
    """Makes a range test of every combination of the values given, and compares them."""

    def sweep(self, arguments: list[str]) -> Any:
        """Run the range tests that the command line and ``hydra.sweeper.params`` describe."""
        # Hydra imports every plugin at its start, so what is slow to import waits until here.
        from sgdlab.range_test.run import sweep

        assert self.hydra_context is not None
        assert self.config is not None
        return sweep(self.config, self.hydra_context, self.jobs(arguments))
