# %% [markdown]
# # 5. Encodeur et décodeur
#
# BERT et ses parents ne sont que la moitié du transformeur de 2017, celle qui lit. L'autre moitié écrit :
# c'est le décodeur. Ensemble, ils traduisent, résument, corrigent. Au programme :
#
# 1. l'attention à la main, sur quatre mots, avec numpy puis avec torch ;
# 2. plusieurs têtes ;
# 3. le masque causal, qui distingue un décodeur d'un encodeur ;
# 4. les pièces d'un traducteur, Marian, et ce qu'on lui donne à apprendre ;
# 5. l'apprentissage d'un Marian minuscule ;
# 6. la génération : recherche gloutonne et recherche en faisceau ;
# 7. l'attention croisée, entre les deux langues ;
# 8. un autre emploi : rendre sa ponctuation et ses majuscules à du français parlé.
#
# Compter cinq minutes sur deux cœurs, sans carte graphique et sans hub.

# %% reduced={"PAIRS": 30, "UPDATES": 100, "PRETRAINING": 4, "RESTORING": 4} tags=["parameters"]
# True : traduire aussi avec Helsinki-NLP/opus-mt-fr-en, pris sur le hub.
HUB = False
# Du petit traducteur : le nombre de phrases qu'il apprend, et celui des mises à jour.
PAIRS = 80
UPDATES = 300
# Du modèle qui ponctue : les mises à jour de son encodeur, puis les siennes.
PRETRAINING = 1000
RESTORING = 400
WORK = "training/course/5-encodeur-decodeur"

# %%
from pathlib import Path

import course
import matplotlib.pyplot as plt
import numpy
import pandas
import torch
import torch.nn.functional as F
from transformers import MarianTokenizer, set_seed

marian = Path(WORK) / "marian"


def draw(axis, weights, rows, columns, title):
    """Draw weights (rows, columns) as squares: the darker, the greater."""
    axis.imshow(weights, cmap="Blues", vmin=0, vmax=1)
    axis.set_xticks(range(len(columns)), columns, rotation=90)
    axis.set_yticks(range(len(rows)), rows)
    axis.set_title(title)


# %% [markdown]
# ## 1. L'attention à la main
#
# Quatre mots, chacun un vecteur de huit nombres. Ces vecteurs sont tirés au hasard : un vrai modèle les a
# appris, mais le calcul est le même. Trois matrices en font trois rôles :
#
# - la requête $Q$ : ce que le mot cherche ;
# - la clé $K$ : ce par quoi on le trouve ;
# - la valeur $V$ : ce qu'il donne à qui l'a trouvé.

# %%
words = ["le", "chat", "dort", "bien"]
random = numpy.random.default_rng(1)
width = 8
X = random.normal(size=(4, width))
W_Q, W_K, W_V = (random.normal(size=(width, width)) / width**0.5 for _ in range(3))
Q, K, V = X @ W_Q, X @ W_K, X @ W_V
print("X", X.shape, " Q", Q.shape, " K", K.shape, " V", V.shape)

# %% [markdown]
# Le produit scalaire d'une requête et d'une clé dit à quel point elles s'accordent : une note par couple de
# mots, donc un tableau de 4 × 4. Le softmax fait de chaque ligne des poids positifs dont la somme est 1, et
# la sortie d'un mot est la moyenne des valeurs, pesée par ces poids :
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\left(\frac{QK^\top}{\sqrt{d}}\right)V$$


# %%
def softmax(scores):
    """(…, n) -> (…, n): positive, of sum 1. The maximum is subtracted so that exp does not overflow."""
    powers = numpy.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


scores = Q @ K.T / width**0.5
weights = softmax(scores)
output = weights @ V
print("scores", scores.shape, " weights", weights.shape, " output", output.shape)
pandas.DataFrame(weights, words, words).assign(somme=weights.sum(-1)).round(3)

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 3.4))
axes[0].imshow(scores, cmap="RdBu", vmin=-3, vmax=3)
axes[0].set_xticks(range(4), words)
axes[0].set_yticks(range(4), words)
axes[0].set_title("notes $QK^T/\\sqrt{d}$ : de −3 (rouge) à 3 (bleu)")
draw(axes[1], weights, words, words, "poids : chaque ligne fait 1")
figure.tight_layout()

