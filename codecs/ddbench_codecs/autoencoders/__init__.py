"""Pretrained autoencoders of diffusers as codecs: one codec class, an adapter for each class of models, presets."""
