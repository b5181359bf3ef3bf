"""Train the low-rank adapter with which the packaged model reads passages in their context.

    python -m bench.adapter WORKSPACE --out READINGS.npz

Writes distill/weights/adapter.npz, trained on all labelled threads, and READINGS.npz: what adapters trained on the other
folds say of every passage, for `python -m bench.train`, which must not learn from readings of a model that has seen the
answer. The lower half of the model is left as it is, so its states are computed once. Low-rank adapters: Hu et al. 2021,
arXiv 2106.09685. About an hour on two cores.
"""

from __future__ import annotations

import argparse
import copy
import math
import os
import random
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GroupKFold
from torch import nn

from bench.examples import Example, hopeful, load_examples
from bench.train import cheap_scorer
from distill.scorers import ADAPTER, READINGS
from distill.windows import Window
from index.embed import load_base, padded, tokenized

ROOT = Path(__file__).parent
OUT = ROOT.parent / "distill" / "weights" / ADAPTER
FROZEN, RANK, SCALE = 3, 8, 2.0  # layers left as they are; rank of the adapter; what its output is multiplied by
EPOCHS, RATE, HEADS_RATE, WARM_UP = 2, 1e-3, 2e-3, 0.1
BATCH_TOKENS = 3072
MOST_IN_PROCEDURAL, MOST_IN_OTHER = 12, 4  # windows of a thread that an epoch sees; all with a label always
FOLDS = 3
Floats = np.ndarray[Any, Any]


@dataclass(slots=True)
class Item:
    """A window to learn from: its tokens, the state of the frozen layers, and a target per passage and reading."""

    example: int
    window: Window
    spans: list[tuple[int, int]]
    ids: list[int]
    targets: Floats  # (passages, READINGS); NaN where a reading does not apply
    state: Any = None


def items_of(examples: Sequence[Example]) -> list[Item]:
    base, tokenizer = load_base()
    cheap = cheap_scorer(examples)
    found = [Item(n, w, [], [], targets_of(e, w)) for n, e in enumerate(examples) for w in hopeful(e, cheap)]
    for item, tokens in zip(found, tokenized(tokenizer, [(i.window.head, i.window.pieces) for i in found]), strict=True):
        item.ids, item.spans = tokens.ids, tokens.spans
    freeze(base, found)
    return found


def targets_of(example: Example, window: Window) -> Floats:
    steps = [(window.post, place) in example.steps for place in window.places]
    stances = [example.stances.get((window.post, place), "") for place in window.places]
    rows = [
        [s, sum(steps) >= 2, *(np.nan if not example.steps else name == stance for name in READINGS[2:])]
        for s, stance in zip(steps, stances, strict=True)
    ]
    return np.array(rows, dtype=np.float32)


def freeze(base: Any, items: Sequence[Item]) -> None:
    """Fills in the states after the frozen layers, in bfloat16."""
    torch.set_num_threads(os.cpu_count() or 1)
    lower = copy.deepcopy(base).to(torch.bfloat16)
    lower.encoder.layer = lower.encoder.layer[:FROZEN]
    for batch in batches(items, range(len(items)), 4096):
        ids, mask = padded([items[i].ids for i in batch])
        with torch.inference_mode():
            states = lower(input_ids=ids, attention_mask=mask).last_hidden_state
        for row, i in enumerate(batch):
            items[i].state = states[row, : len(items[i].ids)].clone()


def batches(items: Sequence[Item], chosen: Iterable[int], tokens: int, shuffle: random.Random | None = None) -> list[list[int]]:
    order = sorted(chosen, key=lambda i: len(items[i].ids) + (shuffle.random() * 30 if shuffle else 0))
    found: list[list[int]] = []
    for i in order:
        if not found or (len(found[-1]) + 1) * len(items[i].ids) > tokens:
            found.append([])
        found[-1].append(i)
    if shuffle:
        shuffle.shuffle(found)
    return found


class LowRank(nn.Module):
    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear
        self.a = nn.Parameter(torch.randn(RANK, linear.in_features) / math.sqrt(linear.in_features))
        self.b = nn.Parameter(torch.zeros(linear.out_features, RANK))

    def forward(self, x: Any) -> Any:
        return self.linear(x) + SCALE * (x @ self.a.T.to(x.dtype)) @ self.b.T.to(x.dtype)


