"""Five steps of PyTorch's optimisers on fixed gradients, for test/optim."""

import json
import pathlib

import torch

folder = pathlib.Path(__file__).parent.parent / "test" / "golden" / "optim"
folder.mkdir(parents=True, exist_ok=True)

CASES = {
    "adamw": (torch.optim.AdamW, dict(lr=1e-2, betas=(0.9, 0.999), eps=1e-8), 0.01, 0.0),
    "adamw-betas-clipped": (torch.optim.AdamW, dict(lr=3e-3, betas=(0.8, 0.95), eps=1e-6), 0.1, 1.0),
    "sgd": (torch.optim.SGD, dict(lr=0.1), 0.0, 0.0),
    "sgd-momentum-decay": (torch.optim.SGD, dict(lr=0.05, momentum=0.9), 0.02, 0.5),
    "sgd-nesterov": (torch.optim.SGD, dict(lr=0.05, momentum=0.8, nesterov=True), 0.01, 0.0),
}
SHAPES = [(4, 3), (7,)]
SCALES = [1.0, 1e-3, 30.0, 1e-6, 1.0]  # gradients of very different size, zeros among them


def run(optimizer_class, settings, weight_decay, max_norm):
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(shape)) for shape in SHAPES]
    initial = [p.detach().flatten().tolist() for p in parameters]
    # The second group: no decay and ten times the learning rate.
    groups = [
        {"params": parameters[:1], "weight_decay": weight_decay},
        {"params": parameters[1:], "weight_decay": 0.0, "lr": settings["lr"] * 10},
    ]
    optimizer = optimizer_class(groups, **settings)
    steps = []
    for scale in SCALES:
        gradients = [torch.randn(shape) * scale for shape in SHAPES]
        gradients[1][0] = 0.0
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = gradient.clone()
        norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm if max_norm > 0 else float("inf"))
        optimizer.step()
        steps.append(
            {
                "gradients": [g.flatten().tolist() for g in gradients],
                "norm": norm.item(),
                "parameters": [p.detach().flatten().tolist() for p in parameters],
            }
        )
    return {"initial": initial, "weightDecay": weight_decay, "maxNorm": max_norm, "steps": steps}


goldens = {name: run(*case) for name, case in CASES.items()}
(folder / "steps.json").write_text(json.dumps({"torch": torch.__version__, "cases": goldens}))
