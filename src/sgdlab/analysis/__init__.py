"""Statistics, tables and figures from finished runs: pandas in, pandas out, no torch."""
