"""Two columns of a Parquet file as text, row group by row group (https://parquet.apache.org/docs/file-format/)."""

import os
from typing import Any

from edgewright.tools.datasets.entry import MOST_ENTRIES, Opened
from edgewright.tools.datasets.folders import Line, refuse_file
from edgewright.tools.extras import load
from edgewright.tools.legible import legible

# Unpacked, of the columns that are read: a few hundred bytes of Parquet can claim any size.
LIMIT_BYTES = 1 << 30
BATCH_ROWS = 4096


def parquet_rows(data: Opened, columns: tuple[str, str]) -> list[Line]:
    """Return the wanted two columns, the first of which holds text.

    Raises:
        Refused: MISSING_EXTRA without pyarrow, DATA_INVALID with the file and the row.
    """
    arrow, parquet = load("pyarrow"), load("pyarrow.parquet")
    try:
        with os.fdopen(os.dup(data.descriptor), "rb") as stream:
            file = parquet.ParquetFile(arrow.PythonFile(stream))
            _check(data.path, arrow, file, columns)
            return _rows(data.path, file, columns)
    except (arrow.ArrowException, OSError, ValueError) as error:
        refuse_file(data.path, f"it cannot be read as Parquet ({legible(str(error))})", "write it again")


def _check(path: str, arrow: Any, file: Any, columns: tuple[str, str]) -> None:  # noqa: ANN401  (no types)
    schema, meta = file.schema_arrow, file.metadata
    for name in columns:
        if schema.names.count(name) != 1:
            shown = ", ".join(legible(known, 40) for known in schema.names[:20])
            why = f"it has the column '{legible(name)}' {schema.names.count(name)} times; it holds {shown}"
            refuse_file(path, why, "name columns in the card as the file does")
    kinds, text = [schema.field(name).type for name in columns], arrow.types
    plain = [kind.value_type if text.is_dictionary(kind) else kind for kind in kinds]
    if not (text.is_string(plain[0]) or text.is_large_string(plain[0])):
        refuse_file(path, f"its column '{legible(columns[0])}' holds {kinds[0]}, not text", "name the column of text")
    simple = (text.is_string, text.is_large_string, text.is_integer, text.is_floating, text.is_boolean)
    if not any(is_kind(plain[1]) for is_kind in simple):
        why = f"its column '{legible(columns[1])}' holds {kinds[1]}, neither text nor numbers"
        refuse_file(path, why, "store one label a row")
    if meta.num_rows > MOST_ENTRIES:
        refuse_file(path, f"it holds {meta.num_rows} rows, more than {MOST_ENTRIES}", "split the set")
    groups = [meta.row_group(number) for number in range(meta.num_row_groups)]
    parts = [group.column(number) for group in groups for number in range(group.num_columns)]
    unpacked = sum(part.total_uncompressed_size for part in parts if part.path_in_schema in columns)
    if unpacked > LIMIT_BYTES:
        refuse_file(path, f"its columns unpack to {unpacked} bytes, more than {LIMIT_BYTES}", "split the set")


def _rows(path: str, file: Any, columns: tuple[str, str]) -> list[Line]:  # noqa: ANN401  (no types)
    rows: list[Line] = []
    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(dict.fromkeys(columns))):
        pair = [batch.column(name).to_pylist() for name in columns]
        for text, value in zip(*pair, strict=True):
            if text is None or value is None:
                empty = columns[0] if text is None else columns[1]
                why = f"row {len(rows) + 1} has nothing in '{legible(empty)}'"
                refuse_file(path, why, "fill it in, or drop the row")
            rows.append(Line(f"row {len(rows) + 1}", text, str(int(value) if isinstance(value, bool) else value)))
    return rows
