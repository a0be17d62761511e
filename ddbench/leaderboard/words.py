"""What a leaderboard says of itself, the same in its README and on its site. torch-free."""

from __future__ import annotations

HOW_TO_READ = (
    "Bytes come first: all rows of a budget may store the same bytes, measured on the file. A codec that stores items "
    "in fewer of them holds more.",
    "Two training columns: equal steps gives every row the updates that float32 pixels get, equal epochs the same "
    "passes over the set. A gain in one column only is a gain of training time.",
    "An interval is over distillation seeds (95 %, Student's t); one seed has none. Rows with one number under “ties” "
    "are not told apart from the best of them by paired differences over seeds; a row may be, and stand below others, "
    "where its seeds spread widely.",
    "Look at the rows of “random” first: through a row's own codec it says what learning adds, as JPEG what a good "
    "codec alone is worth.",
    "Accuracies are on test data that no choice was made on, by students at their last update. Figures on the "
    "validation split, and rows whose decoder rests on the dataset and costs nothing, have tables of their own.",
    "self-reported: the figures are the submitter's. verified: the maintainers trained fresh students on the stored "
    "set, and they agree.",
)
CHECK = (
    (
        "Before a pull request with results (docs/submit.md of ddbench describes the way): whether they are whole, of "
        "the schema, and agree with the bytes of their sets.",
        "ddbench validate RESULT_FOLDER",
    ),
    ("Whether the claims hold, with other students trained on the stored sets.", "ddbench verify RESULT_FOLDER"),
    ("A row again, from the suite file that its page links.", "ddbench run ROW.yaml"),
    (
        "Tables like these of your own results.",
        "ddbench run my_suite.yaml && ddbench leaderboard build runs/my_suite --out board",
    ),
)
CAPTIONS = ("Ranked tables", "Not ranked: validation split, decoders that cost nothing, withdrawn rows")
