"""Block lists that somebody else keeps: read, judged and written down in a process of their own.

What stands in them is hostile until it is shown to be harmless, and it may be long: both end with that process.
"""
