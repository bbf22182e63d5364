"""Parameter groups and the optimizers that torch.optim lacks."""
