"""What TFLite's own metadata says of a model's inputs: the mean and standard deviation that its maker subtracts.

A FlatBuffer of its own inside the model's (https://ai.google.dev/edge/litert/models/metadata, metadata_schema.fbs).
Only the way to these numbers is read, by the places of the fields in that schema; what is damaged says nothing.
"""

import struct
from collections.abc import Iterator

IDENTIFIER = b"M001"
# Places of fields: ModelMetadata.subgraph_metadata, SubGraphMetadata.input_tensor_metadata,
# TensorMetadata.process_units, ProcessUnit.options_type and .options, NormalizationOptions.mean and .std; and the
# number of the latter in its union.
_SUBGRAPHS, _INPUTS, _UNITS, _KIND, _OPTIONS, _MEAN, _STD = 3, 2, 4, 0, 1, 0, 1
_NORMALISATION = 1
MOST = 4096


def normalisation(content: bytes) -> tuple[tuple[list[float], list[float]], ...]:
    """Return mean and standard deviation of each input that has them, in the order of the inputs."""
    try:
        if content[4:8] != IDENTIFIER:
            return ()
        return tuple(_found(content))
    except (struct.error, IndexError, ValueError):
        return ()


def _found(content: bytes) -> Iterator[tuple[list[float], list[float]]]:
    for graph in _tables(content, _target(content, 0), _SUBGRAPHS):
        for tensor in _tables(content, graph, _INPUTS):
            for unit in _tables(content, tensor, _UNITS):
                kind, options = _field(content, unit, _KIND), _field(content, unit, _OPTIONS)
                if kind and options and content[kind] == _NORMALISATION:
                    table = _target(content, options)
                    yield _floats(content, table, _MEAN), _floats(content, table, _STD)


def _target(content: bytes, place: int) -> int:
    return place + int(struct.unpack_from("<I", content, place)[0])


def _field(content: bytes, table: int, number: int) -> int:
    """Return where a field of a table lies; 0 where it has none."""
    directory = table - int(struct.unpack_from("<i", content, table)[0])
    if directory < 0 or 4 + 2 * number >= struct.unpack_from("<H", content, directory)[0]:
        return 0
    offset = int(struct.unpack_from("<H", content, directory + 4 + 2 * number)[0])
    return table + offset if offset else 0


def _elements(content: bytes, table: int, number: int) -> tuple[int, int]:
    """Return where the elements of a field begin, and how many there are."""
    place = _field(content, table, number)
    if not place:
        return 0, 0
    start = _target(content, place)
    count = int(struct.unpack_from("<I", content, start)[0])
    if count > MOST:
        raise ValueError(f"{count} elements")
    return start + 4, count


def _tables(content: bytes, table: int, number: int) -> list[int]:
    start, count = _elements(content, table, number)
    return [_target(content, start + 4 * element) for element in range(count)]


def _floats(content: bytes, table: int, number: int) -> list[float]:
    start, count = _elements(content, table, number)
    return list(struct.unpack_from(f"<{count}f", content, start))
