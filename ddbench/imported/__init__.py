"""Sets that were made elsewhere: read, checked, and turned into distilled sets that hold what was given."""
