"""Memory of iterating a generated Parquet file of 1 GB with loadDataset: below 300 MB.

    pip install pyarrow numpy
    npm run build:js && python reference/check_dataset_memory.py
"""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

root = Path(__file__).parent.parent
node = """
import { readFileSync } from "node:fs";
import { loadDataset } from "graft-peft";
const dataset = await loadDataset(process.argv[1], { split: "train" });
let bytes = 0, rows = 0;
for await (const row of dataset) { bytes += row.data.length; rows += 1; if (row.id !== rows - 1) throw new Error("order"); }
const peak = /VmHWM:\\s+(\\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))[1];
console.log(JSON.stringify({ rows, megabytes: Math.round(bytes / 1e6), peakMegabytes: Math.round(peak / 1e3) }));
"""

with tempfile.TemporaryDirectory() as folder:
    for name, group_rows, write_page_index in [("small row groups", 1000, False), ("large row groups with an index", 20000, True)]:
        path = Path(folder) / "large.parquet"
        schema = pa.schema([("id", pa.int64()), ("data", pa.binary())])
        rng = np.random.default_rng(0)
        with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False, write_page_index=write_page_index) as writer:
            for start in range(0, 100_000, group_rows):
                data = [rng.bytes(10_000) for _ in range(group_rows)]
                ids = list(range(start, start + group_rows))
                writer.write_table(pa.table({"id": ids, "data": data}, schema=schema), row_group_size=group_rows)
        script = ["node", "--input-type=module", "-e", node, str(path)]
        done = subprocess.run(script, cwd=root, check=True, capture_output=True, text=True).stdout.strip()
        print(f"{name}, {path.stat().st_size / 1e9:.2f} GB:", done)
