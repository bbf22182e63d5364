"""Configs: composing, resolving, naming and explaining them; the only room that knows OmegaConf."""
