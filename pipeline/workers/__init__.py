"""Independent units of work, done here, by several processes of this machine, or by a Ray cluster."""
