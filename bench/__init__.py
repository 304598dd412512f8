"""The same work through Portward and its peers, side by side in one run, one core each.

    python -m bench --rounds 5 --seconds 4

`stage` builds what all of them share, `products` starts one product each, `load` makes requests, `measure` reads clocks
and CPU time, `figures` does the sums, `report` and `chart` write them down.
"""
