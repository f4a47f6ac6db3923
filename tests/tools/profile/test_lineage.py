"""The mark that ties a candidate to its original."""

import onnx_models as models

from edgewright.tools.profile.lineage import lineage_of, stamp


def test_a_model_says_nothing_until_it_is_stamped_and_then_the_last_stamp() -> None:
    model = models.mlp()
    model.metadata_props.add(key="author", value="someone")
    assert lineage_of(model) is None
    stamp(model, "a" * 64)
    stamp(model, "b" * 64)
    assert lineage_of(model) == "b" * 64
    assert [(entry.key, entry.value) for entry in model.metadata_props] == [
        ("author", "someone"),
        ("edgewright.original", "b" * 64),
    ]
