"""The edge: HAProxy's configuration from a plan, and its memory kept equal to what is wanted."""
