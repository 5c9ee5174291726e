# %% [markdown]
# # 1. Un encodeur, vu de l'intérieur
#
# Un *encodeur* de la famille de BERT lit un texte et rend un vecteur pour chacun de ses morceaux. Ce carnet en ouvre un : sa configuration, son vocabulaire, ses états cachés, son attention, et le jeu auquel on l'a entraîné, deviner un mot caché.
#
# Il s'exécute de haut en bas, sans *hub* ni carte graphique, en trois minutes. Chaque étape a sa commande dans le projet : `python3 run.py inspect`, `python3 run.py fill-mask`.
#
# ## Réglages
#
# `ENCODER` est un dossier au format de Hugging Face ou un nom du *hub*. Celui de la démonstration, `e5-small-fr-en`, est multilingual-e5-small réduit au français et à l'anglais ; `python3 run.py course` l'a préparé. Si vous avez accès au *hub*, écrivez `HUB = True` : le carnet ouvre alors `distilbert-base-multilingual-cased`.

# %% reduced={"UPDATES": 4} tags=["parameters"]
HUB = False
ENCODER = "assets/encoders/e5-small-fr-en"
# Du petit encodeur de la fin : la taille du vocabulaire, et le nombre de mises à jour.
PIECES = 2000
UPDATES = 1000
WORK = "training/course/1-encodeur"

# %%
import course

if HUB:
    ENCODER = "distilbert-base-multilingual-cased"

# %% [markdown]
# `import course` place le carnet dans le dossier du projet, d'où l'on peut importer `scripts`.
#
# ## Charger
#
# `open_checkpoint` fait ce que font `AutoTokenizer.from_pretrained` et `AutoModel.from_pretrained`, avec trois précautions : aucun code téléchargé n'est exécuté, des poids absents sont une erreur et non un tirage au hasard, et le modèle est rendu en mode évaluation.
#
# > **Depuis 2022.** Les poids sont des fichiers `safetensors`, qui ne peuvent contenir de programme, et non plus des *pickles*. L'attention est calculée d'un bloc (`sdpa`) sans que ses poids soient gardés : pour les regarder, il faut demander `attn_implementation="eager"`.

# %%
from scripts.encoders.checkpoint import open_checkpoint

tokenizer, model = open_checkpoint(ENCODER, attn_implementation="eager")
type(tokenizer).__name__, type(model).__name__, model.training

# %% [markdown]
# ## La configuration
#
# Un modèle est une configuration (quelques nombres) et des poids (des millions). La configuration dit tout de la forme : le nombre de couches, leur largeur, le nombre de têtes d'attention, la taille du vocabulaire. Les noms changent d'une famille à l'autre (`dim` chez DistilBERT, `hidden_size` chez BERT) ; `PretrainedConfig` les fait correspondre.

# %%
import pandas

FIELDS = {
    "num_hidden_layers": "couches",
    "hidden_size": "largeur des vecteurs",
    "num_attention_heads": "têtes par couche",
    "vocab_size": "morceaux du vocabulaire",
    "max_position_embeddings": "positions",
}
pandas.DataFrame(
    {"valeur": [getattr(model.config, field) for field in FIELDS], "sens": FIELDS.values()},
    index=list(FIELDS),
)

# %% [markdown]
# Où sont les poids ? Dans un petit encodeur, pour une grande part dans la table des plongements (*embeddings*), qui a une ligne par morceau du vocabulaire : c'est pourquoi réduire le vocabulaire allège tant.

# %%
from scripts.encoders.inspect import parameters

counts = pandas.Series(parameters(model), name="paramètres").to_frame()
counts["part"] = (counts["paramètres"] / counts["paramètres"].sum()).map("{:.1%}".format)
counts

# %% [markdown]
# ## Du texte aux morceaux
#
# Le modèle ne lit pas des mots, mais des *morceaux* (*pieces*) : un mot fréquent en est un, un mot rare est coupé en plusieurs, et rien, ou presque, n'est inconnu. Le signe `▁` marque un début de mot (SentencePiece) ; chez BERT, c'est la suite d'un mot qui porte `##`.

# %%
TEXT = "Marie Curie est née à Varsovie, et l'hydrogéologie l'ennuyait."
print(tokenizer.tokenize(TEXT))

# %% [markdown]
# `pieces_of` ajoute ce qu'il faut savoir pour revenir au texte : le numéro de chaque morceau dans le vocabulaire, sa place en caractères, et les mots de spaCy qu'il recouvre. Le premier et le dernier sont des morceaux spéciaux, que le modèle attend autour de tout texte.

