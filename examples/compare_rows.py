"""Compare two rows seed by seed: the same first items, the same students: `python compare_rows.py`."""

import ddbench
from ddbench.stats import matched, paired_difference

suite = {
    "ddbench": 1,
    "name": "pixels_or_codes",
    "protocol": {
        "name": "short",
        "students": 2,
        "epochs": 10,
        "columns": "equal_epochs",
        "networks": {"auto": {"width": 8}},
    },
    "grid": {
        "datasets": "digits",
        "codecs": ["identity", {"downsample": {"factor": 2}}],
        "methods": "random",
        "budgets": {"ipc": 1},
        "seeds": [0, 1, 2],
    },
}
results = ddbench.run(suite, out="runs/pixels_or_codes", engine="inline", progress=False)

column, networks = "equal_epochs", ("auto",)
a = results.row(codec="downsample").by_seed(column, networks)
b = results.row(codec="identity").by_seed(column, networks)
found = paired_difference({"digits at 1 ipc": matched(a, b)})
width = "" if found.half_width is None else f" ± {100 * found.half_width:.1f}"
print(f"downsample − identity: {100 * found.mean:.1f}{width} points over {found.n_pairs} seeds")
print(f"p = {found.p_value:.3f}; so few seeds could not have given less than {found.least_p:.3f}")
