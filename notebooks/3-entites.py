# %% [markdown]
# # 3. Les entités nommées
#
# Trouver dans un texte les personnes, les lieux, les organisations, et le reste de ce qui porte un nom propre : œuvres, événements, produits. Un classifieur donne une étiquette par *texte* ; ici il en faut une par *mot*, et les mots d'une même entité doivent tenir ensemble.
#
# Au programme :
#
# 1. l'annotation IOB, et comment elle passe des mots aux morceaux de l'encodeur ;
# 2. une tête prête, celle de `transformers`, dans `transformers` puis dans spaCy ;
# 3. une tête à soi, posée sur un encodeur nu, avec sa méthode `forward` et sa boucle d'apprentissage ;
# 4. la même tâche dans spaCy : un fichier de configuration, un apprentissage, `spacy.load` ;
# 5. la comparaison des trois, les erreurs, puis l'enregistrement et le partage.
#
# Compter cinq minutes sur deux cœurs, sans carte graphique et sans hub.

# %% reduced={"FROZEN_LAYERS": 1, "UPDATES": 4, "EVERY": 2} tags=["parameters"]
HUB = False
ENCODER = "assets/encoders/e5-small-fr-en"
LANGUAGE = "fr"
# Couches qui n'apprennent pas, en comptant les plongements pour la première
FROZEN_LAYERS = 4
LEARN_RATE = 2e-4
# Mises à jour, de 16 phrases, de chacun des trois apprentissages ; et entre deux évaluations
UPDATES = 200
EVERY = 40
WORK = "training/course/3-entites"

# %%
import course

SOURCE, FORMAT, SENTENCES = "assets/sample/ner-fr", "wikiner", None
if HUB:
    ENCODER, FROZEN_LAYERS, LEARN_RATE = "camembert-base", 0, 5e-5
    SOURCE, SENTENCES = f"{WORK}/wikiner", 5000

# %% [markdown]
# Avec `HUB = True`, en haut, l'encodeur devient `camembert-base` et le corpus WikiNER, dont on garde 5 000 phrases. Pour l'anglais, ce serait `distilbert-base-multilingual-cased`, le corpus `conll2003`, le format `iob` et `LANGUAGE = "en"`.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy
import pandas
import spacy
import torch
from spacy import displacy
from transformers import set_seed

from scripts.convert import convert
from scripts.corpora.docbins import read_docs
from scripts.corpora.options import Plan
from scripts.serving.metrics import score_entities

SOURCE, WORK = Path(SOURCE), Path(WORK)
if HUB:
    from scripts.fetch import fetch

    fetch("wikiner", SOURCE, "", "", "", "", "", WORK / "downloads")

# %% [markdown]
# ## 1. Annoter : IOB
#
# Le corpus est écrit comme WikiNER : une phrase par ligne, et pour chaque mot `mot|catégorie|étiquette` (la catégorie grammaticale n'est pas annotée ici, d'où le `_`).

# %%
if not HUB:
    lines = (SOURCE / "test.wikiner").read_text("utf8").splitlines()
    print(next(line for line in lines if "firme|_|O Lip" in line))

# %% [markdown]
# Trois lettres suffisent à coder des entités de plusieurs mots :
#
# | étiquette | sens |
# |---|---|
# | `O` | *outside*, hors de toute entité |
# | `B-PER` | *begin*, premier mot d'une personne |
# | `I-PER` | *inside*, mot suivant de la même personne |
#
# **Pourquoi deux lettres, B et I ?** Pour séparer deux entités du même type qui se touchent : sans `B`, *le vol Paris Tokyo* n'aurait qu'un lieu. Le plus ancien des deux usages, IOB1, n'écrit `B` que dans ce cas rare ; c'est celui du fichier, où *Fred Lip* est `I-PER I-PER`. L'usage courant, IOB2, écrit `B` au début de *chaque* entité : le modèle apprend ainsi où une entité commence. Le convertisseur du projet lit les deux (et BIOES, BILOU…), et n'en écrit qu'un.

# %%
report = convert(FORMAT, SOURCE, WORK / "corpus", LANGUAGE, Plan(train_size=SENTENCES))
counts = {name: {"phrases": s["examples"], **s["entities"]} for name, s in report["splits"].items()}
pandas.DataFrame(counts).T

