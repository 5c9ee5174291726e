# %% [markdown]
# # 4. Préentraîner un modèle
#
# D'où viennent les poids qu'on affine dans les carnets 2 et 3 ? D'un préentraînement : cacher des mots dans beaucoup de texte, et les faire deviner. Personne n'annote rien ; le texte est sa propre réponse. Refaisons-le en petit, de la première à la dernière étape, sur du français parlé :
#
# 1. le texte brut ;
# 2. un découpeur en morceaux (*tokenizer*) à soi, appris sur ce texte ;
# 3. un modèle neuf, construit depuis sa configuration ;
# 4. les masques : ce qu'on cache, et comment ;
# 5. les blocs : ranger le texte sans rien perdre ;
# 6. l'apprentissage, et le même trou avant et après ;
# 7. la suite : continuer un préentraînement sur un autre genre de texte.
#
# Compter cinq minutes sur deux cœurs, sans carte graphique et sans hub.

# %% reduced={"PIECES": 500, "LAYERS": 1, "WIDTH": 32, "UPDATES": 6, "FURTHER_UPDATES": 2, "EVERY": 3} tags=["parameters"]
HUB = False
# Un encodeur à qui comparer notre découpeur
ENCODER = "assets/encoders/e5-small-fr-en"
# Notre modèle : morceaux du vocabulaire, couches, largeur, têtes d'attention par couche
PIECES = 2000
LAYERS = 2
WIDTH = 256
HEADS = 4
# Mises à jour du préentraînement, de celui qui le continue, et entre deux évaluations
UPDATES = 1000
FURTHER_UPDATES = 100
EVERY = 100
WORK = "training/course/4-preentrainer"

# %%
import course

if HUB:
    ENCODER = "camembert-base"

# %% [markdown]
# Avec `HUB = True`, en haut, notre découpeur se compare à celui de `camembert-base`, et c'est ce modèle que la dernière partie continue de préentraîner, au lieu du nôtre.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy
import pandas
import torch
from transformers import set_seed

from scripts.common.raw_text import read_lines, split

TEXT, WORK = Path("assets/sample/raw-fr"), Path(WORK)
WORK.mkdir(parents=True, exist_ok=True)
pandas.set_option("display.max_colwidth", None)


