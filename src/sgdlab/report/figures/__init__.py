"""Figures as SVG: median and band over seeds, learning rates, seeds side by side."""