# %%
nlp = spacy.blank(LANGUAGE)
docs = {
    split: list(read_docs(WORK / "corpus" / f"{split}.spacy", nlp.vocab))
    for split in ("train", "dev", "test")
}
if HUB:
    docs["test"] = docs["test"][:300]
doc = next((doc for doc in docs["test"] if "firme Lip" in doc.text), docs["test"][0])
pandas.DataFrame(
    [(token.text, token.ent_iob_, token.ent_type_) for token in doc],
    columns=["mot", "IOB2", "type"],
).T

# %% [markdown]
# Dans spaCy, les étiquettes d'un mot sont `token.ent_iob_` et `token.ent_type_`, et les entités entières sont dans `doc.ents`. displaCy les dessine :

# %%
COLORS = {"PER": "#ffd966", "LOC": "#9fd6a5", "ORG": "#9ec5f4", "MISC": "#e3b7e8"}


def show(docs):
    displacy.render(docs, style="ent", jupyter=True, options={"colors": COLORS})


show(doc)

# %% [markdown]
# *Lip* est une organisation, puis le nom d'une personne : aucun dictionnaire ne suffirait, il faut le contexte. C'est le travail de l'encodeur.
#
# ### Des mots aux morceaux
#
# L'encodeur ne lit pas des mots mais des morceaux de mots. Qui porte alors l'étiquette ? La convention : **le premier morceau** de chaque mot. Les autres, et les morceaux spéciaux du début et de la fin, reçoivent **-100**, la valeur que `cross_entropy` ignore (`ignore_index=-100` par défaut). `word_ids()` dit à quel mot appartient chaque morceau.

# %%
from scripts.encoders.checkpoint import open_checkpoint

tokenizer, encoder = open_checkpoint(ENCODER)
types = sorted({entity.label_ for doc in docs["train"] for entity in doc.ents})
LABELS = ["O", *(f"{letter}-{kind}" for kind in types for letter in "BI")]
IGNORED = -100


def tag_of(token):
    return f"{token.ent_iob_}-{token.ent_type_}" if token.ent_type_ else "O"


def align(doc):
    """Return a sentence's pieces and the label of each."""
    pieces = tokenizer([token.text for token in doc], is_split_into_words=True)
    labels, before = [], None
    for word in pieces.word_ids():
        first = word is not None and word != before
        labels.append(LABELS.index(tag_of(doc[word])) if first else IGNORED)
        before = word
    return pieces, labels


pieces, labels = align(doc)
shown = pandas.DataFrame(
    {
        "morceau": pieces.tokens(),
        "mot": ["–" if word is None else doc[word].text for word in pieces.word_ids()],
        "étiquette": ["" if label == IGNORED else LABELS[label] for label in labels],
        "numéro": labels,
    }
)
shown.tail(14).T

# %% [markdown]
# Pour tout un corpus, le projet fait de même dans `TokenHead`, à une différence près, qui compte dès qu'on lit du vrai texte : il donne à l'encodeur le *texte* (`L'observatoire`) et non une suite de mots (`L'`, `observatoire`), et il aligne par les positions des caractères. Les morceaux sont alors ceux de l'usage, et une phrase trop longue est lue en plusieurs fenêtres au lieu d'être coupée.

# %%
from scripts.training.heads import TokenHead

head = TokenHead(docs["train"])
assert head.labels == LABELS
rows = {split: head.rows(docs[split], tokenizer) for split in docs}
learned = sum((row >= 0).sum() for row in rows["train"].labels)
share = learned / sum(map(len, rows["train"].labels))
print(
    f"{learned} étiquettes apprises : {share:.0%} des morceaux en portent une, le reste vaut -100"
)

