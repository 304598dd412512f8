"""The keeper: portal, admin API and reconciler in one program.

python -m portward.keeper --config FILE --state DIR
"""
