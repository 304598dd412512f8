"""Countries and networks (AS): where their data come from, and what rules make of them.

`sources` reads what others publish, `making` turns it into a compact file (`atlas`), `compiling` cuts from that what
the edge needs for the rules in force (`rules`, `cover`). Whatever takes memory runs in a process of its
own: `python -m portward.defense.geo.fetch` and `… .compiling`.
"""