# %% [markdown]
# ## 2. Une tête prête
#
# `AutoModelForTokenClassification` pose sur l'encodeur une couche linéaire : un vecteur par morceau entre, un nombre par étiquette sort. Sur le hub, des milliers de têtes déjà apprises attendent. Sans hub, apprenons-en une par la commande du projet, qui appelle le `Trainer` de `transformers` :
#
# ```
# python -m scripts train-hf ner SORTIE --corpus … --lang fr --encoder …
# ```
#
# > **Depuis 2022.** `evaluation_strategy` s'appelle `eval_strategy`, l'argument `tokenizer` du `Trainer` est devenu `processing_class`, et `datasets.load_metric("seqeval")` a disparu : la mesure se prend dans une bibliothèque à part ou, comme ici, chez spaCy et dans le projet. Les corpus distribués comme un programme à exécuter (`conll2003` l'était) sont refusés par `datasets` depuis sa version 4 ; on prend une copie en Parquet, ou le fichier d'origine.

# %%
from scripts.common.files import discard
from scripts.train_hf import train_hf

if not HUB:
    # An interrupted training would be resumed, or refused if the parameters have changed
    discard(WORK / "hf.unfinished")
    train_hf(
        "ner", WORK / "hf", WORK / "corpus", LANGUAGE, ENCODER, revision="", config=None,
        overrides={
            "training.max_steps": UPDATES,
            "training.eval_steps": EVERY,
            "training.save_steps": EVERY,
            "training.learning_rate": LEARN_RATE,
            "training.warmup_ratio": 0.25,
            "encoder.frozen_layers": FROZEN_LAYERS,
        },
    )  # fmt: skip
checkpoint = "Jean-Baptiste/camembert-ner" if HUB else str(WORK / "hf" / "checkpoint")

# %% [markdown]
# Chaque ligne est une évaluation sur `dev` : la perte, et le F des entités. Une entité ne compte que si son début, sa fin et son type sont tous justes. Le meilleur état est gardé. C'est maintenant une tête comme une autre :

# %%
import warnings

from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

tagger = pipeline(
    "token-classification",
    model=AutoModelForTokenClassification.from_pretrained(checkpoint),
    tokenizer=AutoTokenizer.from_pretrained(checkpoint),
    device="cpu",
)
text = "Simone Veil est née à Nice, et l'Assemblée nationale a voté sa loi en 1974."
found = pandas.DataFrame(tagger(text))
found[["word", "entity", "score", "start", "end"]].head(8)

# %% [markdown]
# Sans plus de précision, `pipeline` rend les *morceaux*, et les étiquettes de ceux qui ne commencent aucun mot n'ont jamais été apprises. `aggregation_strategy` les regroupe : `"simple"` réunit les voisins de même type, `"first"` donne à tout le mot l'étiquette de son premier morceau. Mais qu'est-ce qu'un mot ? Pour `pipeline`, ce qui est entre deux espaces : en français, *l'Assemblée* en devient un seul, et son premier morceau est l'article.

# %%
for strategy in ("simple", "first"):
    with warnings.catch_warnings():
        # That it has to guess where words begin
        warnings.simplefilter("ignore")
        entities = tagger(text, aggregation_strategy=strategy)
    shown = [f"[{text[e['start'] : e['end']]}] {e['entity_group']}" for e in entities]
    print(f"{strategy:8}", *shown, sep="   ")

# %% [markdown]
# ### La même tête dans spaCy
#
# spaCy, lui, sait découper le français : *l'* et *Assemblée* y sont deux mots. La commande `wrap` fait de n'importe quelle tête de ce genre un composant `ner` d'un pipeline spaCy ; à chaque mot, la suite d'étiquettes la plus probable *parmi celles qui sont permises* (jamais `I-PER` après `O`).

# %%
from scripts.wrap import wrap

wrap(checkpoint, WORK / "wrapped", LANGUAGE, labels="", revision="")
ready = spacy.load(WORK / "wrapped" / "model-best")
show(ready(text))

# %% [markdown]
# `wrap` ne sait pas comment une tête du hub a été entraînée, et lit tous les morceaux d'un mot. Pour la nôtre, `train-hf` a déjà écrit le pipeline qui convient, `hf/model-best` : il ne lit, comme à l'apprentissage, que le premier morceau. C'est lui qu'on notera plus bas.

# %%
if not HUB:
    ready = spacy.load(WORK / "hf" / "model-best")
show(ready(text))