class Upper(nn.Module):
    """The layers above the frozen ones with their adapters, and the readings."""

    def __init__(self, base: Any) -> None:
        super().__init__()
        self.layers = copy.deepcopy(base.encoder.layer[FROZEN:]).to(torch.bfloat16)
        for parameter in self.layers.parameters():
            parameter.requires_grad = False
        self.adapted: dict[str, LowRank] = {}
        for number, layer in enumerate(self.layers):
            for path in (
                "attention.self.query",
                "attention.self.key",
                "attention.self.value",
                "attention.output.dense",
                "intermediate.dense",
                "output.dense",
            ):
                parent = layer.get_submodule(path.rpartition(".")[0]) if "." in path else layer
                adapted = LowRank(layer.get_submodule(path))
                setattr(parent, path.rpartition(".")[2], adapted)
                self.adapted[f"encoder.layer.{FROZEN + number}.{path}.weight"] = adapted
        self.heads = nn.Linear(384, len(READINGS))
        nn.init.zeros_(self.heads.weight)
        self.heads.bias.data = torch.tensor([-3.0, -2.5, -4.0, -4.0, -4.0])
        self.drop = nn.Dropout(0.1)

    def forward(self, states: Any, mask: Any, pool: Any) -> Any:
        """(windows, passages, READINGS) log-odds from states (windows, tokens, 384) and pool (windows, passages, tokens)."""
        hidden = (1.0 - mask[:, None, None, :].to(states.dtype)) * -1e4
        for layer in self.layers:
            states = layer(states, hidden)
            states = states[0] if isinstance(states, tuple) else states
        return self.heads(self.drop(torch.bmm(pool, states.float())))

    def weights(self) -> dict[str, Floats]:
        found: dict[str, Floats] = {}
        for name, adapted in self.adapted.items():
            found[f"{name}/a"] = adapted.a.detach().numpy().astype(np.float16)
            found[f"{name}/b"] = (SCALE * adapted.b.detach()).numpy().astype(np.float16)
        found["heads"] = torch.cat([self.heads.weight, self.heads.bias[:, None]], 1).detach().numpy().astype(np.float32)
        return found


def tensors(items: Sequence[Item], batch: Sequence[int]) -> tuple[Any, Any, Any, Any]:
    """(states, mask, pool, targets); targets are NaN for passages that are padding."""
    longest, most = max(len(items[i].ids) for i in batch), max(len(items[i].spans) for i in batch)
    states, mask = torch.zeros(len(batch), longest, 384, dtype=torch.bfloat16), torch.zeros(len(batch), longest)
    pool, targets = torch.zeros(len(batch), most, longest), torch.full((len(batch), most, len(READINGS)), float("nan"))
    for row, i in enumerate(batch):
        states[row, : len(items[i].ids)], mask[row, : len(items[i].ids)] = items[i].state, 1
        for place, (start, end) in enumerate(items[i].spans):
            pool[row, place, start:end] = 1 / (end - start)
        targets[row, : len(items[i].spans)] = torch.from_numpy(items[i].targets)
    return states, mask, pool, targets


def train(base: Any, items: Sequence[Item], examples: Sequence[Example], chosen: set[int], seed: int) -> Upper:
    torch.manual_seed(seed)
    chance = random.Random(seed)
    net = Upper(base)
    adapters = [p for low in net.adapted.values() for p in (low.a, low.b)]
    rates = (RATE, HEADS_RATE)
    optimiser = torch.optim.AdamW([{"params": adapters}, {"params": list(net.heads.parameters())}], weight_decay=0.01)
    plan = [batches(items, seen_in_epoch(items, examples, chosen, chance), BATCH_TOKENS, chance) for _ in range(EPOCHS)]
    total, done, began = sum(map(len, plan)), 0, time.monotonic()
    net.train()
    for number, epoch in enumerate(plan):
        losses = 0.0
        for batch in epoch:
            for group, rate in zip(optimiser.param_groups, rates, strict=True):
                group["lr"] = rate * min(1.0, done / (WARM_UP * total)) * (1 - done / total)
            states, mask, pool, targets = tensors(items, batch)
            loss = loss_of(net(states, mask, pool), targets)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_([*adapters, *net.heads.parameters()], 1.0)
            optimiser.step()
            losses, done = losses + float(loss.detach()), done + 1
        print(
            f"training {seed}, epoch {number + 1} of {EPOCHS}: loss {losses / len(epoch):.4f}, {time.monotonic() - began:.0f} s", flush=True
        )
    return net.eval()


def loss_of(margins: Any, targets: Any) -> Any:
    known = ~torch.isnan(targets)
    each = nn.functional.binary_cross_entropy_with_logits(margins, torch.nan_to_num(targets), reduction="none") * known
    weights = torch.tensor([1.0, 0.5, 0.3, 0.3, 0.3])
    return (each * weights).sum() / 200


