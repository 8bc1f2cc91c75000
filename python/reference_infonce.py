"""Writes testdata/infonce/golden.json: loss and gradients of sentence-transformers' MultipleNegativesRankingLoss.

The loss is taken on given embeddings: a model that returns its input stands in for the encoder.
"""

import json
from pathlib import Path

import torch
from sentence_transformers.losses import MultipleNegativesRankingLoss

OUT = Path(__file__).resolve().parent.parent / "testdata" / "infonce" / "golden.json"


class Given(torch.nn.Module):
    """Returns the embeddings that it is given as features."""

    def forward(self, features):
        return {"sentence_embedding": features["embedding"]}


def case(pairs, negatives, dim, scale, seed):
    generator = torch.Generator().manual_seed(seed)
    queries = torch.randn(pairs, dim, generator=generator, dtype=torch.float64).requires_grad_()
    texts = torch.randn(pairs + negatives, dim, generator=generator, dtype=torch.float64).requires_grad_()
    loss_of = MultipleNegativesRankingLoss(Given(), scale=scale)
    columns = [queries, texts[:pairs]]
    if negatives:  # one more column of texts that belong to no query; its length must be the batch's
        assert negatives == pairs
        columns.append(texts[pairs:])
    loss = loss_of([{"embedding": c} for c in columns], labels=torch.empty(0))
    loss.backward()
    return {"scale": scale, "queries": queries.tolist(), "texts": texts.tolist(), "loss": loss.item(),
            "grad_queries": queries.grad.tolist(), "grad_texts": texts.grad.tolist()}


def main():
    OUT.parent.mkdir(exist_ok=True)
    cases = [case(5, 0, 8, 20.0, 1), case(4, 4, 8, 50.0, 2), case(2, 0, 6, 1.0, 3)]
    OUT.write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