# %% [markdown]
# ## 3. Une tête à soi
#
# Rien de mystérieux dans la classe de `transformers` : écrivons-la. Un encodeur *nu* (`AutoModel`, sans tête) donne un vecteur par morceau ; il reste à ajouter un dropout, une couche linéaire, et la perte.
#
# Avoir sa tête à soi, c'est aussi pouvoir la changer. Les vecteurs de cet encodeur-ci (e5) sont petits et se ressemblent beaucoup ; une normalisation (`LayerNorm`) avant la couche linéaire les remet à l'échelle, et la tête apprend plus vite. Celle de `transformers` n'en a pas.

# %%
from torch.nn.functional import cross_entropy


class EntityTagger(torch.nn.Module):
    def __init__(self, encoder, labels, dropout=0.1):
        super().__init__()
        self.encoder = encoder
        self.norm = torch.nn.LayerNorm(encoder.config.hidden_size)
        self.dropout = torch.nn.Dropout(dropout)
        self.classifier = torch.nn.Linear(encoder.config.hidden_size, labels)

    def forward(self, input_ids, attention_mask, labels=None):
        output = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        hidden = output.last_hidden_state  # (sentences, pieces, width)
        logits = self.classifier(self.dropout(self.norm(hidden)))  # (sentences, pieces, labels)
        if labels is None:
            return None, logits
        # One line per piece; those labelled -100 are passed over
        loss = cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
        return loss, logits


set_seed(0)
_, encoder = open_checkpoint(ENCODER)
model = EntityTagger(encoder, len(LABELS))

# %% [markdown]
# Un lot de quatre phrases, et les formes à chaque étape. Le `DataCollatorForTokenClassification` complète les phrases courtes : par le morceau `<pad>` dans `input_ids`, par 0 dans `attention_mask`, et par -100 dans `labels`.

# %%
from torch.utils.data import DataLoader
from transformers import DataCollatorForTokenClassification

collate = DataCollatorForTokenClassification(tokenizer)
batch = collate([rows["train"][index] for index in range(4)])
with torch.no_grad():
    loss, logits = model(**batch)
shapes = {name: tuple(tensor.shape) for name, tensor in {**batch, "logits": logits}.items()}
print(*(f"{name:15} {shape}" for name, shape in shapes.items()), sep="\n")
print(f"perte {loss:.2f}, au hasard ln {len(LABELS)} = {numpy.log(len(LABELS)):.2f}")

# %% [markdown]
# La tête n'a rien appris : sa perte est celle d'un tirage au hasard parmi les étiquettes.
#
# ### La boucle d'apprentissage
#
# Tout ce que le `Trainer` fait sans le dire :
#
# * **accumulation** : deux lots de 8 phrases font une mise à jour de 16, dans la mémoire de 8. On divise la perte par le nombre de lots, on appelle `backward()` sur chacun (les gradients s'additionnent), puis une seule fois `step()` ;
# * **échauffement** : le pas monte de 0 à son maximum pendant le premier quart des mises à jour, où les moyennes d'Adam ne valent encore rien, puis redescend ;
# * **écrêtage** du gradient : un lot malheureux ne peut pas tout défaire ;
# * **évaluation** toutes les `EVERY` mises à jour, en mode `eval()` : sans dropout ;
# * les premières couches sont **gelées** : avec peu d'exemples, elles n'ont guère à apprendre, et c'est du temps gagné ;
# * **précision** : l'encodeur calcule en bfloat16 là où le processeur y gagne, ce que `choose_precision` mesure ; les poids et la perte restent en float32.
#
# > **Depuis 2022.** `transformers.AdamW` a disparu ; c'est `torch.optim.AdamW`.

# %%
from transformers import get_linear_schedule_with_warmup

from scripts.common.precision import choose_precision
from scripts.training.prepare import freeze

BATCH, ACCUMULATE = 8, 2


def logits_of(model, rows):
    """Return the logits of all rows, padded: (rows, pieces, labels)."""
    width = max(map(len, rows.ids))
    logits = numpy.zeros((len(rows), width, len(LABELS)), "f4")
    for start in range(0, len(rows), 32):
        batch = collate([rows[index] for index in range(start, min(start + 32, len(rows)))])
        with torch.inference_mode():
            _, found = model(batch["input_ids"], batch["attention_mask"])
        logits[start : start + 32, : found.shape[1]] = found.numpy()
    return logits


