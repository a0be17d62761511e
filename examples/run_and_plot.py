"""Run a suite, look at it with pandas, and draw accuracy against bytes: `python run_and_plot.py`.

The suite takes seconds and its figures mean nothing; put your own in its place.
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import ddbench

results = ddbench.run("smoke", out="runs/smoke", engine="inline")  # again: what is finished is not run again
print(results.table())

frame = results.to_pandas()  # a line a student
means = frame.groupby(["codec", "method"], as_index=False)[["accuracy", "used_bytes", "items"]].mean()
print(means.sort_values("accuracy", ascending=False).to_string(index=False))

fig, ax = plt.subplots(layout="constrained")
for codec, rows in means.groupby("codec"):
    ax.scatter(rows.used_bytes, 100 * rows.accuracy, label=codec)
ax.set(xscale="log", xlabel="bytes of the set", ylabel="accuracy in %")
ax.legend()
fig.savefig("accuracy_against_bytes.png")
print("drawn:", Path("accuracy_against_bytes.png"))