def seen_in_epoch(items: Sequence[Item], examples: Sequence[Example], chosen: set[int], chance: random.Random) -> list[int]:
    by_thread: dict[int, list[int]] = {}
    for i, item in enumerate(items):
        if item.example in chosen:
            by_thread.setdefault(item.example, []).append(i)
    found: list[int] = []
    for thread, own in by_thread.items():
        labelled = [i for i in own if (np.nan_to_num(items[i].targets) > 0).any()]
        rest = sorted(set(own) - set(labelled))
        most = MOST_IN_PROCEDURAL if examples[thread].steps else MOST_IN_OTHER
        found += labelled + chance.sample(rest, min(len(rest), max(0, most - len(labelled))))
    return found


def read_with(net: Upper, items: Sequence[Item], chosen: Sequence[int]) -> dict[int, Floats]:
    found: dict[int, Floats] = {}
    for batch in batches(items, chosen, 8192):
        states, mask, pool, _ = tensors(items, batch)
        with torch.inference_mode():
            margins = net(states, mask, pool)
        found |= {i: np.rint(margins[row, : len(items[i].spans)].numpy() * 100) / 100 for row, i in enumerate(batch)}
    return found


@dataclass(slots=True)
class Task:
    """What the processes share by being forked: nothing of it is copied."""

    examples: Sequence[Example]
    items: Sequence[Item]
    base: Any
    folds: list[set[int]]  # the threads that each fold leaves unseen


TASK: list[Task] = []


def train_all() -> dict[str, Floats]:
    """The adapter's weights, from all threads."""
    torch.set_num_threads(1)  # two trainings side by side make better use of two cores than one training on both
    task = TASK[0]
    return train(task.base, task.items, task.examples, set(range(len(task.examples))), len(task.folds)).weights()


def read_fold(fold: int) -> dict[int, Floats]:
    """Readings of a fold's threads by an adapter that has not seen them."""
    torch.set_num_threads(1)
    task = TASK[0]
    net = train(task.base, task.items, task.examples, set(range(len(task.examples))) - task.folds[fold], fold)
    return read_with(net, task.items, [i for i, item in enumerate(task.items) if item.example in task.folds[fold]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--labels", type=Path, default=ROOT / "labels" / "threads.jsonl")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--leave-out", metavar="HOST", help="read this forum with an adapter that has not seen it; writes no weights")
    arguments = parser.parse_args()
    examples = load_examples(arguments.workspace, arguments.labels)
    items = items_of(examples)
    print(f"{len(items)} windows, {sum(len(item.ids) for item in items)} tokens", flush=True)
    if arguments.leave_out:
        unseen = {n for n, e in enumerate(examples) if e.read.thread.id.startswith(f"discourse:{arguments.leave_out}/")}
        TASK.append(Task(examples, items, load_base()[0], [unseen]))
        save_readings(arguments.out, examples, items, readings := read_fold(0))
        show_figures(items, readings)
        return
    groups = np.arange(len(examples))
    folds = [set(unseen.tolist()) for _, unseen in GroupKFold(FOLDS, shuffle=True, random_state=0).split(groups, groups=groups)]
    TASK.append(Task(examples, items, load_base()[0], folds))
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        weights = pool.submit(train_all)  # the longest first
        readings = {i: rows for part in pool.map(read_fold, range(FOLDS)) for i, rows in part.items()}
        np.savez_compressed(OUT, **weights.result())  # type: ignore[arg-type]
    save_readings(arguments.out, examples, items, readings)
    show_figures(items, readings)


def show_figures(items: Sequence[Item], readings: dict[int, Floats]) -> None:
    chosen = sorted(readings)
    targets, margins = np.concatenate([items[i].targets for i in chosen]), np.concatenate([readings[i] for i in chosen])
    for column, name in enumerate(READINGS):
        known = ~np.isnan(targets[:, column])
        print(f"out of fold: {name} AP {average_precision_score(targets[known, column], margins[known, column]):.3f}")


def save_readings(path: Path, examples: Sequence[Example], items: Sequence[Item], readings: dict[int, Floats]) -> None:
    chosen = sorted(readings)
    np.savez_compressed(
        path,
        threads=np.array([examples[items[i].example].read.thread.id for i in chosen for _ in items[i].spans]),
        places=np.array([(items[i].window.post, place) for i in chosen for place in items[i].window.places]),
        readings=np.concatenate([readings[i] for i in chosen]),
    )


if __name__ == "__main__":
    main()