def annotate(model, docs):
    """Return copies of documents with the entities that a tagger finds in them."""
    rows = head.rows(docs, tokenizer)
    return head.predicted(docs, rows, logits_of(model.eval(), rows))


def batches():
    while True:
        yield from DataLoader(rows["train"], BATCH, shuffle=True, collate_fn=collate)


set_seed(0)
freeze(model.encoder, FROZEN_LAYERS)
choose_precision(model.encoder, "auto")
trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=LEARN_RATE, weight_decay=0.01)
schedule = get_linear_schedule_with_warmup(optimizer, UPDATES // 4, UPDATES)
stream, history = batches(), []
model.train()
for step in range(1, UPDATES + 1):
    total = 0.0
    for _ in range(ACCUMULATE):
        loss, _ = model(**next(stream))
        (loss / ACCUMULATE).backward()
        total += loss.item() / ACCUMULATE
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    rate = schedule.get_last_lr()[0]
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
    history.append({"step": step, "loss": total, "rate": rate})
    if step % EVERY == 0:
        score = score_entities(annotate(model, docs["dev"]), docs["dev"])["ents_f"]
        history[-1]["F"] = score
        print(f"{step:5}   perte {total:.3f}   F sur dev {score:.3f}")
        model.train()

# %%
curves = pandas.DataFrame(history).set_index("step")
figure, axes = plt.subplots(1, 3, figsize=(12, 3), layout="constrained")
axes[0].plot(curves["loss"], color="lightgray")
axes[0].plot(curves["loss"].rolling(10).mean(), color="tab:blue")
axes[1].plot(curves["F"].dropna(), "o-", color="tab:green")
axes[2].plot(curves["rate"], color="tab:orange")
for axis, title in zip(axes, ("perte d'apprentissage", "F des entités sur dev", "pas")):
    axis.set(title=title, xlabel="mises à jour")

# %% [markdown]
# La perte tombe très vite, et ce n'est pas un exploit : répondre toujours `O` est juste pour plus de quatre mots sur cinq. C'est pourquoi on ne juge pas sur l'exactitude par mot, mais sur le F des entités, qui est alors de 0.

# %%
tokens = [token for doc in docs["test"] for token in doc]
outside = sum(not token.ent_type_ for token in tokens) / len(tokens)
print(f"toujours « O » : {outside:.1%} des mots justes, F = 0")

# %% [markdown]
# ## 4. La même chose dans spaCy
#
# Dans spaCy, un apprentissage se décrit dans un fichier de configuration, `config.cfg`. Celui du projet tient en deux parties : ce que toutes les tâches partagent (`configs/base.cfg` : le transformeur, les corpus, la boucle), et ce qui est propre aux entités :

# %%
print(Path("configs/ner.cfg").read_text("utf8"))

# %% [markdown]
# Trois idées à y lire :
#
# * deux composants, `transformer` puis `ner`. Le second ne contient pas d'encodeur : il *écoute* le premier (`TransformerListener`), et lui renvoie ses gradients. Plusieurs tâches peuvent partager un encodeur ;
# * chaque mot reçoit la *moyenne* de ses morceaux (`reduce_mean`), et non le premier d'entre eux ;
# * la tête n'étiquette pas les mots un par un : c'est un **analyseur par transitions**, qui lit de gauche à droite et choisit à chaque mot une action (commencer une entité, la prolonger, la finir, passer) en sachant ce qu'il vient de décider. Une suite interdite n'existe pas.
#
# `python -m scripts config ner` écrit la configuration entière, et `spacy train` l'accepte. La commande `train` du projet fait de même, propose les réglages que l'on ne donne pas, et dit pourquoi.

# %%
from scripts.train import train

train(
    "ner", WORK / "spacy", [WORK / "corpus"], LANGUAGE, -1,
    {
        "settings.encoder": ENCODER,
        "settings.frozen_layers": FROZEN_LAYERS,
        "settings.learn_rate": LEARN_RATE,
        "settings.batch_words": 400,
        "settings.max_steps": UPDATES,
        "settings.eval_frequency": EVERY,
    },
)  # fmt: skip

# %% [markdown]
# Ce qui est écrit dans `model-best` est un pipeline entier, que `spacy.load` ouvre :

# %%
nlp = spacy.load(WORK / "spacy" / "model-best")
print(nlp.pipe_names)
examples = [docs["test"][index].text for index in (4, 9, 14)]
show(list(nlp.pipe([text, *examples])))

# %% [markdown]
# ## 5. Laquelle choisir ?
#
# Les trois têtes lisent le même texte brut du jeu de test, que spaCy découpe en mots ; les entités sont comparées par leurs positions de caractères.

# %%
raw = [nlp.make_doc(doc.text) for doc in docs["test"]]
predicted = {
    "tête de transformers": list(ready.pipe(doc.text for doc in docs["test"])),
    "tête à soi": annotate(model, raw),
    "spaCy (transitions)": list(nlp.pipe(doc.text for doc in docs["test"])),
}
scores = {name: score_entities(found, docs["test"]) for name, found in predicted.items()}
columns = {"ents_p": "précision", "ents_r": "rappel", "ents_f": "F"}
table = pandas.DataFrame(scores).T[list(columns)].rename(columns=columns)
for kind in types:
    table[kind] = [
        scores[name]["ents_per_type"].get(kind, {"f": numpy.nan})["f"] for name in table.index
    ]
table.astype(float).round(3)

# %% [markdown]
# Les mêmes données, le même encodeur, autant de mises à jour. L'avance de la tête à soi sur celle de `transformers` tient surtout à une ligne, la normalisation : comparez leurs F sur `dev` à la même mise à jour. `MISC`, qui réunit tout ce qui n'est ni personne, ni lieu, ni organisation, est pour toutes le plus difficile.
#
# Attention avant de classer : un jeu de test de moins de deux cents phrases laisse plusieurs points d'incertitude, et un autre tirage (`seed`) changerait les scores. Pour trancher, le projet a `compare`, qui teste si une différence est sûre.
#
# Les erreurs s'apprennent mieux par la lecture. En voici trois de spaCy ; chaque phrase est montrée deux fois, d'abord avec ce qu'il fallait trouver, puis avec ce qui a été trouvé :


# %%
def spans(doc):
    return {(entity.start_char, entity.end_char, entity.label_) for entity in doc.ents}


wrong = [
    (gold, found)
    for gold, found in zip(docs["test"], predicted["spaCy (transitions)"])
    if spans(gold) != spans(found) and len(gold) < 30
]
for gold, found in wrong[:3]:
    show([gold, found])

# %% [markdown]
# ## 6. Enregistrer, partager
#
# Un pipeline spaCy se suffit : l'encodeur, ses morceaux et la tête sont dans le dossier. Plus besoin du hub ni de l'encodeur d'origine.

# %%
folder = WORK / "mon-pipeline"
nlp.to_disk(folder)
again = spacy.load(folder)
assert spans(again(text)) == spans(nlp(text))
for part in sorted(folder.iterdir()):
    size = sum(file.stat().st_size for file in [part, *part.rglob("*")] if file.is_file())
    print(f"{part.name:15} {size / 1e6:7.2f} Mo")

# %% [markdown]
# Notre tête à soi, elle, n'est qu'un module de torch : `torch.save(model.state_dict(), …)` en garde les poids, mais celui qui les reçoit doit avoir la classe. C'est le prix de la liberté, et la raison d'être des classes de `transformers` et des pipelines de spaCy.
#
# Pour partager :
#
# | commande | donne |
# |---|---|
# | `python -m scripts package …` | un *wheel*, que `pip install` pose et que `spacy.load("fr_…")` ouvre |
# | `python -m scripts export …` | un dossier au format Hugging Face, avec sa fiche |
# | `python -m scripts push DOSSIER MOI/NOM` | le même sur le hub, privé sauf avis contraire |
# | `python3 run.py serve …` | une page où essayer le pipeline |
#
# **À vous.** 1. Portez `UPDATES` à 400 : que gagne chaque tête ? 2. Portez `LEARN_RATE` à 1e-3 et suivez le F sur `dev` : laquelle s'effondre la première, et à quoi le voit-on ? 3. Écrivez une phrase sans majuscules : que trouve le pipeline ? (`--settings.lower_case 0.1` y remédie.) 4. Dans `EntityTagger`, remplacez le premier morceau par la moyenne des morceaux du mot, comme spaCy : est-ce mieux ?
