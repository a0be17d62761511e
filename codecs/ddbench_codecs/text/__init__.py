"""Codecs of texts: compressed bytes, and the codes of a frozen sentence encoder."""