# %%
from scripts.encoders.inspect import pieces_of

pieces = pieces_of(TEXT, tokenizer, "fr")
pandas.DataFrame(pieces)[["piece", "id", "start", "end", "tokens", "special"]]

# %% [markdown]
# Ces numéros sont tout ce que le modèle reçoit. `decode` refait le chemin inverse.

# %%
ids = tokenizer(TEXT)["input_ids"]
print(ids)
print(tokenizer.decode(ids))

# %% [markdown]
# Plusieurs textes forment un lot (*batch*), un tableau rectangulaire : les plus courts sont complétés (*padding*), et `attention_mask` dit par des 0 quels morceaux ne comptent pas.

# %%
TEXTS = ["Un beau film.", "Un film d'une lenteur admirable, et pourtant trop court."]
batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
for name, tensor in batch.items():
    print(f"{name} {tuple(tensor.shape)}\n{tensor}")

# %% [markdown]
# ## Des morceaux aux vecteurs
#
# `run_model` passe un lot dans le modèle et demande tout : les états cachés de chaque couche et les poids de l'attention. Retenez les formes ; tout le reste du cours est fait avec elles.

# %%
from scripts.encoders.inspect import run_model

output, mask = run_model([TEXT], tokenizer, model)
print("last_hidden_state:", tuple(output.last_hidden_state.shape), "(textes, morceaux, largeur)")
print("hidden_states:", len(output.hidden_states), "fois", tuple(output.hidden_states[0].shape))
print("attentions:", len(output.attentions), "fois", tuple(output.attentions[0].shape))

# %% [markdown]
# Il y a un état caché de plus que de couches : le premier sort des plongements, avant toute couche ; le dernier est `last_hidden_state`. Vérifions-le plutôt que de le croire.

# %%
import torch

with torch.no_grad():
    embedded = model.embeddings(tokenizer(TEXT, return_tensors="pt")["input_ids"])
print(torch.allclose(embedded, output.hidden_states[0]))
print(torch.equal(output.last_hidden_state, output.hidden_states[-1]))

# %% [markdown]
# ### Un mot, plusieurs vecteurs
#
# Dans la table des plongements, *glace* est partout le même (un morceau ou deux, dont nous prenons la moyenne). Après les couches, le mot a autant de vecteurs que de phrases : c'est ce qu'on appelle un vecteur *en contexte*. Comparons, couche après couche, deux glaces qui se mangent, puis une glace et un miroir.

# %%
WORD = "glace"
DESSERT, SECOND_DESSERT, MIRROR = (
    "Une glace à la vanille, s'il vous plaît.",
    "Il mange une glace au chocolat.",
    "Elle se regarde dans la glace.",
)


def word_states(text: str) -> torch.Tensor:
    """Return the states of WORD in a text, after the embeddings and each layer: (1 + layers, width)."""
    start, end = text.index(WORD), text.index(WORD) + len(WORD)
    of_word = [
        index
        for index, piece in enumerate(pieces_of(text, tokenizer, "fr"))
        if piece.start < end and piece.end > start
    ]
    output, _ = run_model([text], tokenizer, model)
    return torch.stack(output.hidden_states)[:, 0, of_word].mean(1)


dessert, second, mirror = map(word_states, (DESSERT, SECOND_DESSERT, MIRROR))
close = torch.cosine_similarity(dessert, second, dim=-1)
far = torch.cosine_similarity(dessert, mirror, dim=-1)

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.plot(close, marker="o", label="deux desserts")
axes.plot(far, marker="o", label="un dessert, un miroir")
axes.set(xlabel="couche (0 : les plongements)", ylabel="similarité (cosinus)")
axes.set_xticks(range(len(close)))
axes.legend()
plt.show()

# %% [markdown]
# Les deux courbes partent presque du même point, puis s'écartent au milieu du modèle : les voisins (*vanille*, *chocolat*, *se regarde*) ont fait leur œuvre. À la dernière couche l'écart a disparu, sans doute parce que e5 a été entraîné à y résumer la phrase entière : la dernière couche n'est pas toujours la meilleure pour savoir ce qu'est un mot.
#
# Remarquez aussi que rien ne descend bien bas : les vecteurs d'un encodeur occupent un cône étroit, et un cosinus de 0,85 n'y veut pas dire « presque pareil ». On compare des cosinus entre eux, jamais à un seuil venu d'ailleurs.
#
# La même mesure sur des phrases entières, chacune étant la moyenne de ses morceaux : à quel point deux phrases ressemblent-elles à « Le film est magnifique. » ?

