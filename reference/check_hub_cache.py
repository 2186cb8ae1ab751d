"""Whether huggingface_hub reads the cache that Graft writes, and Graft the one that huggingface_hub writes.

    npm run build:js && npx tsx test/hub/serve.ts -- python reference/check_hub_cache.py

test/hub/serve.ts starts the tests' own server and sets HF_ENDPOINT; nothing is asked of the real Hub.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from huggingface_hub import ModelCard, hf_hub_download, scan_cache_dir, snapshot_download

root = Path(__file__).parent.parent
node = """
import { resolveFiles } from "#graft/hub/index";
const files = await resolveFiles("org/model", "model", { cacheDir: process.argv[1], localFilesOnly: process.argv[2] === "offline" });
await files.path("config.json", "the check");
console.log(await files.path("model.safetensors", "the check"));
"""


def graft(cache: str, mode: str) -> str:
    script = ["node", "--input-type=module", "-e", node, cache, mode]
    return subprocess.run(script, cwd=root, check=True, capture_output=True, text=True).stdout.strip()


os.environ.pop("HF_HUB_OFFLINE", None)
with tempfile.TemporaryDirectory() as mine, tempfile.TemporaryDirectory() as theirs:
    path = graft(mine, "online")
    found = hf_hub_download("org/model", "model.safetensors", cache_dir=mine, local_files_only=True)
    assert Path(found).samefile(path), (found, path)
    report = scan_cache_dir(mine)
    assert not report.warnings, report.warnings
    (repo,) = report.repos
    print("huggingface_hub reads Graft's cache:", repo.repo_id, sorted(repo.refs), repo.nb_files, "files")

    snapshot = snapshot_download("org/model", cache_dir=theirs, allow_patterns=["*.json", "*.safetensors"])
    read = graft(theirs, "offline")
    assert Path(read).samefile(Path(snapshot) / "model.safetensors"), read
    print("Graft reads huggingface_hub's cache:", Path(read).name, Path(read).stat().st_size, "bytes")

    card = ModelCard.load(hf_hub_download("org/model", "README.md", cache_dir=theirs)).data
    (result,) = card.eval_results
    print("ModelCardData:", card.library_name, card.base_model, result.metric_type, result.metric_value)
