"""The published loops' shape, written for comparison: class after class, step after step, PyTorch's layers."""
