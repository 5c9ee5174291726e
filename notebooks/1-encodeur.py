# %% [markdown]
# # 1. Un encodeur, vu de l'intérieur
#
# Un *encodeur* de la famille de BERT lit un texte et rend un vecteur pour chacun de ses morceaux. Ce carnet en ouvre un : sa configuration, son vocabulaire, ses états cachés, son attention, et le jeu auquel on l'a entraîné, deviner un mot caché.
#
# Il s'exécute de haut en bas, sans *hub* ni carte graphique, en deux minutes. Chaque étape a sa commande dans le projet : `python3 run.py inspect`, `python3 run.py fill-mask`.
#
# ## Réglages
#
# `ENCODER` est un dossier au format de Hugging Face ou un nom du *hub*. Celui de la démonstration, `e5-small-fr-en`, est multilingual-e5-small réduit au français et à l'anglais ; `python3 run.py course` l'a préparé. Si vous avez accès au *hub*, écrivez `HUB = True` : le carnet ouvre alors `distilbert-base-multilingual-cased`.

# %% reduced={"PIECES": 1000, "UPDATES": 4} tags=["parameters"]
HUB = False
ENCODER = "assets/encoders/e5-small-fr-en"
# Du petit encodeur de la fin : la taille du vocabulaire, et le nombre de mises à jour.
PIECES = 4000
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
# `open_checkpoint` fait ce que font `AutoTokenizer.from_pretrained` et `AutoModel.from_pretrained`, avec trois précautions : aucun code téléchargé n'est exécuté, des poids absents sont une erreur et non un tirage au hasard, et le modèle est rendu en mode évaluation.
#
# > **Depuis 2022.** Les poids sont des fichiers `safetensors`, qui ne peuvent contenir de programme, et non plus des *pickles*. L'attention est calculée d'un bloc (`sdpa`) sans que ses poids soient gardés : pour les regarder, il faut demander `attn_implementation="eager"`.

# %%
from scripts.encoders.checkpoint import open_checkpoint

tokenizer, model = open_checkpoint(ENCODER, attn_implementation="eager")
type(tokenizer).__name__, type(model).__name__, model.training

# %% [markdown]
# ## La configuration
#
# Un modèle est une configuration (quelques nombres) et des poids (des millions). La configuration dit tout de la forme : le nombre de couches, leur largeur, le nombre de têtes d'attention, la taille du vocabulaire. Les noms changent d'une famille à l'autre (`dim` chez DistilBERT, `hidden_size` chez BERT) ; `PretrainedConfig` les fait correspondre.

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
# Où sont les poids ? Dans un petit encodeur multilingue, pour moitié dans la table des plongements (*embeddings*), qui a une ligne par morceau du vocabulaire : c'est pourquoi réduire le vocabulaire allège tant.

# %%
from scripts.encoders.inspect import parameters

counts = pandas.Series(parameters(model), name="paramètres").to_frame()
counts["part"] = (counts["paramètres"] / counts["paramètres"].sum()).map("{:.1%}".format)
counts

# %% [markdown]
# ## Du texte aux morceaux
#
# Le modèle ne lit pas des mots, mais des *morceaux* (*pieces*) : un mot fréquent en est un, un mot rare est coupé en plusieurs, et rien, ou presque, n'est inconnu. Le signe `▁` marque un début de mot (SentencePiece) ; chez BERT, c'est la suite d'un mot qui porte `##`.

# %%
TEXT = "Marie Curie est née à Varsovie, et l'hydrogéologie l'ennuyait."
tokenizer.tokenize(TEXT)

# %% [markdown]
# `pieces_of` ajoute ce qu'il faut savoir pour revenir au texte : le numéro de chaque morceau dans le vocabulaire, sa place en caractères, et les mots de spaCy qu'il recouvre. Le premier et le dernier sont des morceaux spéciaux, que le modèle attend autour de tout texte.

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
# Plusieurs textes forment un lot (*batch*), un tableau rectangulaire : les plus courts sont complétés (*padding*), et `attention_mask` dit par des 0 quels morceaux ne comptent pas.

# %%
TEXTS = ["Un beau film.", "Un film d'une lenteur admirable, et pourtant trop court."]
batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
for name, tensor in batch.items():
    print(f"{name} {tuple(tensor.shape)}\n{tensor}")

# %% [markdown]
# ## Des morceaux aux vecteurs
#
# `run_model` passe un lot dans le modèle et demande tout : les états cachés de chaque couche et les poids de l'attention. Retenez les formes ; tout le reste du cours est fait avec elles.

# %%
from scripts.encoders.inspect import run_model

output, mask = run_model([TEXT], tokenizer, model)
print("last_hidden_state:", tuple(output.last_hidden_state.shape), "(textes, morceaux, largeur)")
print("hidden_states:", len(output.hidden_states), "fois", tuple(output.hidden_states[0].shape))
print("attentions:", len(output.attentions), "fois", tuple(output.attentions[0].shape))

# %% [markdown]
# Il y a un état caché de plus que de couches : le premier sort des plongements, avant toute couche ; le dernier est `last_hidden_state`. Vérifions-le plutôt que de le croire.

# %%
import torch

with torch.no_grad():
    embedded = model.embeddings(tokenizer(TEXT, return_tensors="pt")["input_ids"])
print(torch.allclose(embedded, output.hidden_states[0]))
print(torch.equal(output.last_hidden_state, output.hidden_states[-1]))

# %% [markdown]
# ### Un mot, plusieurs vecteurs
#
# Dans la table des plongements, *avocat* a un seul vecteur. Après les couches, il en a un par phrase : c'est ce qu'on appelle un vecteur *en contexte*. Comparons, couche après couche, deux avocats du barreau, puis un avocat du barreau et un fruit.

# %%
WORD = "avocat"
LAWYER, SECOND_LAWYER, FRUIT = (
    "L'avocat plaide au tribunal.",
    "Cet avocat défend son client.",
    "J'ai mangé un avocat bien mûr.",
)


def word_states(text: str) -> torch.Tensor:
    """Return the states of WORD in a text after the embeddings and each layer: (1 + layers, width)."""
    start, end = text.index(WORD), text.index(WORD) + len(WORD)
    of_word = [
        index
        for index, piece in enumerate(pieces_of(text, tokenizer, "fr"))
        if piece.start < end and piece.end > start
    ]
    states = torch.stack(run_model([text], tokenizer, model)[0].hidden_states)
    return states[:, 0, of_word].mean(1)


lawyer, second, fruit = map(word_states, (LAWYER, SECOND_LAWYER, FRUIT))
same = torch.cosine_similarity(lawyer, second, dim=-1)
other = torch.cosine_similarity(lawyer, fruit, dim=-1)

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 3))
axes.plot(same, marker="o", label="deux avocats du barreau")
axes.plot(other, marker="o", label="un avocat du barreau, un fruit")
axes.set(xlabel="couche (0 : les plongements)", ylabel="similarité (cosinus)")
axes.legend()
plt.show()
