"""The steps from one shape of the tables to the next, in the order of their numbers.

One that was released is never edited.
"""
