"""What NumPy says of updates and subspaces: test/golden/analysis/analysis.json.

The matrices are made by a formula of whole numbers, so that the test makes the same ones; only results are written.
"""

import json
from pathlib import Path

import numpy as np

OUT = Path(__file__).parent.parent / "test" / "golden" / "analysis" / "analysis.json"


def matrix(rows: int, columns: int, salt: int, decay: float = 0.0) -> np.ndarray:
    i, j = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    whole = (i * 7919 + j * 104729 + (i + salt) * (j + 3 * salt) * 31 + i * i * j) % 1009
    return ((whole / 1009 - 0.5) / (1 + decay * i)).astype(np.float32)


def case(out: int, inner: int, rank: int, other_rank: int, compared: int) -> dict:
    a, b, weight = matrix(rank, inner, 1, 0.4), matrix(out, rank, 2), matrix(out, inner, 3, 0.05)
    other = matrix(other_rank, inner, 5, 0.3)
    other[: rank // 2] += a[: rank // 2]  # so that the two have directions in common
    scaling = 2.0
    w = weight.astype(np.float64)
    update = scaling * b.astype(np.float64) @ a.astype(np.float64)
    u, s, vt = np.linalg.svd(update)
    s = s[:rank]
    p = s / s.sum()
    kept = np.sqrt(np.cumsum(s**2) / (s**2).sum())
    wu, ws, wvt = np.linalg.svd(w)
    ua = np.linalg.svd(a.astype(np.float64), full_matrices=False)[2]
    ub = np.linalg.svd(other.astype(np.float64), full_matrices=False)[2]
    phi = [
        [float(np.linalg.norm(ua[:i] @ ub[:j].T) ** 2 / min(i, j)) for j in range(1, len(ub) + 1)]
        for i in range(1, len(ua) + 1)
    ]

    def distance(i: int, j: int) -> float:
        sigma = np.linalg.svd(ua[:i] @ ub[:j].T, compute_uv=False)
        return float(np.sqrt(max(0, min(i, j) - (sigma**2).sum())))

    return {
        "out": out,
        "in": inner,
        "rank": rank,
        "otherRank": other_rank,
        "compared": compared,
        "scaling": scaling,
        "singularValues": s.tolist(),
        "effectiveRank": float(np.exp(-(p * np.log(p)).sum())),
        "stableRank": float((s**2).sum() / s[0] ** 2),
        "rankThatKeeps": {str(share): int(np.argmax(kept >= share)) + 1 for share in (0.5, 0.9, 0.95, 0.99)},
        "weightNorm": float(np.linalg.norm(w)),
        "updateNorm": float(np.linalg.norm(update)),
        "inUpdate": float(np.linalg.norm(u[:, :compared].T @ w @ vt[:compared].T)),
        "inWeight": float(np.linalg.norm(wu[:, :compared].T @ w @ wvt[:compared].T)),
        "similarity": phi,
        "distance": [[distance(i, j) for j in range(1, len(ub) + 1)] for i in range(1, len(ua) + 1)],
    }


# The second is large enough for its products to be the engine's.
cases = {"small": case(24, 20, 4, 8, 4), "engine": case(288, 256, 8, 16, 6), "wide": case(12, 6, 8, 4, 3)}
OUT.parent.mkdir(parents=True, exist_ok=True)
OUT.write_text(json.dumps(cases) + "\n")
