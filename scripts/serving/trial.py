"""Load an installed pipeline offline and annotate a few texts; run by `package`, on its own.

Knows nothing of this project: it stands for a user's program.
"""

import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

import spacy  # noqa: E402 (after the variable that keeps it offline)

TEXTS = [
    "Née à Varsovie, Marie Curie rejoint la Sorbonne en 1891 : une vie magnifique.",
    "Paul Newman plays a lawyer in Boston; a dull, lifeless film.",
    "",
    "😀 👩‍🚀",
    "mot " * 700,
]


def main(package: str) -> None:
    nlp = spacy.load(package)
    answers = []
    for doc in nlp.pipe(TEXTS):
        found = {label: round(value, 3) for label, value in doc.cats.items()} or [
            (entity.text, entity.label_) for entity in doc.ents
        ]
        answers.append({"text": doc.text, "found": found})
    print(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1])
