"""Any model stacked: its own forward pass under `torch.func`, for every run at once."""