# %%
from scripts.encoders.inspect import similarities

REVIEW = "Le film est magnifique."
OTHERS = ["Ce long métrage est superbe.", "Le train part à midi."]
columns = {}
for other in OTHERS:
    both, both_mask = run_model([REVIEW, other], tokenizer, model)
    columns[other] = similarities(both.hidden_states, both_mask)
pandas.DataFrame(columns).rename_axis("couche").round(2)

# %% [markdown]
# ## Ce que regarde l'attention
#
# Dans chaque couche, chaque *tête* distribue l'attention de chaque morceau entre tous les autres : une ligne de poids positifs, dont la somme est 1. La phrase fait donc, pour chaque couche et chaque tête, un tableau carré.

# %%
PHRASE = "Marie Curie est née à Varsovie, et elle a vécu à Paris."
output, _ = run_model([PHRASE], tokenizer, model)
attention = torch.stack(output.attentions)[:, 0]
print(tuple(attention.shape), "(couches, têtes, morceaux, morceaux)")
sums = attention.sum(-1)
print(f"sommes des lignes : de {sums.min():.6f} à {sums.max():.6f}")

# %% [markdown]
# Cela fait beaucoup de tableaux. Cherchons plutôt ce qu'ils ont de commun : quelle part de son attention chaque tête donne-t-elle, en moyenne, au morceau précédent, au suivant, au premier, au dernier ?

# %%
looks_at = {
    "le précédent": attention.diagonal(-1, dim1=-2, dim2=-1).mean(-1),
    "le suivant": attention.diagonal(1, dim1=-2, dim2=-1).mean(-1),
    "le premier": attention[..., 0].mean(-1),
    "le dernier": attention[..., -1].mean(-1),
}
n_layers, n_heads = attention.shape[:2]
figure, panels = plt.subplots(1, 4, figsize=(12, 3.4), sharey=True, layout="constrained")
for panel, (name, share) in zip(panels, looks_at.items()):
    picture = panel.imshow(
        share, vmin=0, vmax=1, cmap="Blues", extent=(0.5, n_heads + 0.5, n_layers + 0.5, 0.5)
    )
    panel.set(title=name, xlabel="tête", xticks=range(2, n_heads + 1, 2))
panels[0].set_ylabel("couche")
figure.colorbar(picture, ax=panels, label="part de l'attention")
plt.show()

# %% [markdown]
# Quelques têtes sont des spécialistes : elles regardent le voisin de gauche, ou celui de droite. Beaucoup d'autres fixent le premier morceau, `<s>` ou `[CLS]`, qui n'a pas de sens à lui : une tête qui n'a rien à dire d'une phrase doit bien poser son attention quelque part. Voici, pour chaque motif, la tête qui le suit le mieux.

# %%
names = tokenizer.convert_ids_to_tokens(tokenizer(PHRASE)["input_ids"])
figure, panels = plt.subplots(1, 4, figsize=(16, 4.6), layout="constrained")
for panel, (name, share) in zip(panels, looks_at.items()):
    layer, head = divmod(share.argmax().item(), n_heads)
    panel.imshow(attention[layer, head], vmin=0, vmax=1, cmap="Blues")
    panel.set_title(f"{name} : {share.max():.0%}\ncouche {layer + 1}, tête {head + 1}")
    panel.set_xticks(range(len(names)), names, rotation=90)
    panel.set_yticks(range(len(names)), names)
plt.show()

# %% [markdown]
# La page d'attention du projet (`python3 run.py inspect ENCODEUR "texte" --attention page.html`) les montre toutes : choisissez la couche et la tête, promenez la souris. Elle s'anime dans JupyterLab, une fois la cellule exécutée.

# %%
from scripts.encoders.attention import View, attention_page

view = View("self-attention", names, names, output.attentions)
course.framed(attention_page(tokenizer.name_or_path, [view], "fr"), height=820)

# %% [markdown]
# Que *elle* regarde *Marie* ou non dans telle tête, gardez-vous d'en conclure que le modèle a « compris » le pronom : l'attention dit d'où vient l'information dans une couche, pas ce qu'elle devient dans les suivantes. C'est un instrument pour chercher, ce n'est pas une explication.
#
# ## Combler un trou
#
# Un encodeur apprend en devinant des mots cachés. Il lui faut pour cela une *tête* (rien à voir avec celles de l'attention) : quelques poids de plus, qui font d'un état caché une probabilité pour chaque morceau du vocabulaire. Demandons au nôtre de combler un trou.

