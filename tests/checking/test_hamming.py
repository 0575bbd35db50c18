"""Every close pair is found, once, in whatever blocks it is looked for."""

import numpy as np
import pytest

from tellapart.checking import hamming
from tellapart.checking.hamming import close


@pytest.mark.parametrize("cells", [1, 7, 1000, 1 << 19])
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_close_finds_what_comparing_each_two_finds(monkeypatch: pytest.MonkeyPatch, cells: int, count: int) -> None:
    monkeypatch.setattr(hamming, "CELLS", cells)
    rng = np.random.default_rng(count)
    ones, others = (rng.integers(0, 2**64, count, dtype=np.uint64) for _ in range(2))
    wanted = [
        (i, j) for i in range(count) for j in range(i + 1, count) if (int(ones[i]) ^ int(others[j])).bit_count() <= 30
    ]
    blocks = list(close(ones, others, 30))
    found = [pair for _, i, j in blocks for pair in zip(i.tolist(), j.tolist(), strict=True)]
    assert found == wanted
    assert [row for rows, _, _ in blocks for row in rows] == [*range(count - 1)]
    assert count < 40 or wanted
