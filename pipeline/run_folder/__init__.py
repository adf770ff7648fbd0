"""What survives a crash: the folder of a run, its journal, its lock."""
