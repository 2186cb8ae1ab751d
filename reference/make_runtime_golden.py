"""A linear regression trained by PyTorch, for test/runtime: gradient accumulation, clipping, AdamW and SGD."""

import json
import pathlib

import torch

folder = pathlib.Path(__file__).parent.parent / "test" / "golden" / "runtime"
folder.mkdir(parents=True, exist_ok=True)

FEATURES, ROWS, STEPS, MICRO_STEPS = 3, 8, 4, 2


def batches():
    torch.manual_seed(1)
    return [
        [(torch.randn(ROWS, FEATURES), torch.randn(ROWS, 1)) for _ in range(MICRO_STEPS)] for _ in range(STEPS)
    ]


def train(make_optimizer, max_norm):
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(FEATURES, 1))
    bias = torch.nn.Parameter(torch.randn(1))
    initial = {"weight": weight.detach().flatten().tolist(), "bias": bias.tolist()}
    optimizer = make_optimizer([{"params": [weight], "weight_decay": 0.1}, {"params": [bias], "weight_decay": 0.0}])
    steps = []
    for micro_batches in batches():
        losses = []
        for x, y in micro_batches:
            loss = torch.nn.functional.mse_loss(x @ weight + bias, y)
            (loss / MICRO_STEPS).backward()
            losses.append(loss.item())
        gradients = {"weight": weight.grad.flatten().tolist(), "bias": bias.grad.tolist()}
        norm = torch.nn.utils.clip_grad_norm_([weight, bias], max_norm).item()
        optimizer.step()
        optimizer.zero_grad()
        steps.append(
            {
                "losses": losses,
                "gradients": gradients,
                "norm": norm,
                "weight": weight.detach().flatten().tolist(),
                "bias": bias.tolist(),
            }
        )
    return {"initial": initial, "steps": steps}


golden = {
    "torch": torch.__version__,
    "rows": ROWS,
    "features": FEATURES,
    "batches": [
        [{"x": x.flatten().tolist(), "y": y.flatten().tolist()} for x, y in step] for step in batches()
    ],
    "adamw": train(lambda groups: torch.optim.AdamW(groups, lr=0.05), 0.5),
    "sgd": train(lambda groups: torch.optim.SGD(groups, lr=0.05, momentum=0.9), 1e9),
}
(folder / "regression.json").write_text(json.dumps(golden))
