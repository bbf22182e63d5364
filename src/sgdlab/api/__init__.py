"""sgdlab from Python: the commands as functions, and their results as tables and figures."""
