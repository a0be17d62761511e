"""Distilled sets in forms that others read, and as a torch dataset. Imports torch where something is decoded."""
