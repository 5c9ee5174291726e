# %% [markdown]
# # 2. Affiner un encodeur : la polarité
#
# Un encodeur préentraîné sait du français ; il ne sait rien de votre tâche. L'*affiner* (*fine-tuning*), c'est lui ajouter une tête et entraîner le tout sur des exemples annotés. Ce carnet le fait pas à pas sur des phrases anglaises façon SST-2, puis vous propose de recommencer en français, sur des critiques façon FLUE : la solution est à la fin.
#
# ## Réglages
#
# Sans *hub* : l'encodeur de la démonstration et les échantillons de `assets/sample`. Avec `HUB = True` : `distilbert-base-multilingual-cased` sur le vrai SST-2, puis `camembert-base` sur FLUE, dont l'archive est téléchargée dans `CORPORA` si elle n'y est pas ; c'est bien plus long : réduisez les nombres si vous n'avez pas de carte graphique.

# %% reduced={"SENTENCES": 24, "UPDATES": 6, "EVALUATE_EVERY": 3, "REVIEWS": 40, "REVIEW_UPDATES": 2} tags=["parameters"]
HUB = False
ENCODER = "assets/encoders/e5-small-fr-en"
CORPORA = "assets"
# Exemples d'entraînement au plus, mises à jour, et l'intervalle entre deux évaluations.
SENTENCES = 2000
UPDATES = 60
EVALUATE_EVERY = 10
# Les mêmes pour l'exercice.
REVIEWS = 2000
REVIEW_UPDATES = 120
WORK = "training/course/2-affiner"

# %%
import course

if HUB:
    ENCODER = "distilbert-base-multilingual-cased"

# %% [markdown]
# ## Le corpus, avant tout
#
# SST-2 : des phrases et des bouts de phrases de critiques de cinéma, `positive` (1) ou `negative` (0). `load_dataset` lit un nom du *hub* ou des fichiers ; ici, un TSV sans guillemets (`QUOTE_NONE`, sans quoi un guillemet isolé avale des lignes).
#
# > **Depuis 2022.** Les jeux de données qui étaient des programmes (`load_dataset("flue", "CLS")`, `"glue"` à ses débuts) sont refusés depuis `datasets` 4 : on ne lit plus que des données. Les noms portent celui de leur propriétaire : `nyu-mll/glue`.

# %%
import csv

import datasets

if HUB:
    sst2 = datasets.load_dataset("nyu-mll/glue", "sst2")
else:
    files = {"train": "train.tsv", "validation": "dev.tsv"}
    sst2 = datasets.load_dataset(
        "csv",
        data_files={name: f"assets/sample/sst2-en/{file}" for name, file in files.items()},
        delimiter="\t",
        quoting=csv.QUOTE_NONE,
    ).cast_column("label", datasets.ClassLabel(names=["negative", "positive"]))
train = sst2["train"].shuffle(seed=0)
train = train.select(range(min(SENTENCES, len(train))))
dev = sst2["validation"]
train, dev

# %% [markdown]
# Regardez toujours les exemples, les étiquettes et les longueurs avant d'entraîner quoi que ce soit. Ici : des phrases déjà découpées (`there 's`), une espace à la fin de chacune, des fragments d'un seul mot. Et sachez sur quoi vous noterez : le vrai SST-2 ne publie pas les étiquettes de son jeu de test (elles valent −1), si bien que tout le monde note sur `validation`.

# %%
import pandas

LABELS = train.features["label"].names
pandas.set_option("display.max_colwidth", 90)
frame = train.to_pandas()
frame["label"] = frame["label"].map(LABELS.__getitem__)
frame[["sentence", "label"]].head(8)

# %%
frame["mots"] = frame["sentence"].str.split().str.len()
frame.groupby("label")["mots"].describe()[["count", "min", "50%", "max"]]

# %% [markdown]
# ## Des morceaux, puis des lots
#
# Le tokeniseur transforme chaque phrase en numéros ; `truncation=True` coupe ce que l'encodeur ne peut lire. On ne complète pas encore : la longueur commune ne regarde que le lot.

# %%
from transformers import AutoModelForSequenceClassification, DataCollatorWithPadding, set_seed

from scripts.encoders.checkpoint import open_checkpoint, open_tokenizer

tokenizer = open_tokenizer(ENCODER)
encoded = {
    name: rows.map(lambda batch: tokenizer(batch["sentence"], truncation=True), batched=True)
    for name, rows in {"train": train, "dev": dev}.items()
}
print(encoded["train"].column_names)
print(tokenizer.convert_ids_to_tokens(encoded["train"][0]["input_ids"]))

