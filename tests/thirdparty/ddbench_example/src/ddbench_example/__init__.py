"""A plug-in package for ddbench that knows nothing of the built-in codecs and methods."""
