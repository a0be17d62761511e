"""Codecs whose code is the latent of a network over time, channel by channel."""
