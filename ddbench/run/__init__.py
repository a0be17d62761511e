"""Running cells: the run folder, one cell from data to result, and the worker that goes through a folder."""
