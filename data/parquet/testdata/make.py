"""Writes the Parquet files of this folder with pyarrow, the writer of the HuggingFace hub's data sets."""
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

here = pathlib.Path(__file__).parent
n = 700  # more than one page and one row group
rows = {
    "_id": [f"d{i}" for i in range(n)],
    "text": [None if i % 7 == 3 else f"text {i} ü " + "x" * (i % 50) for i in range(n)],
    "score": pa.array([i - 5 for i in range(n)], pa.int32()),
    "weight": [i / 4 for i in range(n)],
    "is_long": [i % 2 == 0 for i in range(n)],
    "gold_ids": [None if i % 11 == 5 else [f"g{i}_{j}" if j != 2 else None for j in range(i % 4)] for i in range(n)],
    "numbers": [list(range(i % 3)) for i in range(n)],
    "meta": [{"source": f"s{i % 5}", "line": i} for i in range(n)],
    "nested": [[[i]] for i in range(n)],
}
table = pa.table(rows)
for name, options in {
    "snappy": dict(compression="snappy", row_group_size=300, data_page_size=512),
    "zstd-v2": dict(compression="zstd", row_group_size=450, data_page_version="2.0", data_page_size=512, use_dictionary=False),
    "gzip": dict(compression="gzip", use_dictionary=["text"], write_batch_size=64, data_page_size=256),
}.items():
    pq.write_table(table, here / f"{name}.parquet", **options)
