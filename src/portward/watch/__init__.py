"""What goes on at the gate: the access log."""