# %% [markdown]
# Pourquoi diviser par $\sqrt{d}$ ? Le produit scalaire de deux vecteurs au hasard de $d$ nombres a un écart
# type de $\sqrt{d}$. Sans la division, les notes d'un modèle de largeur 512 seraient si grandes que le softmax
# mettrait tout le poids sur un seul mot, et que son gradient serait presque nul : rien à apprendre.

# %%
rows = []
for d in (8, 64, 512):
    q, k = random.normal(size=(1000, 1, d)), random.normal(size=(1000, d, 4))
    products = (q @ k)[:, 0]
    rows.append(
        {
            "d": d,
            "écart type des notes": products.std(),
            "plus grand poids sans √d": softmax(products).max(-1).mean(),
            "plus grand poids avec √d": softmax(products / d**0.5).max(-1).mean(),
        }
    )
pandas.DataFrame(rows).set_index("d").round(2)

# %% [markdown]
# Le même calcul avec torch, en une ligne. Il prend un lot et des têtes : (textes, têtes, mots, largeur).

# %%
q, k, v = (torch.tensor(one)[None, None] for one in (Q, K, V))
by_torch = F.scaled_dot_product_attention(q, k, v)
print("torch", tuple(by_torch.shape), " même résultat :", numpy.allclose(by_torch[0, 0], output))

# %% [markdown]
# ## 2. Plusieurs têtes
#
# Une seule moyenne ne peut pas regarder à la fois le sujet et l'adverbe. On coupe donc les vecteurs en parts
# égales, les têtes ; chacune fait sa propre attention, avec ses propres poids, et une dernière matrice $W_O$
# mélange ce qu'elles rapportent. Huit nombres et deux têtes : quatre nombres par tête.


# %%
def split_heads(x, heads):
    """(words, width) -> (heads, words, width / heads)"""
    return x.reshape(len(x), heads, -1).transpose(1, 0, 2)


