"""Who does not belong: detectors judge facts, the guard turns verdicts into bans, the ledger keeps them."""
