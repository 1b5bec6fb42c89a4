"""What run directories, and logs of other programs, hold: curves, marks, state and alerts, read on in slices.

Knows no screen. `fetch` reads, and may run in a worker thread; `take` adds what it brought, in the thread that draws.
"""