heads = 2
W_O = random.normal(size=(width, width)) / width**0.5
q, k, v = (split_heads(one, heads) for one in (Q, K, V))
head_weights = softmax(q @ k.transpose(0, 2, 1) / (width // heads) ** 0.5)
joined = (head_weights @ v).transpose(1, 0, 2).reshape(4, width)
output = joined @ W_O
print(
    "q", q.shape, " weights", head_weights.shape, " joined", joined.shape, " output", output.shape
)

# %% [markdown]
# `nn.MultiheadAttention` de torch fait la même chose. On lui donne nos matrices : il les range transposées, et
# les trois premières en une seule.

# %%
layer = torch.nn.MultiheadAttention(width, heads, bias=False, batch_first=True, dtype=torch.double)
with torch.no_grad():
    layer.in_proj_weight.copy_(torch.tensor(numpy.concatenate([W_Q.T, W_K.T, W_V.T])))
    layer.out_proj.weight.copy_(torch.tensor(W_O.T))
    x = torch.tensor(X)[None]
    by_torch, torch_weights = layer(x, x, x, average_attn_weights=False)
print("même sortie :", numpy.allclose(by_torch[0], output))
print("mêmes poids :", numpy.allclose(torch_weights[0], head_weights))

figure, axes = plt.subplots(1, 2, figsize=(7, 3.4))
for number, axis in enumerate(axes):
    draw(axis, head_weights[number], words, words, f"tête {number + 1}")
figure.tight_layout()

# %% [markdown]
# ## 3. Le masque causal
#
# Un encodeur lit toute la phrase d'un coup. Un décodeur l'écrit de gauche à droite : au moment d'écrire un
# mot, les suivants n'existent pas encore. À l'apprentissage, ils sont pourtant là, puisqu'on lui donne la
# phrase entière ; il faut donc les lui cacher, sinon il recopierait la réponse. Le masque met −∞ aux notes des
# mots à venir, et le softmax en fait un poids de 0.

# %%
future = numpy.triu(numpy.ones((4, 4), dtype=bool), k=1)
causal_scores = numpy.where(future, -numpy.inf, scores)
causal_weights = softmax(causal_scores)
q, k, v = (torch.tensor(one)[None, None] for one in (Q, K, V))
by_torch = F.scaled_dot_product_attention(q, k, v, is_causal=True)
print("même résultat que torch :", numpy.allclose(by_torch[0, 0], causal_weights @ V))

figure, axes = plt.subplots(1, 2, figsize=(7, 3.4))
draw(axes[0], weights, words, words, "encodeur : tout est vu")
draw(axes[1], causal_weights, words, words, "décodeur : le passé seul")
for row, column in zip(*numpy.nonzero(future)):
    axes[1].text(column, row, "−∞", ha="center", va="center", color="gray")
figure.tight_layout()

# %% [markdown]
# La preuve : changeons le dernier mot. Chez l'encodeur, toutes les sorties changent ; chez le décodeur, la
# dernière seulement. C'est ce qui lui permet d'apprendre toutes les positions d'une phrase en un seul calcul,
# et, quand il écrit, de garder en mémoire ce qu'il a déjà calculé (le *cache* des clés et des valeurs).

# %%
changed = X.copy()
changed[3] = random.normal(size=width)
rows = {}
for name, mask in (("encodeur", numpy.zeros_like(future)), ("décodeur", future)):
    before, after = (
        softmax(numpy.where(mask, -numpy.inf, (x @ W_Q) @ (x @ W_K).T / width**0.5)) @ (x @ W_V)
        for x in (X, changed)
    )
    rows[name] = ["changé" if row else "—" for row in abs(before - after).max(-1) > 1e-9]
pandas.DataFrame(rows, words).T

# %% [markdown]
# ## 4. Un traducteur : Marian
#
# Marian est l'encodeur-décodeur des modèles Opus-MT, comme `Helsinki-NLP/opus-mt-fr-en`. Nous en construisons
# un minuscule, une couche de chaque côté, et lui donnons des phrases du français courant avec leur traduction,
# écrites pour ce projet.

# %%
from scripts.seq2seq.small_marian import new_marian, read_pairs, train, write_tokenizer

pairs = read_pairs(Path("assets/sample/pairs-fr-en.tsv"))[:PAIRS]
print(len(pairs), "phrases")
pandas.DataFrame(pairs[:5], columns=["français", "anglais"])

# %% [markdown]
# Son découpeur a un modèle SentencePiece par langue (`source.spm`, `target.spm`), et un seul vocabulaire
# pour les deux. `text_target` dit que le texte est de la langue à écrire. `</s>` marque la fin.

# %%
from scripts.common.files import discard

discard(marian)
set_seed(0)
write_tokenizer(pairs, 500, marian)
tokenizer = MarianTokenizer.from_pretrained(marian)
source, target = pairs[0]
print(sorted(path.name for path in marian.iterdir()))
print(tokenizer.convert_ids_to_tokens(tokenizer(source)["input_ids"]))
print(tokenizer.convert_ids_to_tokens(tokenizer(text_target=target)["input_ids"]))

# %% [markdown]
# Les pièces du modèle. Une couche de décodeur a deux attentions : `self_attn`, causale, sur ce qu'il a déjà
# écrit, et `encoder_attn`, dite croisée, dont les requêtes viennent du décodeur, mais les clés et les valeurs
# de l'encodeur. C'est par là seulement que la phrase française entre dans l'anglaise. Les vecteurs des
# morceaux (`shared`) servent trois fois : à lire, à relire ce qu'on écrit, et à choisir le morceau suivant.

# %%
model = new_marian(tokenizer)
parts = [("shared", model.model.shared)]
for side in ("encoder", "decoder"):
    parts += [
        (f"{side} {name}", part)
        for name, part in getattr(model.model, side).layers[0].named_children()
        if any(True for _ in part.parameters())
    ]
table = pandas.DataFrame(
    [
        (name, type(part).__name__, sum(p.numel() for p in part.parameters()))
        for name, part in parts
    ],
    columns=["partie", "classe", "paramètres"],
)
print(f"{model.num_parameters():,} paramètres")
table

# %% [markdown]
# **Ce qu'on lui donne à apprendre.** Les étiquettes sont la traduction. L'entrée du décodeur est la même,
# décalée d'un cran : elle commence par un morceau de départ (chez Marian, celui du bourrage, `<pad>`). À
# chaque position, il doit donc écrire le morceau suivant, en ayant sous les yeux les *bons* morceaux
# précédents, et non les siens : c'est le forçage par l'enseignant (*teacher forcing*). Le masque causal fait
# qu'il ne triche pas.

# %%
encoded = tokenizer(source, text_target=target, return_tensors="pt")
decoder_input_ids = model.prepare_decoder_input_ids_from_labels(encoded["labels"])
pandas.DataFrame(
    {
        "le décodeur lit": tokenizer.convert_ids_to_tokens(decoder_input_ids[0]),
        "il doit écrire": tokenizer.convert_ids_to_tokens(encoded["labels"][0]),
    }
).T

# %% [markdown]
# La perte est l'entropie croisée entre ce qu'il prévoit et l'étiquette, en moyenne sur les positions. Dans
# un lot, on met −100 là où une étiquette n'est que du bourrage : `cross_entropy` les saute.

# %%
with torch.no_grad():
    result = model(**encoded)
    by_hand = F.cross_entropy(result.logits[0], encoded["labels"][0])
print("logits", tuple(result.logits.shape), "(textes, positions, vocabulaire)")
print(f"perte {result.loss:.4f}, à la main {by_hand:.4f}")
print(f"au hasard : ln({len(tokenizer)}) = {numpy.log(len(tokenizer)):.2f}")

# %% [markdown]
# ## 5. L'apprentissage
#
# Quelques centaines de pas de 32 phrases : AdamW, un échauffement, puis un pas de plus en plus petit. La
# boucle tient en vingt lignes, dans `scripts/seq2seq/small_marian.py`.

# %%
losses = train(model, tokenizer, pairs, UPDATES)
model.save_pretrained(marian)
figure, axis = plt.subplots(figsize=(7, 3))
axis.plot(losses)
axis.set_xlabel("pas")
axis.set_ylabel("perte")
axis.set_yscale("log")
print(f"perte : {losses[0]:.2f} au début, {losses[-1]:.3f} à la fin")

# %%
from scripts.seq2seq.task import open_translator, task_of
from scripts.seq2seq.translator import Translator

tokenizer, model = open_translator(str(marian))
translator = Translator(tokenizer, model, task_of(tokenizer, model))
found = list(translator.translate([french for french, _ in pairs], scored=True))
right = sum(one.translation == english for one, (_, english) in zip(found, pairs))
print(f"{right} phrases sur {len(pairs)} traduites comme elles ont été apprises")
pandas.DataFrame(
    [(one.source, one.translation, round(one.score, 3)) for one in found[:5]],
    columns=["français", "traduction", "log-probabilité par morceau"],
)

# %% [markdown]
# Il les sait *par cœur*. Des phrases nouvelles, faites de mots qu'il connaît, montrent qu'il n'a pas appris
# le français pour autant : il faudrait des millions de phrases, et non 80. Sa log-probabilité, bien plus
# basse, en avertit.

# %%
new = ["Le chat joue dans le jardin.", "Ma sœur a oublié son parapluie.", "Où est le médecin ?"]
pandas.DataFrame(
    [(one.source, one.translation, round(one.score, 3)) for one in translator.translate(new, True)],
    columns=["français", "traduction", "log-probabilité par morceau"],
)

# %% [markdown]
# La commande `python -m scripts translate` fait de même d'un texte ou d'un fichier, avec n'importe quel
# Marian, mBART, M2M100 ou T5. Où le hub est accessible, mettez `HUB = True` dans la première cellule :

# %%
if HUB:
    opened = open_translator("Helsinki-NLP/opus-mt-fr-en")
    real = Translator(*opened, task_of(*opened))
    for one in real.translate(new, scored=True):
        print(f"{one.source}  →  {one.translation}  ({one.score:.3f})")

# %% [markdown]
# ## 6. Écrire : glouton, ou en faisceau
#
# Le modèle ne donne que des probabilités pour le morceau suivant. La recherche **gloutonne** prend le plus
# probable, l'ajoute à ce qui est écrit, et recommence jusqu'à `</s>`. Un seul morceau est interdit, `<pad>` : le
# décodeur commence par lui et ne l'écrit jamais.


# %%
def next_scores(encoded, written):
    """Return the log probabilities of the piece after `written`: (vocabulary,)."""
    with torch.no_grad():
        logits = model(**encoded, decoder_input_ids=torch.tensor([written])).logits[0, -1]
    scores = logits.log_softmax(-1)
    scores[tokenizer.pad_token_id] = -torch.inf
    return scores


def greedy(encoded, longest=40):
    written = [model.config.decoder_start_token_id]
    while len(written) < longest and written[-1] != tokenizer.eos_token_id:
        written.append(int(next_scores(encoded, written).argmax()))
    return written


text = new[0]
encoded = tokenizer(text, return_tensors="pt")
by_hand = greedy(encoded)
by_library = model.generate(**encoded, num_beams=1, max_new_tokens=39)[0].tolist()
print(text, "→", tokenizer.decode(by_hand, skip_special_tokens=True))
print("même chose que generate :", by_hand == by_library)

# %% [markdown]
# Le premier choix peut mener à une impasse. La recherche **en faisceau** (*beam search*) garde à chaque pas
# les $n$ débuts les plus probables, au lieu d'un seul. Une phrase finie est notée par la somme de ses
# log-probabilités, divisée par sa longueur, car sinon les plus courtes gagneraient toujours. `generate` s'arrête
# dès que $n$ phrases sont finies et qu'aucun début ne peut plus faire mieux ; ici, on va jusqu'au bout.


# %%
def beam_search(encoded, beams, longest=40):
    """Return the finished sequences with their scores, the best first."""
    going, finished = [([model.config.decoder_start_token_id], 0.0)], []
    for _ in range(longest - 1):
        following = []
        for written, total in going:
            best = next_scores(encoded, written).topk(2 * beams)
            following += [
                ([*written, int(piece)], total + float(score))
                for score, piece in zip(best.values, best.indices)
            ]
        following.sort(key=lambda one: -one[1])
        ended = [one for one in following[:beams] if one[0][-1] == tokenizer.eos_token_id]
        finished += [(written, total / (len(written) - 1)) for written, total in ended]
        going = [one for one in following if one[0][-1] != tokenizer.eos_token_id][:beams]
        if len(finished) >= beams:
            break
    return sorted(finished, key=lambda one: -one[1])


for beams in (1, 2, 4):
    best, score = beam_search(encoded, beams)[0]
    print(f"{beams} : {score:.3f}  {tokenizer.decode(best, skip_special_tokens=True)}")
agreed = []
for french in [*new, *(one for one, _ in pairs[:5])]:
    inputs = tokenizer(french, return_tensors="pt")
    by_hand = beam_search(inputs, 4)[0][0]
    by_library = model.generate(**inputs, num_beams=4, max_new_tokens=39, early_stopping=True)[0]
    agreed.append(by_hand == by_library.tolist())
print(f"même chose que generate : {sum(agreed)} phrases sur {len(agreed)}")

# %% [markdown]
# ## 7. L'attention croisée
#
# Que regarde le décodeur dans la phrase française, au moment d'écrire chaque morceau ? On lui redonne ce
# qu'il a écrit (forçage par l'enseignant, encore) et on demande les poids. Ils ont la forme (textes, têtes,
# morceaux écrits, morceaux lus), par couche : ici les lignes et les colonnes ne sont plus les mêmes.

# %%
tokenizer, model = open_translator(str(marian), attn_implementation="eager")
translator = Translator(tokenizer, model, task_of(tokenizer, model))
text = pairs[10][0]
ids = translator.encode(text)
written = translator.generate([ids])[0].ids
with torch.no_grad():
    output = model(
        input_ids=torch.tensor([ids]),
        decoder_input_ids=torch.tensor([written[:-1]]),
        output_attentions=True,
    )
print("encodeur", tuple(output.encoder_attentions[0].shape))
print("décodeur", tuple(output.decoder_attentions[0].shape))
print("croisée ", tuple(output.cross_attentions[0].shape))
read, given, wrote = (tokenizer.convert_ids_to_tokens(x) for x in (ids, written[:-1], written[1:]))
figure, axes = plt.subplots(1, 3, figsize=(13, 4.6))
mean = [kind[0][0].mean(0) for kind in (output.encoder_attentions, output.decoder_attentions)]
draw(axes[0], mean[0], read, read, "encodeur")
draw(axes[1], mean[1], wrote, given, "décodeur, causal")
draw(axes[2], output.cross_attentions[0][0].mean(0), wrote, read, "croisée")
figure.tight_layout()

# %% [markdown]
# Dans un modèle qui sait traduire, l'attention croisée dessine à peu près l'alignement des mots. Le nôtre
# récite : il lui suffit souvent de reconnaître la phrase à quelques morceaux. La page suivante, que fait aussi
# `translate … --attention page.html`, montre chaque tête ; choisissez-y l'une des trois attentions.

# %%
from scripts.encoders.attention import attention_page
from scripts.seq2seq.attention import attention_views

page = attention_page(
    "marian", attention_views(translator, ids, written), "fr", [text, translator.decode(written)]
)
course.framed(page, 620)

# %% [markdown]
# ## 8. Rendre sa ponctuation à du français parlé
#
# Une transcription n'a ni majuscules ni ponctuation. Les lui rendre est aussi une traduction : du français
# sans, vers le français avec. Et les paires ne coûtent rien : n'importe quel texte bien ponctué, mis en
# minuscules et privé de ses signes, donne la source.
#
# L'encodeur, lui, n'apprend pas sa langue ici : avec mille phrases, un encodeur neuf n'apprend même pas à
# recopier. On commence donc par le préentraîner, comme dans le carnet 4, sur les mots cachés de tout le texte
# brut. C'est le plus long.

# %%
import contextlib
import io

from scripts.common.raw_text import read_lines, split
from scripts.encoders.pretrain import pretrain
from scripts.encoders.train_tokenizer import train_wordpiece
from scripts.seq2seq.model import encoder_decoder, open_encoder

text = Path("assets/sample/raw-fr")
lines = split(read_lines(text), held_out=False)
train_wordpiece(lines, 2000).save_pretrained(Path(WORK) / "pieces")
settings = {"model.num_hidden_layers": 2, "training.max_steps": PRETRAINING}
# An interrupted pretraining would be resumed, or refused if the parameters have changed
discard(Path(WORK) / "encoder.unfinished")
# What it prints has the paths of this machine
with contextlib.redirect_stdout(io.StringIO()):
    pretrain(text, Path(WORK) / "encoder", f"{WORK}/pieces", "", "", None, None, settings)
tokenizer, encoder = open_encoder(f"{WORK}/encoder", None)
print(f"{encoder.config.num_hidden_layers} couches, {encoder.num_parameters():,} paramètres")

# %% [markdown]
# Des lignes du texte, on ne garde que celles qui commencent par une majuscule et finissent par un signe : les
# autres sont de la parole transcrite, qui n'apprendrait qu'à ne rien mettre. Une ligne sur vingt est mise de
# côté pour juger.

# %%
from scripts.seq2seq.pairs import make_pairs, row
from scripts.seq2seq.pieces import Pieces

LIMIT = 64
set_seed(0)
Path(WORK).mkdir(parents=True, exist_ok=True)
pieces = Pieces(tokenizer)
settings = {"max_pieces": LIMIT, "eval_texts": 100}
data = make_pairs(text, None, pieces, settings, Path(WORK) / "pairs.arrow")
print(len(data.train), "textes pour apprendre,", len(data.held_out), "de côté")
for what, count in sorted(data.counts.items()):
    print(f"{count:6,} {what}")
example = data.train[3]
print("source :", tokenizer.decode(example["input_ids"]))
print("cible  :", tokenizer.decode(example["labels"]))

# %% [markdown]
# L'`EncoderDecoderModel` de transformers réunit un encodeur et un décodeur quelconques. Le nôtre est un BERT
# de deux couches avec un masque causal et une attention croisée ; il est neuf, à part les vecteurs de ses
# morceaux, repris de l'encodeur. Ses positions sont absolues, car les positions relatives de BERT ne
# fonctionnent pas avec la mémoire de l'attention croisée.

# %%
shape = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 1024}
shape |= {"initializer_range": 0.03, "dropout": 0.1}
model = encoder_decoder(shape, tokenizer, encoder, 2 * LIMIT)
for name in ("encoder", "decoder"):
    part = getattr(model, name)
    print(f"{name}: {type(part).__name__}, {part.num_parameters():,} paramètres")
model.decoder.config.is_decoder, model.decoder.config.add_cross_attention

# %% [markdown]
# `Seq2SeqTrainer` fait la boucle. À chaque évaluation, la part des morceaux justes *quand on donne les
# précédents* : elle monte vite, car la plupart ne sont que des copies.

# %%
from transformers import Seq2SeqTrainingArguments

from scripts.common.trainer import training_arguments
from scripts.seq2seq.trainer import PairsTrainer

fields = {
    "max_steps": RESTORING,
    "per_device_train_batch_size": 32,
    "group_by_length": True,
    "learning_rate": 1e-3,
    "warmup_ratio": 0.1,
    "weight_decay": 0.01,
    "eval_strategy": "steps",
    "eval_steps": 100,
    "logging_steps": 50,
    "save_strategy": "no",
}
arguments = training_arguments(fields, Path(WORK) / "restorer", Seq2SeqTrainingArguments)
held_out = [row(chunk, pieces) for chunk in data.held_out]
trainer = PairsTrainer(model, arguments, tokenizer, data.train, held_out)
trainer.train()
trainer.close()

# %% [markdown]
# Laissé libre, un tel modèle change des mots : il écrit des morceaux probables, pas ceux de la source. On
# contraint donc la génération (`LogitsProcessor`) : à chaque pas, seuls sont permis le mot suivant, avec ou sans
# majuscule, et un signe. Voici ses scores sur les textes de côté, et ceux de deux façons de faire sans
# modèle : tout laisser tel quel ; ou écrire chaque mot comme le plus souvent, avec une majuscule au début et un
# point à la fin.

# %%
from scripts.seq2seq.restorer import Restorer
from scripts.seq2seq.train_restorer import scores_of, table

scores = scores_of(model, trainer, data, LIMIT)
columns = ["textes de côté", "F des signes", "F des majuscules", "chrF"]
pandas.DataFrame(table(scores), columns=columns).set_index("textes de côté")

# %% [markdown]
# Et sur du français parlé, qu'il n'a pas vu, puisque ces lignes n'ont pas de ponctuation :

# %%
restorer = Restorer(tokenizer, model, LIMIT, data.habits.spaced)
spoken = list(read_lines(text / "interviews.txt"))[40:46]
for one in restorer.restore(spoken):
    print(one.source, "\n →", one.text)

# %% [markdown]
# Ce qu'il faut en retenir : avec mille textes courts, il coupe déjà des phrases et met des virgules, pas toujours
# au bon endroit. Sa perte d'apprentissage finit bien plus bas que celle des textes de côté : il commence à savoir les
# siens par cœur. Pour les majuscules, il vaut à peu près les mots les plus fréquents : les noms propres
# s'apprennent en lisant beaucoup. chrF, qui compare des suites de lettres, ne voit presque rien de tout cela,
# puisque les mots sont les mêmes. `python3 run.py train-restorer` et `restore` sont les mêmes
# fonctions ; donnez-leur des romans.
#
# **Exercice.** Dessinez l'attention croisée de ce modèle sur une phrase (`output_attentions=True`, comme au
# point 7). Pourquoi s'attendre à y voir une diagonale, et non chez notre traducteur ?
