"""A run that is ready to be packaged."""

from functools import partial
from pathlib import Path

import pytest
from package_shop import ShopOf, open_shop


@pytest.fixture
def shop_of(tmp_path: Path) -> ShopOf:
    return partial(open_shop, tmp_path)
