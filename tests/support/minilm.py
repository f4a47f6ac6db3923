"""A sentence encoder (all-MiniLM-L6-v2) with a linear probe for the mood of film reviews, exported from PyTorch.

Runs by itself, in an environment with PyTorch: `python minilm.py MODEL_FOLDER SNIPPETS OUT_FOLDER` writes
`minilm.onnx`, its tokenizer, and `reviews.csv` with reviews that the probe has not seen. The encoder is that of BERT
(Devlin et al., 2019), stated again here; its weights are those of the folder.
"""

import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

LAYERS, HEADS, WIDTH, LENGTH, LATE = 6, 12, 384, 64, 1e-12
TEST, SEED = 100, 0


class Layer(nn.Module):
    """Attention and two dense layers, each added to what came in and normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.joined = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.wide, self.narrow = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.first, self.second = (nn.LayerNorm(WIDTH, eps=LATE) for _ in range(2))

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        batch, length, _ = x.shape
        query, key, value = (
            part(x).view(batch, length, HEADS, -1).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(2, 3) / (WIDTH // HEADS) ** 0.5 + hidden
        seen = (scores.softmax(dim=-1) @ value).transpose(1, 2).reshape(batch, length, WIDTH)
        x = self.first(x + self.joined(seen))
        return self.second(x + self.narrow(nn.functional.gelu(self.wide(x))))


class Encoder(nn.Module):
    """Tokens to one vector of length 1: the mean over the tokens that count."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.kinds = (nn.Embedding(n, WIDTH) for n in (30522, 512, 2))
        self.norm = nn.LayerNorm(WIDTH, eps=LATE)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        places = self.places.weight[: input_ids.shape[1]]
        x = self.norm(self.words(input_ids) + places + self.kinds(token_type_ids))
        counts = attention_mask.to(x.dtype)
        for layer in self.layers:
            x = layer(x, (1 - counts)[:, None, None, :] * -1e4)
        mean = (x * counts[:, :, None]).sum(dim=1) / counts.sum(dim=1, keepdim=True)
        return nn.functional.normalize(mean, dim=1)


class Judge(nn.Module):
    """The encoder and the probe behind it."""

    def __init__(self, encoder: Encoder, probe: nn.Linear) -> None:
        super().__init__()
        self.encoder, self.probe = encoder, probe

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        scores: Tensor = self.probe(self.encoder(input_ids, attention_mask, token_type_ids))
        return scores


NAMES = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "joined",
    "attention.output.LayerNorm": "first",
    "intermediate.dense": "wide",
    "output.dense": "narrow",
    "output.LayerNorm": "second",
    "embeddings.word_embeddings": "words",
    "embeddings.position_embeddings": "places",
    "embeddings.token_type_embeddings": "kinds",
    "embeddings.LayerNorm": "norm",
}


def encoder_of(folder: Path) -> Encoder:
    """Return the encoder with the folder's weights, every one of which must find its place."""
    encoder, found = Encoder().eval(), {}
    for name, tensor in load_file(folder / "model.safetensors").items():
        owner, _, part = name.rpartition(".")
        if owner.startswith("encoder.layer."):
            _, _, number, inside = owner.split(".", 3)
            found[f"layers.{number}.{NAMES[inside]}.{part}"] = tensor
        elif owner in NAMES:
            found[f"{NAMES[owner]}.{part}"] = tensor
    encoder.load_state_dict(found)
    return encoder


def snippets(path: Path) -> list[tuple[str, int]]:
    """Return reviews and whether their rating is above zero where it is clear, shuffled; a thousand of them."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    made = [(text.strip(), int(float(rating) > 0)) for _, rating, text in rows if abs(float(rating)) > 1]
    order = torch.randperm(len(made), generator=torch.Generator().manual_seed(SEED)).tolist()
    return [made[number] for number in order][:1000]


def probe_of(vectors: Tensor, labels: Tensor) -> nn.Linear:
    """Return a logistic regression of two classes."""
    torch.manual_seed(SEED)
    probe = nn.Linear(WIDTH, 2)
    optimiser = torch.optim.LBFGS(probe.parameters(), max_iter=100)

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = nn.functional.cross_entropy(probe(vectors), labels) + 1e-3 * probe.weight.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    return probe.eval()


def main() -> None:
    """Write model, tokenizer and reviews."""
    folder, reviews, out = (Path(argument) for argument in sys.argv[1:])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(LENGTH)
    tokenizer.enable_padding(length=LENGTH)
    encoder, rows = encoder_of(folder), snippets(reviews)
    made = tokenizer.encode_batch([text for text, _ in rows])
    tokens = tuple(torch.tensor([getattr(one, part) for one in made]) for part in ("ids", "attention_mask", "type_ids"))
    with torch.no_grad():
        vectors = encoder(*(part[TEST:] for part in tokens))
    judge = Judge(encoder, probe_of(vectors, torch.tensor([label for _, label in rows[TEST:]])))
    names = ["input_ids", "attention_mask", "token_type_ids"]
    torch.onnx.export(
        judge,
        tuple(part[:2] for part in tokens),
        str(out / "minilm.onnx"),
        input_names=names,
        output_names=["scores"],
        dynamic_axes={name: {0: "batch"} for name in (*names, "scores")},
        opset_version=17,
        dynamo=False,
    )
    shutil.copy(folder / "tokenizer.json", out)
    quoted = [f'"{text.replace(chr(34), chr(34) * 2)}",{("bad", "good")[label]}' for text, label in rows[:TEST]]
    (out / "reviews.csv").write_text("\n".join(["text,mood", *quoted]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