# %% [markdown]
# `DataCollatorWithPadding` assemble un lot : il complète chaque phrase jusqu'à la plus longue *du lot*, et non jusqu'aux 512 morceaux que le modèle accepte.

# %%
collator = DataCollatorWithPadding(tokenizer)
columns = [name for name in encoded["train"].column_names if name not in ("sentence", "idx")]
rows = [{name: row[name] for name in columns} for row in encoded["train"].select(range(8))]
batch = collator(rows)
for name, tensor in batch.items():
    print(name, tuple(tensor.shape))
used = batch["attention_mask"].float()
print(
    f"{used.mean():.0%} du lot est du texte ; complété à 512, ce serait {used.sum() / 8 / 512:.0%}"
)

# %% [markdown]
# ## Une tête qui n'a rien appris
#
# `AutoModelForSequenceClassification` pose sur l'encodeur une couche linéaire à deux sorties. Ses poids n'existent pas encore : `allow_new_head` dit que c'est voulu, et `set_seed` que le tirage sera le même demain. L'encodeur, lui, arrive avec les siens.

# %%
set_seed(0)
names = {"id2label": dict(enumerate(LABELS)), "label2id": {x: i for i, x in enumerate(LABELS)}}
_, model = open_checkpoint(
    ENCODER, AutoModelForSequenceClassification, allow_new_head=True, num_labels=2, **names
)
head = {name: p.numel() for name, p in model.named_parameters() if "classifier" in name}
print(head, "sur", f"{model.num_parameters():,}", "paramètres")

# %% [markdown]
# Elle rend déjà quelque chose. Deux nombres par phrase, les *logits*, à peu près les mêmes pour toutes : un tirage à pile ou face qui retombe toujours du même côté.

# %%
import torch

with torch.no_grad():
    logits = model(**batch).logits
logits

# %% [markdown]
# ### Logits et softmax
#
# Les logits sont des nombres quelconques. `softmax` en fait des probabilités, positives et de somme 1 ; il ne regarde que leurs *différences* : ajoutez 100 à toutes, rien ne change. L'ordre est gardé, et pour dire la classe `argmax` des logits suffit.

# %%
probabilities = logits.softmax(-1)
print(probabilities.sum(-1))
print(torch.allclose(probabilities, (logits + 100).softmax(-1)))
print(torch.equal(logits.argmax(-1), probabilities.argmax(-1)))

# %% [markdown]
# La perte, `cross_entropy`, veut les *logits* : elle applique `softmax` elle-même. Lui donner des probabilités ne lève aucune erreur, et aplatit tout : même une réponse parfaite y garde une perte de 0,31. C'est une faute courante, et muette.

# %%
from torch.nn.functional import cross_entropy

sure, right = torch.tensor([[0.0, 20.0]]), torch.tensor([1])
print(f"logits : {cross_entropy(sure, right):.4f}")
print(f"probabilités, par erreur : {cross_entropy(sure.softmax(-1), right):.4f}")
print(f"la tête neuve : {cross_entropy(logits, batch['labels']):.4f} (au hasard, ln 2 = 0,6931)")

# %% [markdown]
# ### Mode entraînement, mode évaluation
#
# Le même texte, deux fois. En mode entraînement, le *dropout* éteint des nombres au hasard à chaque passage, pour que le modèle ne compte sur aucun en particulier : les deux réponses diffèrent. `model.eval()` l'arrête. Oublier `eval()` avant de prédire ne lève pas d'erreur non plus ; les scores sont seulement moins bons, et jamais deux fois les mêmes.

# %%
text = tokenizer("a sharp little fable with teeth", return_tensors="pt")
with torch.no_grad():
    model.train()
    print("train :", *(model(**text).logits.tolist() for _ in range(2)))
    model.eval()
    print("eval  :", *(model(**text).logits.tolist() for _ in range(2)))

# %% [markdown]
# `torch.no_grad()` est autre chose : il ne change aucun résultat, il évite de garder en mémoire de quoi calculer les gradients.
#
# ## La mesure
#
# L'exactitude (*accuracy*), et F, la moyenne harmonique de la précision et du rappel, qui compte quand une classe est rare. Toujours à côté d'un repère : répondre partout l'étiquette la plus fréquente.
#
# > **Depuis 2022.** `datasets.load_metric` a disparu. Son successeur, le paquet `evaluate`, va chercher chaque mesure sur le *hub*, et c'est un programme ; quatre lignes de numpy n'ont besoin de rien.

# %%
from transformers import EvalPrediction