# %%
from transformers import AutoModelForMaskedLM

from scripts.common.errors import UserError

try:
    open_checkpoint(ENCODER, AutoModelForMaskedLM)
    print("Cet encodeur a sa tête.")
except UserError as error:
    print(error)

# %% [markdown]
# Refusé, et à raison : e5 a été entraîné à rapprocher des phrases, et publié sans cette tête. `transformers` seul ne refuse pas : il tire les poids absents au hasard, le dit dans un avertissement que l'on finit par ne plus lire, et rend des probabilités qui n'en sont pas. Regardez ce qui manque, puis ce que cela donne.

# %%
from scripts.encoders.fill_mask import fill

GAP = "Paris est la [MASK] de la France."
unheaded, info = AutoModelForMaskedLM.from_pretrained(ENCODER, output_loading_info=True)
print("tirés au hasard :", info["missing_keys"])
pandas.DataFrame(fill(GAP, tokenizer, unheaded.eval(), top=5)[0])

# %% [markdown]
# Il nous faut un encodeur préentraîné avec sa tête. Avec le *hub*, `distilbert-base-multilingual-cased` en a une. Sans lui, fabriquons-en un petit sur place : un vocabulaire, puis un préentraînement d'une minute sur les 46 000 mots de français de `assets/sample/raw-fr`. Prenez ces deux appels comme une boîte noire ; le carnet 4 l'ouvre.

# %%
from pathlib import Path

from scripts.common.files import discard
from scripts.encoders.pretrain import pretrain
from scripts.encoders.train_tokenizer import train_tokenizer

if HUB:
    masked = ENCODER
else:
    text, vocabulary, masked = Path("assets/sample/raw-fr"), f"{WORK}/vocabulary", f"{WORK}/encoder"
    Path(WORK).mkdir(parents=True, exist_ok=True)
    train_tokenizer(text, Path(vocabulary), "unigram", PIECES, None, "")
    settings = {
        "model.num_hidden_layers": 2,
        "training.max_steps": UPDATES,
        "training.eval_steps": UPDATES // 4,
    }
    # What an interrupted run of this cell left; it would be resumed.
    discard(Path(f"{masked}.unfinished"))
    pretrain(text, Path(masked), vocabulary, "", "", None, None, settings)

# %% [markdown]
# La perte sur des phrases mises de côté passe sous l'entropie des morceaux, celle d'un modèle qui ne saurait que leurs fréquences : il lit donc le contexte. Assez pour du français parlé simple ?

# %%
masked_tokenizer, masked_model = open_checkpoint(masked, AutoModelForMaskedLM)


def guesses(text: str, top: int = 5) -> pandas.DataFrame:
    """Return the most probable pieces for the gap in a text."""
    (found,) = fill(text, masked_tokenizer, masked_model, top)
    return pandas.DataFrame(found)[["piece", "probability"]]


GAPS = [
    "il y [MASK] un marché le samedi",
    "je [MASK] pas",
    "Paris est la [MASK] de la France.",
    "Rome est la [MASK] de la France.",
]
pandas.concat({gap: guesses(gap) for gap in GAPS}, axis=1)

# %% [markdown]
# Les deux premiers trous sont de la grammaire, que 46 000 mots enseignent un peu : un auxiliaire, un verbe après *je*. Le troisième a l'air de connaître la géographie ; mais c'est mot pour mot la première ligne de `explications.txt`, où d'autres capitales suivent. Le quatrième le trahit : le modèle remplit un moule, il ne sait rien de Rome.
#
# Deux erreurs à ne pas faire : lire ces probabilités comme celles d'une réponse juste, et oublier que le trou a la taille d'*un morceau* : un mot que le vocabulaire coupe en deux n'y entre pas.
#
# ## À retenir
#
# - Texte → morceaux → numéros → vecteurs ; un vecteur par morceau et par couche, de forme `(textes, morceaux, largeur)`.
# - Le vecteur d'un mot dépend de sa phrase ; on compare des cosinus entre eux.
# - Les poids d'une tête sont dans le fichier, ou tirés au hasard : vérifiez lequel des deux.
#
# Le carnet 2 pose sur cet encodeur une tête à soi, et l'entraîne.
