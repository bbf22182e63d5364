"""Composing the configs of one run or of many jobs, quickly."""
