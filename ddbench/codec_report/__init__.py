"""The report on codecs alone: what storing and reading back loses, and what it costs, without any method."""
