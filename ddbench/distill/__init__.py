"""Distillation: the match space, the task that a method is given, the loop that moves the codes."""
