"""The cost model of ``bench.py scaling``, against sums by hand."""

import pytest

from benchmarks.scaling import CostModel, line

MODEL = CostModel(
    fixed=1e-3, run=1e-4, run_bytes=1000, latency=1e-5, byte=1e-9, launched=2e-3, stored=1e-3
)


def test_a_line_goes_through_its_points():
    assert line([4, 16, 64], [5.0, 17.0, 65.0]) == pytest.approx((1.0, 1.0))
    a, b = line([1, 2, 3], [3.0, 2.0, 1.0])  # a cost never falls
    assert b == 0
    assert a > 0


def test_a_ring_sends_each_part_twice_less_one():
    assert MODEL.all_reduce(1e6, 1) == 0
    assert MODEL.all_reduce(1e6, 4) == pytest.approx(6 * (1e-5 + 0.25e-3))


def test_a_sweep_is_limited_by_its_slowest_part():
    few = MODEL.sweep(100_000, 1000, workers=10, memory=64_000, most=128)
    assert few["stack"] == 64
    assert few["computing"] == pytest.approx(157 * 1000 * 7.4e-3)
    assert few["storing"] == pytest.approx(10.0)
    assert few["launching"] == pytest.approx(200.0)
    assert few["limited by"] == "computing"
    many = MODEL.sweep(100_000, 1000, workers=1000, memory=64_000, most=128)
    assert many["limited by"] == "launching"
    assert many["seconds"] == pytest.approx(200.0)


def test_data_parallelism_beats_a_larger_batch_where_computing_outweighs_sending():
    found = MODEL.speed_up(
        batch=32, critical=320, processes=4, size=4e6, example=1e-3, overhead=0.0
    )
    steps = (1 + 320 / 32) / (1 + 320 / 128)
    assert found["larger batch"] == pytest.approx(steps / 4)
    sent = 6 * (1e-5 + 1e-3)
    assert found["data parallel"] == pytest.approx(steps * 0.032 / (0.032 + sent))
    even = MODEL.break_even(batch=32, processes=4, size=4e6)
    assert even == pytest.approx(sent / 96)
    there = MODEL.speed_up(32, 320, 4, 4e6, even, overhead=1e-3)
    assert there["larger batch"] == pytest.approx(there["data parallel"])
    small = MODEL.speed_up(
        batch=32, critical=320, processes=4, size=4e6, example=1e-7, overhead=1e-4
    )
    assert small["larger batch"] > small["data parallel"]
