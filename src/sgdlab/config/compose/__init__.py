"""Composing the configs of one run or of many jobs, quickly."""

from sgdlab.config import register as register