def scores(found: EvalPrediction) -> dict[str, float]:
    """Return accuracy, and F of the label 1, for logits (texts, labels) and labels (texts,)."""
    guessed, gold = found.predictions.argmax(-1), found.label_ids
    right = ((guessed == 1) & (gold == 1)).sum()
    f = 2 * right / max((guessed == 1).sum() + (gold == 1).sum(), 1)
    return {"accuracy": float((guessed == gold).mean()), "f": float(f)}


shares = pandas.Series(dev["label"]).value_counts(normalize=True)
print(f"repère, la plus fréquente : {shares.max():.3f} sur {len(dev)} phrases")

# %% [markdown]
# ## Entraîner
#
# | réglage | pourquoi |
# |---|---|
# | `per_device_train_batch_size=4`, `gradient_accumulation_steps=4` | chaque mise à jour lit 16 phrases, mais la mémoire n'en voit que 4 à la fois : les gradients s'additionnent |
# | `warmup_ratio=0.1` | le pas grandit pendant le premier dixième, puis décroît : la tête est neuve, et de grands pas au début abîmeraient l'encodeur |
# | `learning_rate=1e-4` | petit encodeur ; pour un modèle de taille *base*, plutôt `2e-5` |
# | `eval_strategy="steps"` | évaluer toutes les `EVALUATE_EVERY` mises à jour, sur des phrases que l'entraînement ne voit pas |
# | `report_to=["tensorboard"]` | écrire les courbes |
#
# `QuietTrainer` est le `Trainer` de `transformers`, mais n'imprime qu'une ligne par évaluation : la mise à jour, la perte d'entraînement, et ce qu'on lui dit de montrer.
#
# > **Depuis 2022.** `evaluation_strategy` s'appelle `eval_strategy`, le `tokenizer=` de `Trainer` est devenu `processing_class=`, et `no_cuda` `use_cpu`. Dans `transformers` 5, `warmup_ratio` et `logging_dir` s'en vont à leur tour. Un carnet qui ne tourne plus est souvent un carnet dont les noms ont changé.

# %%
from transformers import TrainingArguments

from scripts.common.trainer import QuietTrainer


def shown(metrics: dict[str, float]) -> str:
    """Return what is printed of an evaluation."""
    return f"eval {metrics['eval_loss']:.3f}   accuracy {metrics['eval_accuracy']:.3f}"


