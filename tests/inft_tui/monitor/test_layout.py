from __future__ import annotations

import itertools

import pytest

from inft_tui.monitor.layout import LEAST_HEIGHT, LEAST_WIDTH, grid_for

SIZES = [(60, 8), (80, 12), (100, 20), (160, 28), (300, 80), (20, 3)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_chart_has_one_place_that_no_other_touches(width: int, height: int) -> None:
    for count in (0, 1, 2, 5, 11, 12, 40):
        grid = grid_for(width, height, count)
        shown = [chart for page in range(grid.pages(count)) for chart in grid.charts_on(page, count)]
        assert shown == list(range(count))
        for page in range(grid.pages(count)):
            tiles = grid.tiles(page, count)
            assert len(tiles) == len(grid.charts_on(page, count))
            cells = [
                cell
                for tile in tiles
                for cell in itertools.product(range(tile.x, tile.x + tile.width), range(tile.y, tile.y + tile.height))
            ]
            assert len(cells) == len(set(cells))
            assert all(0 <= x < width and 0 <= y < height for x, y in cells)
            assert all(grid.page_of(chart) == page for chart in grid.charts_on(page, count))
            if width >= LEAST_WIDTH and height >= LEAST_HEIGHT:
                assert all(tile.width >= LEAST_WIDTH and tile.height >= LEAST_HEIGHT for tile in tiles)


def test_few_charts_fill_the_room() -> None:
    (tile,) = grid_for(120, 30, 1).tiles(0, 1)
    assert (tile.width, tile.height) == (120, 30)
    covered = sum(tile.width * tile.height for tile in grid_for(160, 28, 11).tiles(0, 11))
    assert covered == 160 * 28


def test_the_loss_is_the_widest_where_there_is_room() -> None:
    first, *others = grid_for(160, 28, 11).tiles(0, 11)
    assert all(first.width > tile.width for tile in others)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_chart_can_be_reached(width: int, height: int) -> None:
    count = 30
    grid = grid_for(width, height, count)
    ways = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    reached, waiting = {0}, [0]
    while waiting:
        at = waiting.pop()
        for across, down in ways:
            chart = grid.moved(at, count, across, down)
            assert 0 <= chart < count
            if chart not in reached:
                reached.add(chart)
                waiting.append(chart)
    assert reached == set(range(count))


def test_down_goes_to_the_chart_below() -> None:
    grid = grid_for(160, 28, 11)
    tiles = grid.tiles(0, 11)
    below = grid.moved(1, 11, 0, 1)
    assert tiles[below].x == tiles[1].x
    assert tiles[below].y > tiles[1].y
    assert grid.moved(below, 11, 0, -1) == 1
