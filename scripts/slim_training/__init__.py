"""What scripts/train_slim.py and scripts/bench_slim.py are made of: teachers, pictures, bank, student."""