gpu = torch.cuda.is_available()
SETTINGS = {
    "warmup_ratio": 0.1,
    "learning_rate": 2e-5 if HUB else 1e-4,
    "eval_strategy": "steps",
    "save_strategy": "no",
    "report_to": ["tensorboard"],
    "use_cpu": not gpu,
    "dataloader_pin_memory": gpu,
    "seed": 0,
}
arguments = TrainingArguments(
    output_dir=f"{WORK}/sst2",
    logging_dir=f"{WORK}/sst2/logs",
    max_steps=UPDATES,
    per_device_train_batch_size=4,
    gradient_accumulation_steps=4,
    per_device_eval_batch_size=32,
    eval_steps=EVALUATE_EVERY,
    logging_steps=max(1, EVALUATE_EVERY // 5),
    **SETTINGS,
)
trainer = QuietTrainer(
    model,
    arguments,
    data_collator=collator,
    train_dataset=encoded["train"],
    eval_dataset=encoded["dev"],
    processing_class=tokenizer,
    compute_metrics=scores,
)
trainer.show(shown)
result = trainer.evaluate()
result = trainer.train()

# %% [markdown]
# ## Les courbes
#
# `Trainer` a écrit ses courbes pour TensorBoard ; `tensorboard --logdir training/course` les suit en direct. Les fichiers se lisent aussi d'ici.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def draw_curves(folder: str) -> None:
    """Draw loss, accuracy and learning rate from the newest event file in a folder."""
    newest = max(Path(folder).glob("events.*"), key=lambda file: file.stat().st_mtime)
    events = EventAccumulator(str(newest))
    events.Reload()
    curves = {
        "perte": ["train/loss", "eval/loss"],
        "exactitude": ["eval/accuracy"],
        "pas d'apprentissage": ["train/learning_rate"],
    }
    figure, panels = plt.subplots(1, 3, figsize=(12, 3), layout="constrained")
    for panel, (title, tags) in zip(panels, curves.items()):
        for tag in tags:
            points = events.Scalars(tag)
            panel.plot([p.step for p in points], [p.value for p in points], marker="o", label=tag)
        panel.set(title=title, xlabel="mise à jour")
        panel.legend()
    plt.show()


draw_curves(f"{WORK}/sst2/logs")

# %% [markdown]
# La perte d'entraînement tombe vers zéro ; celle d'évaluation cesse vite de baisser, ou remonte : avec si peu de phrases le modèle les apprend par cœur (*surapprentissage*). C'est l'évaluation qui dit quand s'arrêter.
#
# ## Lire les réponses
#
# Un score résume ; les erreurs expliquent. Triez-les par assurance : les plus sûres des fausses sont les plus instructives, et parfois c'est l'étiquette qui a tort.

# %%
predicted = trainer.predict(encoded["dev"])
probabilities = torch.tensor(predicted.predictions).softmax(-1)
answers = pandas.DataFrame({
    "phrase": dev["sentence"],
    "étiquette": [LABELS[label] for label in dev["label"]],
    "réponse": [LABELS[label] for label in probabilities.argmax(-1)],
    "assurance": probabilities.max(-1).values.numpy().round(3),
})  # fmt: skip
pandas.crosstab(answers["étiquette"], answers["réponse"])

# %%
wrong = answers[answers["étiquette"] != answers["réponse"]]
wrong.sort_values("assurance", ascending=False).head(8)

# %% [markdown]
# Que vaut une exactitude mesurée sur si peu de phrases ? Retirons-en au sort, avec remise, mille fois autant : 95 % des scores tombent dans un intervalle, que `evaluate` imprime pour chaque score du projet. Un écart plus petit que lui n'est pas une découverte.

# %%
import numpy

right = (answers["étiquette"] == answers["réponse"]).to_numpy()
drawn = numpy.random.default_rng(0).choice(right, (1000, len(right))).mean(1)
low, high = numpy.quantile(drawn, [0.025, 0.975])
print(f"exactitude {right.mean():.2f}, intervalle à 95 % : {low:.2f} à {high:.2f}")

# %% [markdown]
# ## Garder, rouvrir
#
# `save_model` écrit un dossier complet : configuration (avec les noms des étiquettes), poids, tokeniseur. Rouvert, il doit donner les mêmes réponses ; vérifiez-le une fois dans votre vie.

# %%
trainer.save_model(f"{WORK}/sst2/model")
print(sorted(path.name for path in Path(f"{WORK}/sst2/model").iterdir()))
again_tokenizer, again = open_checkpoint(f"{WORK}/sst2/model", AutoModelForSequenceClassification)
with torch.no_grad():
    same = again(**collator(rows).to(again.device)).logits
    before = trainer.model.eval()(**collator(rows).to(trainer.model.device)).logits
print(again.config.id2label, torch.allclose(same, before.cpu(), atol=1e-5))

# %% [markdown]
# Et en deux lignes, pour qui veut seulement s'en servir :

# %%
from transformers import pipeline

classify = pipeline("text-classification", model=again, tokenizer=again_tokenizer)
pandas.DataFrame(classify(["a small miracle of a film", "two hours i will never get back"]))

# %% [markdown]
# Une réponse fausse ici n'a rien d'étonnant : le classifieur n'a vu que quelques dizaines de phrases. L'exercice en a bien davantage.
#
# ## À vous : la polarité en français
#
# Des critiques de livres, de DVD et de musique, dans le format de FLUE (`assets/sample/cls-fr`). Entraînez un classifieur de leur polarité et notez-le sur le jeu de test.
#
# 1. Lire les critiques : `scripts.corpora.readers.cls.read` rend des exemples avec `text` et `label`.
# 2. Si le corpus n'a pas de jeu de développement (le vrai FLUE n'en a pas), en tailler un dans `train`, sans jamais toucher à `test`.
# 3. Tokeniser. Les critiques sont longues : combien de morceaux ? Où couper ?
# 4. Tête neuve, `Trainer`, courbes. Que faut-il changer aux réglages ?
# 5. Noter sur le test, une seule fois, avec son intervalle ; lire les erreurs les plus sûres.
#
# Repliez « Solution » (le triangle à gauche du titre) avant de commencer.
#
# ## Solution
#
# ### Lire
#
# `RawFile` décompresse et décode, `Log` note ce que le lecteur saute ou répare, et pourquoi.

# %%
from scripts.common.rawfile import RawFile
from scripts.corpora.examples import Log, Notes
from scripts.corpora.options import Options
from scripts.corpora.readers import cls

if HUB:
    from scripts.fetch import fetch

    ENCODER, reviews_folder = "camembert-base", Path(CORPORA, "flue")
    fetch("flue", reviews_folder, "", "", "", "", "", Path(CORPORA, "downloads"))
else:
    reviews_folder = Path("assets/sample/cls-fr")

log = Log()
reviews = {
    split: datasets.Dataset.from_list([
        {"text": review.text, "label": cls.LABELS.index(review.label)}
        for file in files
        for review in cls.read(RawFile(file), Options(), log)
    ])
    for split, files in cls.find(reviews_folder, "fr", Options(), Notes()).items()
}  # fmt: skip
{split: len(rows) for split, rows in reviews.items()}, dict(log.skipped.counts)

# %%
if "dev" not in reviews:
    labels = datasets.ClassLabel(names=list(cls.LABELS))
    carved = reviews["train"].cast_column("label", labels)
    carved = carved.train_test_split(test_size=0.2, seed=0, stratify_by_column="label")
    reviews |= {"train": carved["train"], "dev": carved["test"]}
train = reviews["train"].shuffle(seed=0)
reviews["train"] = train.select(range(min(REVIEWS, len(train))))
reviews["train"].to_pandas().groupby("label").head(3)

# %% [markdown]
# ### Où couper ?

# %%
tokenizer = open_tokenizer(ENCODER)
LENGTH = 96
lengths = pandas.Series(
    [len(ids) for ids in tokenizer(list(reviews["train"]["text"]))["input_ids"]]
)
print(lengths.describe(percentiles=[0.5, 0.9, 0.99]).round().astype(int).to_dict())
print(f"{(lengths > LENGTH).mean():.1%} ont plus de {LENGTH} morceaux")

# %% [markdown]
# ### Entraîner
#
# Autres réglages que plus haut : des textes plus longs et plus d'exemples, donc des lots de 16, et des mises à jour assez nombreuses pour voir chaque critique une fois environ.

# %%
encoded = {
    split: rows.map(
        lambda batch: tokenizer(batch["text"], truncation=True, max_length=LENGTH), batched=True
    )
    for split, rows in reviews.items()
}
set_seed(0)
names = {
    "id2label": dict(enumerate(cls.LABELS)),
    "label2id": {x: i for i, x in enumerate(cls.LABELS)},
}
_, model = open_checkpoint(
    ENCODER, AutoModelForSequenceClassification, allow_new_head=True, num_labels=2, **names
)
trainer = QuietTrainer(
    model,
    TrainingArguments(
        output_dir=f"{WORK}/reviews",
        logging_dir=f"{WORK}/reviews/logs",
        max_steps=REVIEW_UPDATES,
        per_device_train_batch_size=16,
        per_device_eval_batch_size=32,
        eval_steps=max(1, REVIEW_UPDATES // 4),
        logging_steps=max(1, REVIEW_UPDATES // 12),
        **SETTINGS,
    ),
    data_collator=DataCollatorWithPadding(tokenizer),
    train_dataset=encoded["train"],
    eval_dataset=encoded["dev"],
    processing_class=tokenizer,
    compute_metrics=scores,
)
trainer.show(shown)
result = trainer.train()

# %%
draw_curves(f"{WORK}/reviews/logs")

# %% [markdown]
# ### Noter

# %%
predicted = trainer.predict(encoded["test"])
probabilities = torch.tensor(predicted.predictions).softmax(-1)
guessed, gold = probabilities.argmax(-1).numpy(), predicted.label_ids
drawn = numpy.random.default_rng(0).choice(guessed == gold, (1000, len(gold))).mean(1)
low, high = numpy.quantile(drawn, [0.025, 0.975])
print(
    f"exactitude {(guessed == gold).mean():.3f} ({low:.3f} à {high:.3f}), sur {len(gold)} critiques"
)
print(
    {
        name: round(value, 3)
        for name, value in predicted.metrics.items()
        if name in ("test_accuracy", "test_f")
    }
)

# %%
answers = pandas.DataFrame({
    "critique": reviews["test"]["text"],
    "étiquette": [cls.LABELS[label] for label in gold],
    "réponse": [cls.LABELS[label] for label in guessed],
    "assurance": probabilities.max(-1).values.numpy().round(3),
})  # fmt: skip
pandas.set_option("display.max_colwidth", 220)
wrong = answers[answers["étiquette"] != answers["réponse"]]
wrong.sort_values("assurance", ascending=False).head(6)

# %% [markdown]
# Négations, ironie, éloges d'un sujet sinistre : ce qui trompe le modèle tromperait parfois un lecteur pressé. Pour aller plus loin avec les mêmes données, `python3 run.py demo-reviews` entraîne ce classifieur dans spaCy, le note, l'empaquette et dessine la page de ses erreurs ; `python3 run.py train-hf` fait ce que ce carnet a fait, et reprend où il s'est arrêté.
#
# ## À retenir
#
# - Regarder le corpus avant, les erreurs après ; noter une seule fois sur le test.
# - La perte prend des logits ; `eval()` avant de prédire ; une tête neuve se déclare.
# - Un score a un intervalle, et un repère à côté de lui.
