"""Which optimizer, with which settings, for this model and data, and how sure can I be?"""
