"""What can be measured inside a run, one quantity per file.

Tiers are YAML files in ``conf/diagnostics``: they name the quantities, and how often they are
measured. A quantity changes neither parameters nor buffers nor random streams.
"""
