"""Several steps of small stacks in one call of compiled code."""
