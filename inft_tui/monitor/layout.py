"""Where charts stand: a grid of tiles of one size, as large as their number allows, in pages where there are many."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_WIDTH, LEAST_HEIGHT = 36, 7
"""Of a tile: with less, a chart has no room for its axes."""
_ASPECT = 4.5
"""Columns to a row of a chart that is easy to read: a cell is twice as high as it is wide."""
WIDE_FROM = 3
"""Columns of tiles from which on the first one, the loss, is twice as wide."""
_ALL_AT_ONCE = 11
"""Charts that are worth being shown small; what is beyond them waits on the next page."""


@dataclass(frozen=True)
class Tile:
    """Where the chart at `place` of the page stands, in cells."""

    place: int
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Grid:
    """So many tiles beside and below each other.

    Attributes:
        columns, rows: of tiles.
        width, height: of the whole, in cells.
    """

    columns: int
    rows: int
    width: int
    height: int

    @property
    def first_page(self) -> int:
        """Charts on the first page."""
        return self.columns * self.rows - (1 if self.columns >= WIDE_FROM else 0)

    def pages(self, count: int) -> int:
        """Pages that `count` charts take, at least one."""
        return 1 + -(-max(0, count - self.first_page) // (self.columns * self.rows))

    def page_of(self, chart: int) -> int:
        """The page on which chart number `chart` stands."""
        return 0 if chart < self.first_page else 1 + (chart - self.first_page) // (self.columns * self.rows)

    def charts_on(self, page: int, count: int) -> range:
        """Which of `count` charts stand on a page."""
        size = self.columns * self.rows
        start = 0 if page == 0 else self.first_page + (page - 1) * size
        return range(min(start, count), min(count, start + (self.first_page if page == 0 else size)))

    def tiles(self, page: int, count: int) -> list[Tile]:
        """The tiles of a page, in the order of reading."""
        shown = self.charts_on(page, count)
        wide = page == 0 and self.columns >= WIDE_FROM
        cells = len(shown) + wide
        rows_used = -(-cells // self.columns) if page == 0 else self.rows
        found: list[Tile] = []
        for place in range(len(shown)):
            cell = place + (1 if wide and place else 0)
            row, column = divmod(cell, self.columns)
            last = place == len(shown) - 1
            # The last one of a row that is not full takes what is left of it.
            behind = column + 2 if wide and place == 0 else column + 1
            if last and page == 0:
                behind = self.columns
            left, right = self.width * column // self.columns, self.width * behind // self.columns
            top, bottom = self.height * row // rows_used, self.height * (row + 1) // rows_used
            found.append(Tile(place, left, top, right - left, bottom - top))
        return found

    def moved(self, chart: int, count: int, across: int, down: int) -> int:
        """The chart that lies beside, above or below number `chart`; beyond a page's edge one of the next page.

        Args:
            chart: from where.
            count: charts that there are.
            across: -1, 0 or 1.
            down: the same; one of the two is 0.
        """
        if across or not 0 <= chart < count:
            return max(0, min(count - 1, chart + across))
        page = self.page_of(chart)
        shown, tiles = self.charts_on(page, count), self.tiles(page, count)
        here = tiles[chart - shown.start]
        middle = here.x + here.width / 2
        found = [tile for tile in tiles if (tile.y - here.y) * down > 0]
        if found:
            nearest = min(found, key=lambda tile: (abs(tile.y - here.y), abs(tile.x + tile.width / 2 - middle)))
            return shown.start + nearest.place
        beyond = shown.stop if down > 0 else shown.start - 1
        return beyond if 0 <= beyond < count else chart


def grid_for(width: int, height: int, count: int) -> Grid:
    """The grid for `count` charts in `width` x `height` cells.

    The largest tiles that show all of them at once; where that cannot be, as many as fit.

    >>> grid_for(160, 27, 11), grid_for(80, 14, 11), grid_for(60, 8, 11).columns
    (Grid(columns=4, rows=3, width=160, height=27), Grid(columns=2, rows=2, width=80, height=14), 1)
    """
    most_columns, most_rows = max(1, width // LEAST_WIDTH), max(1, height // LEAST_HEIGHT)
    wanted = min(count, _ALL_AT_ONCE)
    grids = [
        Grid(columns, rows, width, height)
        for columns in range(1, most_columns + 1)
        for rows in range(1, most_rows + 1)
        if Grid(columns, rows, width, height).first_page >= wanted
    ]
    if not grids:
        return Grid(most_columns, most_rows, width, height)
    return max(grids, key=lambda grid: min(width / grid.columns / _ASPECT, height / grid.rows))
