"""Learning-rate range test: the loss while the rate rises from update to update, and what to take.

Smith (2017), "Cyclical Learning Rates for Training Neural Networks", section 3.3.
"""