def count(number):
    """Return a number as one writes it in French: 4 560."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


# %% [markdown]
# ## 1. Le texte
#
# Quatre fichiers, une phrase ou un tour de parole par ligne. La moitié transcrit de la parole, sans ponctuation, avec ses hésitations, comme ESLO, l'enquête sur le français parlé à Orléans (que l'on peut télécharger fichier par fichier, et lire de même : `python -m scripts fetch eslo …` dit où). Une ligne sur vingt est mise de côté : ni le découpeur ni le modèle ne la verront, et c'est sur elle qu'on les jugera.

# %%
lines = list(read_lines(TEXT))
train_lines, dev_lines = list(split(lines, held_out=False)), list(split(lines, held_out=True))
words = sum(len(line.split()) for line in lines)
print(f"{count(len(lines))} lignes, {count(words)} mots, {len(dev_lines)} lignes de côté\n")
for file in sorted(TEXT.glob("*.txt")):
    print(f"{file.stem:14} {list(read_lines(file))[104]}")

# %% [markdown]
# C'est *très* peu : CamemBERT a lu 138 Go de texte, un demi-million de fois plus. On ne s'attend donc pas à un bon modèle, mais tout ce qui suit est la vraie recette.
#
# ## 2. Un découpeur à soi
#
# WordPiece (BERT, DistilBERT) part des lettres et réunit à chaque pas les deux morceaux voisins dont la réunion est la plus utile, jusqu'au nombre voulu. Unigram (CamemBERT, XLM-R, T5) part au contraire d'une longue liste et en retire ce qui sert le moins. `##` marque chez le premier un morceau qui *continue* un mot, `▁` chez le second un morceau qui en *commence* un.

# %%
from scripts.encoders.checkpoint import open_tokenizer
from scripts.encoders.train_tokenizer import measure, train_unigram, train_wordpiece

tokenizer = train_wordpiece(train_lines, PIECES)
tokenizers = {
    f"WordPiece, {count(len(tokenizer))} morceaux": tokenizer,
    f"unigram, {count(PIECES)} morceaux": train_unigram(train_lines, PIECES),
}
reference = open_tokenizer(ENCODER)
tokenizers[f"{Path(ENCODER).name}, {count(len(reference))} morceaux"] = reference
sentence = "ben il y a euh un marché le samedi au Martroi"
for name, one in tokenizers.items():
    print(f"{name}\n    {' '.join(one.tokenize(sentence))}\n")

# %% [markdown]
# Deux nombres disent ce que vaut un découpeur, sur le texte mis de côté : la **fertilité**, nombre de morceaux par mot (plus elle est basse, plus une même longueur contient de texte), et la part de **morceaux inconnus**, ceux dont une lettre n'a jamais été vue et que `[UNK]` efface.

# %%
figures = {name: measure(dev_lines, one) for name, one in tokenizers.items()}
pandas.DataFrame(
    {
        "morceaux par mot": {name: f"{one['fertility']:.3f}" for name, one in figures.items()},
        "inconnus": {name: f"{one['unknown']:.2%}" for name, one in figures.items()},
        "lignes rendues intactes": {
            name: f"{one['round_trip']:.1%}" for name, one in figures.items()
        },
    }
)

# %% [markdown]
# Le nôtre a vingt fois moins de morceaux que celui de la démonstration (qui tient, lui, le français et l'anglais écrits), et n'en demande qu'un dixième de plus par mot sur *ce* texte : il en connaît les mots. Hors de son domaine, il le paie :

# %%
for outside in ("Rendez-vous à Łódź 😀", "photosynthèse"):
    print(*(" ".join(one.tokenize(outside)) for one in tokenizers.values()), sep="   |   ")

# %% [markdown]
# Combien de morceaux ? Plus il y en a, moins un mot en demande ; mais chacun coûte un vecteur de plus, et un morceau rare est peu appris.

# %%
sizes = sorted({PIECES // 4, PIECES // 2, PIECES, 2 * PIECES})
fertility = [measure(dev_lines, train_wordpiece(train_lines, size))["fertility"] for size in sizes]
figure, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
axis.plot(sizes, fertility, "o-")
axis.axhline(measure(dev_lines, reference)["fertility"], color="gray", linestyle=":")
axis.set(xlabel="morceaux dans le vocabulaire", ylabel="morceaux par mot")
axis.set_title(f"en pointillé, {Path(ENCODER).name}", fontsize=10)
plt.show()

# %% [markdown]
# > **Depuis 2022.** `BertWordPieceTokenizer` et le `vocab.txt` d'alors existent encore, mais l'usage est un seul fichier, `tokenizer.json`, que lisent toutes les classes « rapides ». `transformers` 5 n'a plus qu'elles.
#
# ## 3. Un modèle depuis sa configuration
#
# `from_pretrained` charge une architecture *et* des poids. `BertForMaskedLM(config)` construit la même architecture, avec des poids tirés au hasard. La configuration tient en quelques nombres :

# %%
from transformers import BertConfig, BertForMaskedLM

config = BertConfig(
    vocab_size=len(tokenizer),
    num_hidden_layers=LAYERS,
    hidden_size=WIDTH,
    num_attention_heads=HEADS,
    intermediate_size=4 * WIDTH,
    max_position_embeddings=512,
    position_embedding_type="relative_key_query",
    initializer_range=0.03,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
    pad_token_id=tokenizer.pad_token_id,
)
set_seed(0)
model = BertForMaskedLM(config)
print(f"{count(model.num_parameters())} paramètres")

# %% [markdown]
# D'où viennent-ils ? Comptons à la main, avec *V* morceaux, une largeur *d* et une largeur intérieure *4 d* :
#
# * les vecteurs des morceaux : *V d* ;
# * par couche, l'attention (quatre matrices *d* × *d* : requêtes, clés, valeurs, sortie) et les deux matrices *d* × *4 d* : *12 d²* ;
# * le reste (biais, normalisations, positions) est petit.

# %%
from scripts.encoders.inspect import parameters

print(f"V·d = {count(len(tokenizer) * WIDTH)}     12·d² par couche = {count(12 * WIDTH**2)}\n")
parts = parameters(model)
print(*(f"{part:12} {count(size):>9}" for part, size in parts.items()), sep="\n")

# %% [markdown]
# La dernière couche, qui prédit un morceau, a besoin de *V d* nombres encore : ce sont **les mêmes** que ceux de l'entrée (poids liés), on ne les compte qu'une fois. À partir d'une configuration seule on sait la taille des modèles publiés, sans rien télécharger ni même allouer :

# %%
from transformers import AutoModelForMaskedLM, CamembertConfig, DistilBertConfig

shapes = {
    "le nôtre": config,
    "distilbert-base-multilingual-cased": DistilBertConfig(vocab_size=119547),
    "camembert-base": CamembertConfig(
        vocab_size=32005, max_position_embeddings=514, type_vocab_size=1
    ),
    "bert-base-multilingual-cased": BertConfig(vocab_size=119547),
}
table = {}
for name, shape in shapes.items():
    with torch.device("meta"):
        parts = parameters(AutoModelForMaskedLM.from_config(shape))
    total = sum(parts.values())
    table[name] = {
        "couches": shape.num_hidden_layers,
        "largeur": shape.hidden_size,
        "morceaux": count(shape.vocab_size),
        "paramètres": f"{total / 1e6:.1f} M",
        "dont vecteurs des morceaux": f"{parts['embeddings'] / total:.0%}",
    }
pandas.DataFrame(table).T

# %% [markdown]
# Deux choix de notre configuration méritent un mot :
#
# * `relative_key_query` : des positions *relatives*. Deviner un mot caché demande surtout de regarder ses voisins, ce qu'un petit modèle apprend en quelques centaines de mises à jour avec elles, en milliers avec les positions absolues des modèles publiés ;
# * pas de dropout : les masques changent à chaque passage, c'est une régularisation suffisante.
#
# > **Depuis 2022.** `transformers` 5 retire ces positions relatives de BERT (et les ignore sans le dire) ; ce projet reste à la version 4, que spaCy demande aussi.
#
# ## 4. Les masques
#
# 15 % des morceaux sont à deviner. De ceux-là, 80 % sont remplacés par `[MASK]`, 10 % par un morceau au hasard, 10 % laissés tels quels. La perte ne porte que sur eux ; partout ailleurs l'étiquette vaut -100.

# %%
from scripts.encoders.mlm import masking_collator

collate = masking_collator(tokenizer, probability=0.15)
set_seed(0)
encoded = tokenizer(sentence, return_special_tokens_mask=True)
batch = collate([encoded] * 400)
row = (batch["labels"] != -100).sum(1).argmax()
seen, wanted = batch["input_ids"][row].tolist(), batch["labels"][row].tolist()
pandas.DataFrame(
    {
        "texte": tokenizer.convert_ids_to_tokens(encoded["input_ids"]),
        "ce que lit le modèle": tokenizer.convert_ids_to_tokens(seen),
        "à deviner": ["" if i == -100 else tokenizer.convert_ids_to_tokens(i) for i in wanted],
    }
).T

# %% [markdown]
# Le même texte, tiré 400 fois (la ligne montrée est celle qui en cache le plus). Vérifions les proportions :

# %%
original = torch.tensor(encoded["input_ids"]).expand_as(batch["input_ids"])
chosen = batch["labels"] != -100
maskable = ~torch.tensor(encoded["special_tokens_mask"]).bool().expand_as(chosen)
masked = batch["input_ids"][chosen] == tokenizer.mask_token_id
kept = batch["input_ids"][chosen] == original[chosen]
print(f"choisis {chosen.sum() / maskable.sum():.1%} des morceaux, dont :")
print(f"    masqués {masked.float().mean():.1%}")
print(f"    remplacés {(~masked & ~kept).float().mean():.1%}")
print(f"    inchangés {kept.float().mean():.1%}")

# %% [markdown]
# **Pourquoi ne pas tout masquer ?** Parce qu'après, quand on affinera, il n'y aura jamais de `[MASK]` : un modèle qui n'apprend que devant ce signe pourrait se reposer partout ailleurs. En laissant parfois le mot, vrai ou faux, on l'oblige à se faire une idée de *chaque* morceau.
#
# Les masques sont tirés à nouveau à chaque lot : d'un passage à l'autre, le même texte pose d'autres questions.
#
# ## 5. Les blocs
#
# Nos lignes ont une dizaine de morceaux ; un lot de lignes serait, pour une bonne part, du remplissage, qu'on calcule pour rien. On les met donc bout à bout, `[SEP]` entre elles, et l'on coupe tous les 64 morceaux.
#
# > **Depuis 2022.** `LineByLineTextDataset` et `TextDataset`, qui faisaient cela dans `transformers`, sont abandonnés ; on le fait soi-même (`pack`, ici, écrit un fichier que l'on lit sans le charger), ou par `datasets` et sa méthode `map`.

# %%
from scripts.encoders.packing import Blocks, pack

BLOCK, BATCH = 64, 32
for name, part in (("train", train_lines), ("dev", dev_lines)):
    pack(part, tokenizer, WORK / f"{name}.blocks", BLOCK)
train, dev = (
    Blocks(WORK / f"{name}.blocks", BLOCK, tokenizer.all_special_ids) for name in ("train", "dev")
)
lengths = numpy.array([len(ids) for ids in tokenizer(train_lines)["input_ids"]])
numpy.random.default_rng(0).shuffle(lengths)
batches = numpy.array_split(lengths, len(lengths) // BATCH)
padding = 1 - lengths.sum() / sum(len(batch) * batch.max() for batch in batches)
print(f"lignes en lots de {BATCH} : {padding:.0%} de remplissage, blocs : 0%")
print(f"{count(len(train))} blocs de {BLOCK} morceaux pour apprendre, {len(dev)} de côté\n")
print(tokenizer.decode(train[0]["input_ids"]))

# %% [markdown]
# ## 6. Apprendre
#
# D'abord deux repères, sans lesquels une perte ne veut rien dire :
#
# * un modèle qui ne sait **rien** répond chacun des *V* morceaux avec la même probabilité : sa perte est ln *V* ;
# * un modèle qui ne sait que la **fréquence** de chaque morceau, sans lire la phrase, a pour perte l'*entropie unigramme*. Tant qu'on n'est pas passé dessous, le modèle n'a rien appris du contexte.
#
# La **perplexité** est l'exponentielle de la perte : entre combien de morceaux, également probables, le modèle hésite-t-il ?

# %%
from scripts.encoders.fill_mask import fill
from scripts.encoders.mlm import perplexity

entropy = train.entropy()
for name, loss in (("rien", numpy.log(len(tokenizer))), ("les fréquences", entropy)):
    print(f"qui sait {name:15} perte {loss:.2f}   perplexité {perplexity(loss):5.0f}")

GAPS = [
    "il y [MASK] un marché le samedi",
    "je sais [MASK] si on y va demain",
    "on est [MASK] en vacances au mois de juillet",
    "La ville est au bord de la [MASK].",
]


def answers(model):
    """Return the three best pieces for each gap, with their probabilities."""
    found = [fill(gap, tokenizer, model.eval(), top=3)[0] for gap in GAPS]
    return [
        " · ".join(f"{one['piece']} {one['probability']:.2f}" for one in best) for best in found
    ]


before = answers(model)
pandas.DataFrame({"avant": before}, index=GAPS)

# %% [markdown]
# Avant : n'importe quoi, avec une probabilité de l'ordre de 1 / *V*. Apprenons, avec le `Trainer` de `transformers`. `MaskedTrainer`, du projet, n'y ajoute qu'une chose : le texte mis de côté est masqué une fois pour toutes, si bien que les évaluations se comparent.
#
# > **Depuis 2022.** `evaluation_strategy` s'appelle `eval_strategy`, et `no_cuda=True` s'écrit `use_cpu=True`.

# %%
from transformers import TrainingArguments

from scripts.encoders.mlm import MaskedTrainer

arguments = TrainingArguments(
    output_dir=WORK / "trainer",
    max_steps=UPDATES,
    per_device_train_batch_size=BATCH,
    per_device_eval_batch_size=64,
    learning_rate=1e-3,
    warmup_ratio=0.1,
    weight_decay=0.01,
    adam_beta2=0.98,
    max_grad_norm=1.0,
    eval_strategy="steps",
    eval_steps=EVERY,
    eval_on_start=True,
    logging_steps=max(1, EVERY // 5),
    save_strategy="no",
    report_to=["tensorboard"],
    use_cpu=True,
    dataloader_pin_memory=False,
    remove_unused_columns=False,
    seed=0,
)
trainer = MaskedTrainer(model, arguments, tokenizer, collate, train, dev)
trainer.train()
final = trainer.losses()[-1]["loss"]

# %%
log = pandas.DataFrame(trainer.state.log_history).set_index("step")
figure, axes = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained")
axes[0].plot(log["loss"].dropna(), color="lightgray", label="apprentissage")
axes[0].plot(log["eval_loss"].dropna(), "o-", label="texte de côté")
for loss, name in ((numpy.log(len(tokenizer)), "ln V"), (entropy, "entropie unigramme")):
    axes[0].axhline(loss, color="gray", linestyle=":")
    axes[0].text(UPDATES, loss, name, ha="right", va="bottom", fontsize=9)
axes[0].set(title="perte", xlabel="mises à jour")
axes[0].legend()
axes[1].semilogy(log["eval_perplexity"].dropna(), "o-")
axes[1].set(title="perplexité sur le texte de côté", xlabel="mises à jour")
plt.show()

# %% [markdown]
# La courbe se lit en deux temps. En cent mises à jour elle tombe à l'entropie unigramme : le modèle a appris les fréquences, répond partout *de*, *le*, *est*, et piétine. Puis l'attention trouve les voisins et la pente reprend : c'est là qu'il commence à lire. L'écart qui se creuse ensuite entre les deux courbes est celui du par cœur : avec si peu de texte, chaque bloc a été vu de nombreuses fois. (`tensorboard --logdir training/course` montre les mêmes courbes pendant l'apprentissage.)
#
# Le même trou, avant et après :

# %%
print(
    f"perte {final:.2f}, perplexité {perplexity(final):.0f} (unigramme {perplexity(entropy):.0f})"
)
pandas.DataFrame({"avant": before, "après": answers(model)}, index=GAPS)

# %% [markdown]
# Le modèle n'a pas lu assez pour savoir ce qu'est un marché, mais il sait déjà ce qui tient debout à cet endroit. Enregistrons-le : c'est un encodeur comme un autre, à donner à `train`, `inspect`, `fill-mask`…

# %%
model.save_pretrained(WORK / "encoder")
tokenizer.save_pretrained(WORK / "encoder")
print(*sorted(file.name for file in (WORK / "encoder").iterdir()), sep="\n")

# %% [markdown]
# Tout ce qui précède tient en trois commandes (`python3 run.py encoder` les enchaîne), reprises là où elles en étaient si on les interrompt :
#
# ```
# python -m scripts train-tokenizer TEXTE DECOUPEUR --size 2000
# python -m scripts pretrain TEXTE ENCODEUR --tokenizer DECOUPEUR
# python -m scripts fill-mask ENCODEUR "il y [MASK] un marché le samedi"
# ```
#
# ## 7. Continuer sur un autre genre de texte
#
# On part rarement de rien : on prend un encodeur publié, et l'on continue son préentraînement sur le texte de son domaine, à petit pas pour ne pas oublier. Ici, notre modèle n'a lu que de la parole et des récits ; donnons-lui des critiques de livres, de films et de disques.

# %%
from spacy.vocab import Vocab

from scripts.common.files import discard
from scripts.convert import convert
from scripts.corpora.docbins import read_docs
from scripts.encoders.pretrain import pretrain

START = "camembert-base" if HUB else str(WORK / "encoder")
convert("cls", Path("assets/sample/cls-fr"), WORK / "reviews", "fr")
docs = read_docs(WORK / "reviews" / "train.spacy", Vocab())
reviews = [" ".join(doc.text.split()) for doc in docs]
(WORK / "reviews.txt").write_text("\n".join(reviews), encoding="utf8")
# An interrupted pretraining would be resumed, or refused if the parameters have changed
discard(WORK / "further.unfinished")
pretrain(
    WORK / "reviews.txt", WORK / "further",
    tokenizer_name="", encoder=START, revision="", config=None, encoding=None,
    overrides={
        "training.max_steps": FURTHER_UPDATES,
        "training.eval_steps": FURTHER_UPDATES,
        "training.learning_rate": 5e-5 if HUB else 3e-4,
    },
)  # fmt: skip

# %% [markdown]
# Qu'a-t-il gagné sur les critiques, qu'a-t-il perdu sur la parole ? Les masques sont les mêmes avant et après.

# %%
from scripts.encoders.checkpoint import open_checkpoint


def held_out_loss(encoder, lines):
    tokenizer, model = open_checkpoint(str(encoder), AutoModelForMaskedLM)
    pack(lines, tokenizer, WORK / "held-out.blocks", BLOCK)
    blocks = Blocks(WORK / "held-out.blocks", BLOCK, tokenizer.all_special_ids)
    set_seed(0)
    batch = masking_collator(tokenizer, 0.15)([blocks[index] for index in range(len(blocks))])
    with torch.inference_mode():
        return model(**batch).loss.item()


texts = {"parole et récits": dev_lines, "critiques": list(split(reviews, held_out=True))}
losses = {
    name: [held_out_loss(encoder, lines) for encoder in (START, WORK / "further")]
    for name, lines in texts.items()
}
table = pandas.DataFrame(losses, index=["perte avant", "perte après"]).T
for when in ("avant", "après"):
    table[f"perplexité {when}"] = numpy.exp(table[f"perte {when}"])
table.round(2)

# %% [markdown]
# Chaque genre de texte a ses mots : la perte baisse sur celui qu'on vient de lire, et remonte, un peu, sur l'ancien. C'est l'oubli ; on le limite par un petit pas, peu de mises à jour, ou en mêlant un peu de l'ancien texte au nouveau.
#
# **À vous.** 1. Remplacez `relative_key_query` par `absolute` : où en est la perte après autant de mises à jour ?
# 2. Masquez 40 % des morceaux au lieu de 15. 3. Donnez à `TEXT` un dossier de vos textes, `PIECES = 8000`, `LAYERS = 4`, et laissez tourner une nuit.
